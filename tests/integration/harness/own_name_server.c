// Preloaded into one process, sends its questions for addresses to the name server at 127.0.0.1:TEST_NAME_SERVER. The
// resolver stays glibc's: the list of servers that res_init(3) reads is each thread's own, and only that is replaced.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** found) {
  int (*real)(const char*, const char*, const struct addrinfo*, struct addrinfo**) = dlsym(RTLD_NEXT, "getaddrinfo");
  const char* port = getenv("TEST_NAME_SERVER");
  if (port != NULL && res_init() == 0) {
    _res.nscount = 1;
    _res.nsaddr_list[0].sin_family = AF_INET;
    _res.nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    _res.nsaddr_list[0].sin_port = htons((unsigned short)atoi(port));
    _res.retrans = 1;
    _res.retry = 1;
  }
  return real(node, service, hints, found);
}
