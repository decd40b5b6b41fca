#include "evidence/replay/key_order.hpp"

#include <functional>
#include <string_view>

#include "resp/keyword.hpp"

namespace tidegate::replay {

key_order::key_order() : slots_(slot_count) {}

const key_order::wait& key_order::take(const resp::request& request, std::uint32_t connection, std::uint64_t number) {
  found_.everybody = false;
  found_.before.clear();
  if (resp::is_keyword(request[0], "multi") || resp::is_keyword(request[0], "exec")) return found_;
  if (!resp::find_keys(table_->find(request), request, keys_) || keys_.empty()) {
    found_.everybody = true;
    return found_;
  }
  for (const resp::key_ref& key : keys_) {
    slot& last = slots_[std::hash<std::string_view>()(request[key.index]) % slot_count];
    if (last.number != 0 && last.connection != connection) {
      found_.before.emplace_back(static_cast<std::uint32_t>(last.connection), static_cast<std::uint64_t>(last.number));
    }
    last.connection = connection & 0xff;
    last.number = number & ((std::uint64_t{1} << 56) - 1);
  }
  return found_;
}

}  // namespace tidegate::replay
