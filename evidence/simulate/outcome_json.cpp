#include <cmath>
#include <nlohmann/json.hpp>

#include "evidence/simulate/outcome_text.hpp"

namespace tidegate::simulate {

std::string to_json(const outcome& what, std::string_view traffic) {
  using nlohmann::ordered_json;
  ordered_json limits = ordered_json::array(), ttl = ordered_json::array(), clients = ordered_json::array(),
               curve = ordered_json::array();
  for (const limit_line& one : what.limits) {
    limits.push_back({{"client", one.client},
                      {"rule", one.rule},
                      {"delayed", one.delayed},
                      {"rejected", one.rejected},
                      {"observed", one.observed},
                      {"waited_seconds", one.waited_seconds},
                      {"longest_seconds", one.longest_seconds}});
  }
  for (const ttl_line& one : what.ttl) {
    ttl.push_back({{"pattern", one.pattern},
                   {"command", one.command},
                   {"injected", one.injected},
                   {"capped", one.capped},
                   {"refused", one.refused},
                   {"observed", one.observed}});
  }
  for (const client_line& one : what.clients) {
    clients.push_back({{"client", one.client},
                       {"commands", one.commands},
                       {"bytes", one.bytes},
                       {"waited_seconds", one.waited_seconds},
                       {"ends_later_seconds", one.ends_later_seconds}});
  }
  for (const memory_point& one : what.memory) {
    curve.push_back({{"at", time_text(one.at_ms)},
                     {"before_bytes", std::llround(one.before)},
                     {"after_bytes", std::llround(one.after)}});
  }
  const auto peak = [&](double bytes, std::int64_t at) {
    ordered_json one{{"bytes", std::llround(bytes)}, {"at", time_text(at)}, {"percent", nullptr}};
    if (what.maxmemory != 0 && what.memory_is_absolute)
      one["percent"] = 100 * bytes / static_cast<double>(what.maxmemory);
    return one;
  };
  const ordered_json document{
      {"traffic", traffic},
      {"from", what.commands == 0 ? ordered_json(nullptr) : ordered_json(time_text(what.from_ms))},
      {"until", what.commands == 0 ? ordered_json(nullptr) : ordered_json(time_text(what.until_ms))},
      {"commands", what.commands},
      {"bytes", what.bytes},
      {"delayed", what.delayed},
      {"rejected", what.rejected},
      {"observed", what.observed},
      {"waited_seconds", what.waited_seconds},
      {"ttl_injected", what.injected},
      {"ttl_capped", what.capped},
      {"ttl_refused", what.refused},
      {"ttl_observed", what.ttl_observed},
      {"unreadable", what.unreadable},
      {"limits", limits},
      {"ttl", ttl},
      {"clients", clients},
      {"memory",
       {{"max_bytes", what.maxmemory == 0 ? ordered_json(nullptr) : ordered_json(what.maxmemory)},
        {"absolute", what.memory_is_absolute},
        {"stored_per_counted", what.stored_per_counted},
        {"peak_before", peak(what.peak_before, what.peak_before_ms)},
        {"peak_after", peak(what.peak_after, what.peak_after_ms)},
        {"curve", curve}}}};
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace tidegate::simulate
