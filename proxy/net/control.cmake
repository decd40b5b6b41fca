# The control thread: signals, reloads, and the proxy's own eye on the upstream.
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(spdlog REQUIRED)
find_library(TIDEGATE_HIREDIS hiredis REQUIRED)
tidegate_library(
  control
  SOURCES audit_trail.cpp cap_keeper.cpp control_reply.cpp upstream_facts.cpp control_link.cpp control_connection.cpp file_watch.cpp loop_watchdog.cpp service_manager.cpp control_thread.cpp
  LINK tidegate::net tidegate::audit tidegate::session tidegate::policy Boost::headers OpenSSL::SSL
  PRIVATE_LINK spdlog::spdlog ${TIDEGATE_HIREDIS})
# g++ 12 takes the frame allocation of an optimised Asio coroutine for a mismatched new and delete (GCC bug 103993's family).
target_compile_options(tidegate_control PRIVATE -Wno-mismatched-new-delete)
