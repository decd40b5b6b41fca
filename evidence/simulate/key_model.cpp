#include "evidence/simulate/key_model.hpp"

#include <algorithm>
#include <chrono>

#include "resp/keyword.hpp"
#include "ttl/time_argument.hpp"

namespace tidegate::simulate {
namespace {

using resp::key_access;
using resp::ttl_effect;
using std::chrono::milliseconds;

std::uint64_t bytes_behind_name(const resp::request& request) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 1; i < request.size(); ++i) sum += request.refs[i].length;
  return sum;
}

bool has_option(const resp::request& request, std::size_t from, std::string_view lower) noexcept {
  for (std::size_t i = from; i < request.size(); ++i) {
    if (resp::is_keyword(request[i], lower)) return true;
  }
  return false;
}

// What an expiry leads to: nothing = it could not be read, 0 = the key is deleted.
std::optional<std::int64_t> moment_of(const resp::request& request, ttl::time_argument how, std::int64_t now_ms) {
  if (how.index == 0 || how.index >= request.size()) return std::nullopt;
  const ttl::time_reading read = ttl::read_time(request[how.index], how, milliseconds(now_ms));
  if (read.what == ttl::time_reading::kind::unreadable) return std::nullopt;
  return read.what == ttl::time_reading::kind::future ? now_ms + read.ttl_ms : 0;
}

}  // namespace

// FNV-1a, mixed once more: neighbouring keys differ in their last bytes alone.
key_model::number key_model::number_of(std::uint32_t db, std::string_view key) noexcept {
  number hash = 0xcbf29ce484222325ULL ^ db;
  for (const char byte : key) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  hash ^= hash >> 32;
  hash *= 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

void key_model::count(const entry& one, bool in) noexcept {
  const std::uint64_t size = one.bytes + key_overhead + (one.expires_ms != 0 ? ttl_overhead : 0);
  bytes_ = in ? bytes_ + size : bytes_ - size;
  if (one.expires_ms != 0) mortal_bytes_ = in ? mortal_bytes_ + size : mortal_bytes_ - size;
}

void key_model::put(number key, std::uint64_t bytes, growth how) {
  const auto [place, made] = keys_.try_emplace(key);
  entry& one = place->second;
  if (!made) count(one, false);
  one.bytes = how == growth::adds ? one.bytes + bytes : bytes;
  count(one, true);
}

void key_model::set_expiry(number key, std::int64_t at_ms) {
  const auto found = keys_.find(key);
  if (found == keys_.end() || found->second.expires_ms == at_ms) return;
  count(found->second, false);
  found->second.expires_ms = at_ms;
  count(found->second, true);
  if (at_ms != 0) ends_.push({at_ms, key});
}

void key_model::erase(number key) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return;
  count(found->second, false);
  keys_.erase(found);
}

void key_model::expire_until(std::int64_t now_ms) {
  while (!ends_.empty() && ends_.top().at_ms <= now_ms) {
    const end due = ends_.top();
    ends_.pop();
    const auto found = keys_.find(due.key);
    // It may have got another TTL since, or none.
    if (found != keys_.end() && found->second.expires_ms == due.at_ms) erase(due.key);
  }
}

void key_model::move(const resp::command_spec& spec, const resp::request& request, std::uint32_t db) {
  if (request.size() < 3 || spec.kind == resp::special::move) return;
  const number from = number_of(db, request[1]), to = number_of(db, request[2]);
  const auto found = keys_.find(from);
  if (found == keys_.end() || from == to) return;
  const entry moved = found->second;
  if (spec.kind != resp::special::copy) erase(from);
  erase(to);
  put(to, moved.bytes, growth::replaces);
  set_expiry(to, moved.expires_ms);
}

void key_model::change_expiry(const resp::command_spec& spec, const resp::request& request, number key,
                              std::int64_t now_ms) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return;
  const std::int64_t has = found->second.expires_ms;
  std::optional<std::int64_t> at;
  if (spec.ttl == ttl_effect::persist) {
    at = 0;
    set_expiry(key, 0);
    return;
  }
  if (spec.ttl == ttl_effect::getex) {
    const ttl::string_options options = ttl::read_getex_options(request);
    if (options.persist) set_expiry(key, 0);
    at = moment_of(request, options.time, now_ms);
  } else {
    const bool milli = spec.ttl == ttl_effect::pexpire || spec.ttl == ttl_effect::pexpireat;
    const bool absolute = spec.ttl == ttl_effect::expireat || spec.ttl == ttl_effect::pexpireat;
    at = moment_of(request, {.index = 2, .milliseconds = milli, .absolute = absolute}, now_ms);
    if (at && *at != 0) {
      if (has_option(request, 3, "nx") && has != 0) return;
      if (has_option(request, 3, "xx") && has == 0) return;
      if (has_option(request, 3, "gt") && (has == 0 || *at <= has)) return;
      if (has_option(request, 3, "lt") && has != 0 && *at >= has) return;
    }
  }
  if (!at) return;
  if (*at == 0) {
    erase(key);
  } else {
    set_expiry(key, *at);
  }
}

void key_model::remove(const resp::command_spec& spec, const resp::request& request,
                       std::span<const resp::key_ref> keys, std::uint32_t db) {
  if (spec.name == "flushall" || spec.name == "flushdb") {
    keys_.clear();
    bytes_ = mortal_bytes_ = 0;
    return;
  }
  const bool whole = spec.name == "del" || spec.name == "unlink" || spec.name == "getdel";
  for (const resp::key_ref& key : keys) {
    const number which = number_of(db, request[key.index]);
    const auto found = keys_.find(which);
    if (found == keys_.end()) continue;
    if (whole) {
      erase(which);
    } else if (key.access != key_access::read) {
      // Members that go are about as large as their names.
      const std::uint64_t gone = bytes_behind_name(request) - request.refs[key.index].length;
      put(which, found->second.bytes - std::min(found->second.bytes, gone), growth::replaces);
    }
  }
}

void key_model::apply(const resp::command_spec& spec, const resp::request& request, std::span<const resp::key_ref> keys,
                      std::uint32_t db, std::int64_t now_ms) {
  expire_until(now_ms);
  if (spec.ttl == ttl_effect::none) return remove(spec, request, keys, db);
  if (spec.ttl == ttl_effect::moves) return move(spec, request, db);
  const bool by_key = spec.elements == resp::element_count::keys;
  const auto step = static_cast<std::size_t>(std::max<std::int16_t>(spec.key_step, 1));
  for (const resp::key_ref& key : keys) {
    if (key.access != key_access::write) continue;
    const number which = number_of(db, request[key.index]);
    std::uint64_t bytes = bytes_behind_name(request);
    if (by_key) {
      bytes = 0;
      for (std::size_t i = key.index; i < std::min(key.index + step, request.size()); ++i)
        bytes += request.refs[i].length;
    }
    switch (spec.ttl) {
      case ttl_effect::set: {
        const ttl::string_options options = ttl::read_set_options(request);
        if (has_option(request, 3, "nx") && keys_.contains(which)) break;
        put(which, bytes, growth::replaces);
        if (!options.keep_ttl) set_expiry(which, moment_of(request, options.time, now_ms).value_or(0));
        break;
      }
      case ttl_effect::setex:
      case ttl_effect::psetex:
        put(which, bytes, growth::replaces);
        set_expiry(
            which,
            moment_of(request, {.index = 2, .milliseconds = spec.ttl == ttl_effect::psetex}, now_ms).value_or(0));
        break;
      case ttl_effect::clears:
        if ((spec.name == "setnx" || spec.name == "msetnx") && keys_.contains(which)) break;
        put(which, bytes, growth::replaces);
        set_expiry(which, 0);
        break;
      case ttl_effect::keeps:
        put(which, bytes, growth::adds);
        break;
      case ttl_effect::restore: {
        const bool absolute = ttl::read_restore_options(request).absolute;
        put(which, bytes, growth::replaces);
        set_expiry(which,
                   moment_of(request, {.index = 2, .milliseconds = true, .absolute = absolute}, now_ms).value_or(0));
        break;
      }
      default:
        change_expiry(spec, request, which, now_ms);
        break;
    }
  }
}

bool key_model::expire_if_none(std::uint32_t db, std::string_view key, std::int64_t ttl_ms, std::int64_t now_ms) {
  const number which = number_of(db, key);
  const auto found = keys_.find(which);
  if (found == keys_.end() || found->second.expires_ms != 0) return false;
  set_expiry(which, now_ms + ttl_ms);
  return true;
}

bool key_model::expire_if_less(std::uint32_t db, std::string_view key, std::int64_t ttl_ms, std::int64_t now_ms) {
  const number which = number_of(db, key);
  const auto found = keys_.find(which);
  if (found == keys_.end()) return false;
  if (found->second.expires_ms != 0 && found->second.expires_ms <= now_ms + ttl_ms) return false;
  set_expiry(which, now_ms + ttl_ms);
  return true;
}

std::optional<std::int64_t> key_model::expires_at(std::uint32_t db, std::string_view key) const {
  const auto found = keys_.find(number_of(db, key));
  if (found == keys_.end()) return std::nullopt;
  return found->second.expires_ms;
}

}  // namespace tidegate::simulate
