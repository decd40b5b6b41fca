#include "proxy/admin/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace tidegate::admin {
namespace {

prometheus::MetricFamily one(const char* name, const char* help, prometheus::MetricType type, double value) {
  prometheus::ClientMetric sample;
  sample.counter.value = value;
  sample.gauge.value = value;
  return {name, help, type, {sample}};
}

// The fields of /proc/self/stat behind the process name, which may itself hold blanks and brackets (proc(5)).
std::vector<double> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return {};
  std::istringstream rest(line.substr(end_of_name + 2));
  std::string state;
  rest >> state;
  std::vector<double> fields;
  for (double value = 0; rest >> value;) fields.push_back(value);
  return fields;
}

double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    if (word != "btime") continue;
    double seconds = 0;
    file >> seconds;
    return seconds;
  }
  return 0;
}

double open_descriptors() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

std::vector<prometheus::MetricFamily> process_metrics() {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> families;
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  families.push_back(one("process_cpu_seconds_total", "User and system CPU time spent.", MetricType::Counter,
                         seconds(used.ru_utime) + seconds(used.ru_stime)));
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  families.push_back(one("process_open_fds", "Open file descriptors.", MetricType::Gauge, open_descriptors()));
  families.push_back(one("process_max_fds", "Most file descriptors that may be open.", MetricType::Gauge,
                         static_cast<double>(files.rlim_cur)));
  // Counted from the field behind the state: 18 is starttime, 19 vsize, 20 rss.
  const std::vector<double> fields = stat_fields();
  if (fields.size() > 20) {
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    families.push_back(one("process_start_time_seconds", "Start of the process, as Unix time.", MetricType::Gauge,
                           boot_time() + fields[18] / ticks));
    families.push_back(one("process_virtual_memory_bytes", "Virtual memory.", MetricType::Gauge, fields[19]));
    families.push_back(one("process_resident_memory_bytes", "Resident memory.", MetricType::Gauge, fields[20] * page));
  }
  return families;
}

}  // namespace tidegate::admin
