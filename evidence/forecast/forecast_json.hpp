// A forecast as the JSON document of GET /api/v1/forecast.
//
// Thread safety: a pure function. Cost: a small document.
#pragma once

#include <string>

#include "evidence/forecast/forecaster.hpp"

namespace tidegate::forecast {

[[nodiscard]] std::string to_json(const forecast& what);

}  // namespace tidegate::forecast
