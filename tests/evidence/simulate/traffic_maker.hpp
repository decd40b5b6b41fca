// Records as a test likes them, and a configuration from a few lines.
// Thread safety: none; a test's own.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "config/load.hpp"
#include "evidence/simulate/simulator.hpp"
#include "resp/encoder.hpp"
#include "resp/request_parser.hpp"

namespace tidegate::simulate {

inline constexpr std::int64_t test_start_ms = 1'770'000'000'000;

inline std::shared_ptr<const config::config> configured(const std::string& rules) {
  const auto loaded = config::load_text(
      "listen: [ { address: \"127.0.0.1:0\" } ]\nupstream: { url: \"redis://127.0.0.1:1\" }\n" + rules, "test.yaml");
  if (!loaded) {
    ADD_FAILURE() << loaded.error().front().to_string();
    return nullptr;
  }
  return *loaded;
}

class player {
 public:
  explicit player(const std::string& rules, memory_facts memory = {}) : simulated_(configured(rules), memory) {}

  void at(std::int64_t ms, std::string_view client, std::string_view session,
          std::initializer_list<std::string_view> words) {
    std::string raw;
    resp::append_array_header(raw, words.size());
    for (const std::string_view word : words) resp::append_bulk(raw, word);
    ASSERT_EQ(parser_.parse(raw), resp::parse_status::complete);
    capture::record one;
    one.wall_ms = test_start_ms + ms;
    one.client = client;
    one.session = session;
    one.source = "10.0.0.1";
    one.request = parser_.request();
    simulated_.play(one);
  }
  outcome finish() { return simulated_.finish(); }

 private:
  simulator simulated_;
  resp::request_parser parser_;
};

}  // namespace tidegate::simulate
