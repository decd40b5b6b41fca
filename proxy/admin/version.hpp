// Which build this is. Thread safety: constants.
#pragma once

namespace tidegate::admin {

// From CMake's project version.
inline constexpr const char* version_text = TIDEGATE_VERSION;
inline constexpr const char* compiler_text = "g++ " __VERSION__;

}  // namespace tidegate::admin
