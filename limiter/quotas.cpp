// What a client may still do, for those who pace themselves.
#include <algorithm>

#include "limiter/rule_set.hpp"

namespace tidegate::limiter {
namespace {

quota of_bucket(const rule& one, const bucket& from, steady_ns now) {
  quota result;
  result.which = &one;
  result.rate = one.clock->tokens_per_second();
  result.share = one.config.rate > 0 ? result.rate / one.config.rate : 1;
  result.tokens = from.tokens(now);
  result.wait = from.wait_for(one.clock->to_units(1), now);
  result.others_wait = from.anybody_waits();
  return result;
}

quota of_block(const rule& one, steady_ns now) {
  quota result;
  result.which = &one;
  result.share = 0;
  result.tokens = 0;
  result.wait = one.expires == never ? never : std::max<steady_ns>(one.expires - now, 0);
  return result;
}

}  // namespace

std::vector<quota> rule_set::quotas(const binding& session, std::optional<std::string_view> key,
                                    attribution::pattern_number pattern, steady_ns now) {
  std::vector<quota> out;
  // A session that was bound under other rules knows nothing of these.
  if (!session.shared || session.shared->rules_then != rules_.size()) return out;
  for (const client_rules::bound& held : session.rules()) {
    const rule& one = rules_[held.rule];
    if (now >= one.expires) continue;
    if (key && !one.config.match_key.empty() && !one.key.matches(*key)) continue;
    if (one.config.action == config::limit_action::block) {
      out.push_back(of_block(one, now));
      continue;
    }
    const bucket* from = bucket_of(session, held.rule);
    if (from == nullptr && key) from = pattern_bucket(one.index, pattern);
    if (from != nullptr) {
      out.push_back(of_bucket(one, *from, now));
      continue;
    }
    quota unknown;
    unknown.which = &one;
    unknown.rate = one.clock->tokens_per_second();
    unknown.share = one.config.rate > 0 ? unknown.rate / one.config.rate : 1;
    out.push_back(unknown);
  }
  return out;
}

}  // namespace tidegate::limiter
