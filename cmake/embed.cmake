# tidegate_embed(TARGET NAME FILE): FILE's bytes in TARGET, as `tidegate::embedded::NAME`, a std::string_view of
# "embedded/NAME.hpp". The assembler copies the file (.incbin), so that a big script costs the compiler nothing; a
# changed FILE is assembled anew. A relative FILE counts from the calling folder.
function(tidegate_embed target name file)
  cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
  if(NOT EXISTS ${file})
    message(FATAL_ERROR "tidegate_embed(${target} ${name}): there is no ${file}; `./dev build` installs what it needs")
  endif()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/embed_${target})
  set(symbol tidegate_embedded_${target}_${name})
  file(
    CONFIGURE
    OUTPUT ${folder}/embedded/${name}.hpp
    CONTENT
      [[// The bytes of @file@.
#pragma once
#include <string_view>
namespace tidegate::embedded {
extern const std::string_view @name@;
}
]]
    @ONLY)
  # Sizes are taken at run time from two labels: g++ and clang both assemble this, at any optimisation.
  file(
    CONFIGURE
    OUTPUT ${folder}/${name}.cpp
    CONTENT
      [[#include "embedded/@name@.hpp"
asm(".pushsection .rodata\n"
    ".global @symbol@\n@symbol@:\n.incbin \"@file@\"\n"
    ".global @symbol@_end\n@symbol@_end:\n.byte 0\n"
    ".popsection\n");
extern "C" const char @symbol@[], @symbol@_end[];
namespace tidegate::embedded {
const std::string_view @name@(@symbol@, @symbol@_end);
}
]]
    @ONLY)
  set_source_files_properties(${folder}/${name}.cpp PROPERTIES OBJECT_DEPENDS ${file})
  target_sources(${target} PRIVATE ${folder}/${name}.cpp)
  target_include_directories(${target} PRIVATE ${folder})
endfunction()
