#include "cli/audit_note.hpp"

#include <nlohmann/json.hpp>

#include "cli/admin_client.hpp"

namespace tidegate::cli {

std::string note_change(const std::string& config_path, const std::string& what, const std::string& detail) {
  const nlohmann::ordered_json told{{"what", what}, {"detail", detail}};
  std::string why;
  if (const auto client = admin_client::open(config_path); !client) {
    why = client.error();
  } else if (const auto done = client->post(
                 "/api/v1/audit", told.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
             !done) {
    why = done.error().text;
  }
  return why;
}

}  // namespace tidegate::cli
