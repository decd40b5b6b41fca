#include "proxy/net/tls_files.hpp"

#include "proxy/net/tls_context.hpp"

namespace tidegate::net {

std::vector<config::mistake> mistakes_of_tls_files(const config::config& config) {
  std::vector<config::mistake> found;
  for (std::size_t i = 0; i < config.listen.size(); ++i) {
    const config::listener& where = config.listen[i];
    if (!where.tls) continue;
    if (const auto made = tls_context::for_clients(*where.tls); !made) {
      found.push_back({config.path, where.line, "listen[" + std::to_string(i) + "].tls", made.error()});
    }
  }
  if (config.upstream.tls) {
    if (const auto made = tls_context::for_upstream(config.upstream.host, config.upstream.ca); !made) {
      found.push_back({config.path, config.upstream.line, "upstream.url", made.error()});
    }
  }
  return found;
}

}  // namespace tidegate::net
