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

const char* text_of(config::limit_action action) {
  switch (action) {
    case config::limit_action::observe:
      return "observe";
    case config::limit_action::delay:
      return "delay";
    case config::limit_action::reject:
      return "reject";
    case config::limit_action::block:
      return "block";
  }
  return "delay";
}

const char* text_of(config::limit_cost cost) {
  switch (cost) {
    case config::limit_cost::command:
      return "command";
    case config::limit_cost::element:
      return "element";
    case config::limit_cost::byte:
      return "byte";
  }
  return "command";
}

}  // namespace tidegate::admin
