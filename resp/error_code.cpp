#include "resp/error_code.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace tidegate::resp {
namespace {

struct named_code {
  std::string_view name;
  error_code code;
};
constexpr std::array named_codes{
    named_code{"NOAUTH", error_code::noauth},
    named_code{"NOPERM", error_code::noperm},
    named_code{"OOM", error_code::oom},
    named_code{"READONLY", error_code::readonly},
    named_code{"LOADING", error_code::loading},
    named_code{"MASTERDOWN", error_code::masterdown},
    named_code{"NOREPLICAS", error_code::noreplicas},
    named_code{"MISCONF", error_code::misconf},
    named_code{"BUSY", error_code::busy},
    named_code{"MOVED", error_code::moved},
    named_code{"ASK", error_code::ask},
    named_code{"CROSSSLOT", error_code::crossslot},
    named_code{"CLUSTERDOWN", error_code::clusterdown},
    named_code{"TRYAGAIN", error_code::tryagain},
    named_code{"EXECABORT", error_code::execabort},
};

// How Redis and Valkey word the errors that tell of a failover, as far as scripts quote them.
constexpr std::array<std::string_view, 4> failover_sentences{
    "READONLY You can't write", "LOADING Redis is loading", "LOADING Valkey is loading", "MASTERDOWN Link with MASTER"};
constexpr std::array<std::string_view, 3> failover_codes{"READONLY", "LOADING", "MASTERDOWN"};

error_code classify_generic(std::string_view text) noexcept {
  if (text.starts_with("ERR unknown command")) {
    return error_code::unknown_command;
  }
  // The quote matters: "unknown subcommand or wrong number of arguments for …" comes from inside a command that ran
  // (addReplySubcommandSyntaxError in networking.c), and `calls` counts that one.
  if (text.starts_with("ERR unknown subcommand '")) {
    return error_code::unknown_command;
  }
  if (text.starts_with("ERR Command not allowed inside a transaction")) {
    return error_code::not_in_transaction;
  }
  if (text.starts_with("ERR Can't execute '")) {
    return error_code::subscribed_context;
  }
  return error_code::other;
}

// A quoted error stands behind a blank, a dash or both; text that a client chose stands in quotes.
bool quotes_failover(std::string_view text) noexcept {
  for (const std::string_view sentence : failover_sentences) {
    for (std::size_t at = text.find(sentence, 1); at != text.npos; at = text.find(sentence, at + 1)) {
      if (text[at - 1] == ' ' || text[at - 1] == '-') {
        return true;
      }
    }
  }
  for (const std::string_view code : failover_codes) {
    for (std::size_t at = text.find(code, 2); at != text.npos; at = text.find(code, at + 1)) {
      if (text.substr(at - 2, 2) == " -" && text.substr(at + code.size(), 1) == " ") {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

error_code classify_error(std::string_view text) noexcept {
  const std::string_view token = text.substr(0, text.find(' '));
  if (token == "ERR") {
    return classify_generic(text);
  }
  const auto found = std::ranges::find(named_codes, token, &named_code::name);
  return found != named_codes.end() ? found->code : error_code::other;
}

bool refused_before_execution(error_code code) noexcept {
  return code != error_code::none && code != error_code::other;
}

bool tells_of_failover(std::string_view text) noexcept {
  switch (classify_error(text)) {
    case error_code::readonly:
    case error_code::loading:
    case error_code::masterdown:
      return true;
    case error_code::unknown_command:  // quotes the client's own words
      return false;
    default:
      return quotes_failover(text);
  }
}

}  // namespace tidegate::resp
