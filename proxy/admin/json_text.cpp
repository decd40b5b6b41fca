#include "proxy/admin/json_text.hpp"

namespace tidegate::admin {

using nlohmann::json;

// Names are made printable before, and a reply is never lost to a byte that slipped through.
std::string text_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

json row_of(const write_totals& row) {
  return {{"writes", row.writes}, {"elements", row.elements}, {"bytes", row.bytes}, {"without_ttl", row.without_ttl}};
}

void add(write_totals& to, const write_totals& from) {
  to.writes += from.writes;
  to.elements += from.elements;
  to.bytes += from.bytes;
  to.without_ttl += from.without_ttl;
}

}  // namespace tidegate::admin
