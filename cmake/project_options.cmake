# What every target of ours is compiled with. Third-party headers come in as SYSTEM and are not judged.
add_library(project_options INTERFACE)
add_library(tidegate::options ALIAS project_options)
target_compile_features(project_options INTERFACE cxx_std_23)
target_include_directories(project_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(
  project_options
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast -Werror)
# g++ 12 with optimisation takes the frame of an Asio coroutine, whose operator new and delete it inlines by halves, for a
# mismatch (seen in proxy/net/control_link.cpp); ASan checks the same thing at run time.
target_compile_options(project_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  # libstdc++ 12's own stable_sort uses what it declares deprecated, and clang blames the caller.
  target_compile_options(project_options INTERFACE -Wno-deprecated-declarations)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_package(Threads REQUIRED)
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

set(TIDEGATE_SANITIZE "" CACHE STRING "Sanitizers of this build, as for -fsanitize=")
if(TIDEGATE_SANITIZE)
  target_compile_options(project_options INTERFACE -fsanitize=${TIDEGATE_SANITIZE} -fno-sanitize-recover=all
                                                   -fno-omit-frame-pointer)
  target_link_options(project_options INTERFACE -fsanitize=${TIDEGATE_SANITIZE})
  if(TIDEGATE_SANITIZE MATCHES thread)
    # Asio has a stand-alone fence that g++'s TSan does not model, and warns of; ours have none.
    target_compile_options(project_options INTERFACE -Wno-tsan)
  endif()
endif()

# libFuzzer is steered by the coverage of everything of ours, not of its targets alone.
if(TIDEGATE_FUZZ)
  target_compile_options(project_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

option(TIDEGATE_HARDEN "Hardening flags for the shipped binary" OFF)
if(TIDEGATE_HARDEN)
  target_compile_options(project_options INTERFACE -fstack-protector-strong -D_FORTIFY_SOURCE=2)
  target_link_options(project_options INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

# tidegate_library(NAME SOURCES … [LINK …] [NO_EXCEPTIONS]): one static library of ours, `tidegate::NAME`.
function(tidegate_library name)
  cmake_parse_arguments(arg "NO_EXCEPTIONS" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(tidegate_${name} STATIC ${arg_SOURCES})
  add_library(tidegate::${name} ALIAS tidegate_${name})
  target_link_libraries(
    tidegate_${name}
    PUBLIC ${arg_LINK} tidegate::options
    PRIVATE ${arg_PRIVATE_LINK})
  if(arg_NO_EXCEPTIONS)
    target_compile_options(tidegate_${name} PRIVATE -fno-exceptions)
  endif()
endfunction()
