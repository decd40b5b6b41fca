/* Preloaded into tidegate: counts what its worker threads ask of malloc and of mutexes, into a file mapped by the test.
 *
 * Only threads named tidegate-w* are counted. Calls that come from inside libssl and libcrypto are counted apart: what
 * OpenSSL does by itself is not the proxy's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct counts {
  uint64_t allocations, openssl_allocations, mutex_locks, openssl_mutex_locks;
};

static struct counts nowhere;
static struct counts *counts = &nowhere;
static struct { uintptr_t begin, end; } openssl[8];
static int openssl_parts;
static int (*next_lock)(pthread_mutex_t *);
static __thread int is_worker; /* 0 = not known yet, 1 = yes */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static int find_openssl(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  if (!strstr(info->dlpi_name, "libssl.so") && !strstr(info->dlpi_name, "libcrypto.so")) return 0;
  for (int i = 0; i < info->dlpi_phnum && openssl_parts < 8; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_X)) continue;
    openssl[openssl_parts].begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    openssl[openssl_parts].end = openssl[openssl_parts].begin + info->dlpi_phdr[i].p_memsz;
    ++openssl_parts;
  }
  return 0;
}

__attribute__((constructor)) static void begin(void) {
  next_lock = (int (*)(pthread_mutex_t *))dlsym(RTLD_NEXT, "pthread_mutex_lock");
  dl_iterate_phdr(find_openssl, NULL);
  const char *path = getenv("COUNT_CALLS_FILE");
  const int fd = path ? open(path, O_RDWR) : -1;
  if (fd < 0) return;
  void *mapped = mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped != MAP_FAILED) counts = mapped;
}

static int counted(void) {
  if (is_worker) return 1;
  char name[16];
  if (prctl(PR_GET_NAME, name) == 0 && strncmp(name, "tidegate-w", 10) == 0) is_worker = 1;
  return is_worker;
}

static void count(uint64_t *ours, uint64_t *theirs, uintptr_t caller) {
  if (!counted()) return;
  for (int i = 0; i < openssl_parts; ++i) {
    if (caller >= openssl[i].begin && caller < openssl[i].end) ours = theirs;
  }
  __atomic_fetch_add(ours, 1, __ATOMIC_RELAXED);
}

#define COUNT_ALLOCATION() \
  count(&counts->allocations, &counts->openssl_allocations, (uintptr_t)__builtin_return_address(0))

void *malloc(size_t size) {
  COUNT_ALLOCATION();
  return __libc_malloc(size);
}
void *calloc(size_t n, size_t size) {
  COUNT_ALLOCATION();
  return __libc_calloc(n, size);
}
void *realloc(void *old, size_t size) {
  COUNT_ALLOCATION();
  return __libc_realloc(old, size);
}
int pthread_mutex_lock(pthread_mutex_t *mutex) {
  count(&counts->mutex_locks, &counts->openssl_mutex_locks, (uintptr_t)__builtin_return_address(0));
  return next_lock ? next_lock(mutex) : 0;
}
