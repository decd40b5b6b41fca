#include "evidence/forecast/forecast_json.hpp"

#include <array>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

namespace tidegate::forecast {
namespace {

using nlohmann::ordered_json;

std::string instant(std::int64_t unix_ms) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

double rounded(double value) {
  return std::round(value * 10) / 10;
}

ordered_json whole(const std::optional<double>& seconds) {
  return seconds ? ordered_json(std::llround(*seconds)) : ordered_json(nullptr);
}

}  // namespace

std::string to_json(const forecast& what) {
  ordered_json document{{"at", instant(what.at_ms)},
                        {"used_bytes", std::llround(what.used_bytes)},
                        {"max_bytes", std::llround(what.max_bytes)},
                        {"used_percent", rounded(what.percent(what.used_bytes))}};
  const auto outlook_json = [&](const outlook& one) {
    return ordered_json{{"peak_bytes", std::llround(one.peak_bytes)},
                        {"peak_percent", rounded(what.percent(one.peak_bytes))}};
  };
  if (what.known) {
    document.update(outlook_json(what.expected));
    document["peak_at"] = instant(what.expected.peak_at_ms);
    ordered_json to;
    for (std::size_t i = 0; i < thresholds.size(); ++i) to[std::to_string(thresholds[i])] = whole(what.seconds_to[i]);
    document["seconds_to"] = to;
    document["seconds_back"] = whole(what.seconds_back);
    document["if_it_stops_now"] = outlook_json(what.if_it_stops);
    document["if_it_goes_on"] = outlook_json(what.if_it_goes_on);
    document["burst"] = what.burst;
    document["growth_bytes_per_second"] = std::llround(what.growth_per_second);
    document["stored_per_written"] =
        what.stored_per_written > 0 ? ordered_json(rounded(what.stored_per_written)) : ordered_json(nullptr);
  } else {
    for (const char* name : {"peak_bytes", "peak_percent", "peak_at"}) document[name] = nullptr;
    ordered_json to;
    for (const int threshold : thresholds) to[std::to_string(threshold)] = nullptr;
    document["seconds_to"] = to;
    document["seconds_back"] = nullptr;
    document["if_it_stops_now"] = document["if_it_goes_on"] = {{"peak_bytes", nullptr}, {"peak_percent", nullptr}};
    document["burst"] = false;
  }
  document["known"] = what.known;
  document["why_unknown"] = what.why_unknown;
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace tidegate::forecast
