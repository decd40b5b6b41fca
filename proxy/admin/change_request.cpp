#include "proxy/admin/change_request.hpp"

#include <nlohmann/json.hpp>

#include "proxy/admin/json_view.hpp"

namespace tidegate::admin {
namespace {

constexpr std::size_t user_bytes_max = 64;

}  // namespace

std::string plain_text(std::string_view text, std::size_t bytes_max) {
  std::string out;
  for (const char c : text.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte > 0x20 && byte < 0x7f ? c : '_';
  }
  return out;
}

std::string who_asks(const admin_request& asked) {
  const std::string user = plain_text(asked.user, user_bytes_max);
  std::string who = user.empty() ? "admin api" : user + " by admin api";
  if (!asked.remote.empty()) who += " from " + std::string(asked.remote);
  return who;
}

std::string text_field(const nlohmann::ordered_json& from, const char* key, std::string& wrong) {
  const auto found = from.find(key);
  if (found == from.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (wrong.empty()) wrong = std::string(key) + ": is no text; write it in quotes";
  return {};
}

admin_answer refusal(unsigned status, std::string_view text) {
  return {.status = status, .body = message_json("error", text)};
}

}  // namespace tidegate::admin
