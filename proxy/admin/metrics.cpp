#include "proxy/admin/metrics.hpp"

#include <prometheus/text_serializer.h>

#include <chrono>
#include <initializer_list>
#include <limits>
#include <optional>

#include "proxy/admin/fold.hpp"
#include "proxy/admin/process_metrics.hpp"
#include "proxy/admin/version.hpp"

namespace tidegate::admin {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Length of a well-formed UTF-8 sequence at the front (RFC 3629); 0 if there is none.
std::size_t sequence_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xc2 && first <= 0xdf   ? 2
                           : (first & 0xf0) == 0xe0         ? 3
                           : first >= 0xf0 && first <= 0xf4 ? 4
                                                            : 0;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool beyond = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
  return overlong || beyond ? 0 : size;
}

class exposition {
 public:
  void family(const char* name, const char* help, MetricType type) { families_.push_back({name, help, type, {}}); }
  void sample(double value, std::vector<ClientMetric::Label> labels = {}) {
    ClientMetric made;
    made.label = std::move(labels);
    made.counter.value = made.gauge.value = made.untyped.value = value;
    families_.back().metric.push_back(std::move(made));
  }
  void single(const char* name, const char* help, MetricType type, double value) {
    family(name, help, type);
    sample(value);
  }
  void counters(const char* name, const char* help, std::initializer_list<const char*> labels, const labelled& rows,
                MetricType type = MetricType::Counter) {
    family(name, help, type);
    for (const auto& [values, count] : rows) sample(static_cast<double>(count), named(labels, values));
  }
  void writes(const char* name, const char* help, const totals& all, std::uint64_t write_totals::* what) {
    family(name, help, MetricType::Counter);
    for (const auto& [values, row] : all.writes) {
      sample(static_cast<double>(row.*what), named({"client", "pattern", "command"}, values));
    }
  }
  void histogram(const char* name, const char* help, const histogram_totals& from) {
    family(name, help, MetricType::Histogram);
    ClientMetric made;
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < from.counts.size(); ++i) {
      cumulative += from.counts[i];
      const bool last = i + 1 == from.counts.size();
      made.histogram.bucket.push_back({cumulative, last ? std::numeric_limits<double>::infinity()
                                                        : session::latency_histogram::upper_bound_seconds(i)});
    }
    made.histogram.sample_count = cumulative;
    made.histogram.sample_sum = from.sum_seconds;
    families_.back().metric.push_back(std::move(made));
  }
  [[nodiscard]] std::vector<MetricFamily>& families() { return families_; }

 private:
  static std::vector<ClientMetric::Label> named(std::initializer_list<const char*> names, const label_values& values) {
    std::vector<ClientMetric::Label> labels;
    std::size_t at = 0;
    for (const char* name : names) labels.push_back({name, printable(values[at++])});
    return labels;
  }
  std::vector<MetricFamily> families_;
};

void add_traffic(exposition& out, const totals& all) {
  out.counters("tidegate_commands_total", "Commands received, by client and class.", {"client", "class"}, all.commands);
  out.writes("tidegate_writes_total", "Writes that the upstream executed.", all, &write_totals::writes);
  out.writes("tidegate_write_elements_total", "Elements of the writes: members, pairs or keys.", all,
             &write_totals::elements);
  out.writes("tidegate_write_bytes_total", "Bytes of the writes' arguments.", all, &write_totals::bytes);
  out.writes("tidegate_writes_without_ttl_total", "Writes that as sent may leave their key without a TTL.", all,
             &write_totals::without_ttl);
  out.counters("tidegate_own_commands_total", "Commands that the proxy itself sent and the upstream counted.",
               {"command"}, all.own_commands);
  out.counters("tidegate_script_calls_total", "Scripts and functions called, by their first declared key.",
               {"client", "pattern", "command"}, all.scripts);
  out.single("tidegate_writes_assumed_total", "Writes booked as sent, because the client asked for no reply.",
             MetricType::Counter, static_cast<double>(all.writes_assumed));
  out.single("tidegate_writes_unknown_total", "Writes lost with their connection: they may have been executed.",
             MetricType::Counter, static_cast<double>(all.writes_unknown));
  out.family("tidegate_bytes_total", "Bytes from and to clients.", MetricType::Counter);
  out.sample(static_cast<double>(all.bytes_in), {{"direction", "in"}});
  out.sample(static_cast<double>(all.bytes_out), {{"direction", "out"}});
}

void add_policy(exposition& out, const totals& all) {
  out.counters("tidegate_delayed_total", "Commands that a limit delayed.", {"rule", "client"}, all.delayed);
  out.counters("tidegate_rejected_total", "Commands that a limit rejected.", {"rule", "client"}, all.rejected);
  out.counters("tidegate_observed_total", "Commands that an observing limit would have held.", {"rule", "client"},
               all.observed);
  out.histogram("tidegate_delay_seconds", "How long limits delayed commands.", all.delay);
  out.single("tidegate_oversized_costs_total", "Commands that cost more than a limit's burst, and passed.",
             MetricType::Counter, static_cast<double>(all.oversized_costs));
  out.counters("tidegate_ttl_injected_total", "TTLs given to keys that had none.", {"pattern", "command"},
               all.ttl_injected);
  out.counters("tidegate_ttl_capped_total", "TTLs cut to their rule's max.", {"pattern", "command"}, all.ttl_capped);
  out.counters("tidegate_ttl_observed_total", "TTLs that an observing rule would have given or cut.",
               {"pattern", "command"}, all.ttl_observed);
  out.counters("tidegate_ttl_failed_total", "Follow-ups that the upstream refused: their keys may lack a TTL.",
               {"pattern"}, all.ttl_failed);
  out.counters("tidegate_ttl_refused_total", "Writes refused because a rule requires a TTL.", {"pattern", "command"},
               all.ttl_refused);
}

void add_connections(exposition& out, const totals& all, const tls_counts& tls) {
  out.counters("tidegate_client_connections", "Open client connections.", {"client"}, all.connections,
               MetricType::Gauge);
  out.counters("tidegate_client_connections_opened_total", "Client connections opened.", {"client"},
               all.connections_opened);
  out.family("tidegate_upstream_connections", "Open upstream connections.", MetricType::Gauge);
  out.sample(static_cast<double>(all.lanes), {{"kind", "lane"}});
  out.sample(static_cast<double>(all.dedicated_connections), {{"kind", "dedicated"}});
  out.sample(static_cast<double>(all.idle_connections), {{"kind", "idle"}});
  out.counters("tidegate_sessions_dedicated", "Sessions that have an upstream connection of their own, by reason.",
               {"reason"}, all.dedicated, MetricType::Gauge);
  out.counters("tidegate_client_errors_total", "Client connections closed or refused, by kind.", {"kind"},
               all.client_errors);
  out.counters("tidegate_upstream_errors_total", "Upstream connections that failed, by kind.", {"kind"},
               all.upstream_errors);
  out.single("tidegate_upstream_desynchronised_total", "Upstream streams that could not be framed.",
             MetricType::Counter, static_cast<double>(all.desynchronised));
  out.single("tidegate_accept_errors_total", "Connections that could not be accepted.", MetricType::Counter,
             static_cast<double>(tls.accept_errors));
  out.family("tidegate_tls_handshakes_total", "TLS handshakes, by side and result.", MetricType::Counter);
  out.sample(static_cast<double>(tls.client_handshakes), {{"side", "client"}, {"result", "done"}});
  out.sample(static_cast<double>(tls.client_refused), {{"side", "client"}, {"result", "refused"}});
  out.sample(static_cast<double>(tls.upstream_handshakes), {{"side", "upstream"}, {"result", "done"}});
  out.sample(static_cast<double>(tls.upstream_refused), {{"side", "upstream"}, {"result", "refused"}});
}

void add_certificates(exposition& out, const tls_counts& tls, const sources& from) {
  out.family("tidegate_tls_refused_total", "TLS handshakes that failed, by side and reason.", MetricType::Counter);
  for (const tls_counts::refusals& one : tls.refused) {
    out.sample(static_cast<double>(one.count), {{"side", std::string(one.side)}, {"reason", std::string(one.reason)}});
  }
  out.family("tidegate_tls_certificate_not_after_seconds",
             "Unix time at which the first certificate of a chain ends, by whose it is and where it is shown.",
             MetricType::Gauge);
  for (const auto& [address, end] : tls.listeners_not_after)
    out.sample(static_cast<double>(end), {{"side", "client"}, {"address", address}});
  const std::int64_t upstream = from.upstream->certificate_not_after.load(std::memory_order_relaxed);
  if (upstream == 0) return;
  const config::upstream& where = from.snapshot()->config->upstream;
  out.sample(static_cast<double>(upstream),
             {{"side", "upstream"}, {"address", where.host + ":" + std::to_string(where.port)}});
}

void add_upstream(exposition& out, const totals& all, const session::upstream_state& upstream) {
  const std::int64_t at = upstream.info_at.load();
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  const bool stale = at == 0 || now - at > std::chrono::nanoseconds(info_stale_after).count();
  out.single("tidegate_upstream_up", "Whether the control connection is up.", MetricType::Gauge,
             upstream.reachable.load() ? 1 : 0);
  out.single("tidegate_upstream_info_stale", "Whether there was no INFO for five seconds.", MetricType::Gauge,
             stale ? 1 : 0);
  out.histogram("tidegate_upstream_rtt_seconds", "From sending to the upstream to its reply.", all.rtt);
  // What was never told has no sample: a 0 would read as an empty server.
  const auto told = [&](const char* name, const char* help, MetricType type, std::uint64_t value, bool known = true) {
    out.family(name, help, type);
    if (at != 0 && known) out.sample(static_cast<double>(value));
  };
  const std::uint64_t most = upstream.memory_max.load();
  told("tidegate_upstream_memory_used_bytes", "Memory that the upstream uses.", MetricType::Gauge,
       upstream.memory_used.load());
  told("tidegate_upstream_memory_max_bytes", "Memory that the upstream may use.", MetricType::Gauge, most, most != 0);
  told("tidegate_upstream_keys", "Keys, of all databases.", MetricType::Gauge, upstream.keys.load());
  told("tidegate_upstream_keys_with_ttl", "Keys that have a TTL.", MetricType::Gauge, upstream.keys_with_ttl.load());
  told("tidegate_upstream_evicted_keys_total", "Keys evicted since the upstream started.", MetricType::Counter,
       upstream.evicted_keys.load());
}

// Declared also where neither is on: a dashboard asks for them by name.
void add_evidence(exposition& out, const recorder::status* seen) {
  const auto number = [&](const char* name, const char* help, MetricType type, const auto& value) {
    out.family(name, help, type);
    if (seen != nullptr) out.sample(static_cast<double>(value(*seen)));
  };
  const auto dropped = [&](const char* name, const char* help, recorder::drops recorder::status::* field) {
    out.family(name, help, MetricType::Counter);
    if (seen == nullptr) return;
    for (std::size_t reason = 0; reason < recorder::drop_reason_names.size(); ++reason) {
      const auto count = (seen->*field)[reason].load();
      out.sample(static_cast<double>(count), {{"reason", std::string(recorder::drop_reason_names[reason])}});
    }
  };
  number("tidegate_ledger_up", "Whether the ledger can be written; 0 where it is off.", MetricType::Gauge,
         [](const auto& s) { return s.ledger_up.load() ? 1 : 0; });
  number("tidegate_ledger_rows_total", "Rows written to the ledger.", MetricType::Counter,
         [](const auto& s) { return s.ledger_rows.load(); });
  dropped("tidegate_ledger_dropped_total", "Rows that never reached the ledger.", &recorder::status::ledger_dropped);
  number("tidegate_ledger_bytes", "Size of the ledger's files.", MetricType::Gauge,
         [](const auto& s) { return s.ledger_bytes.load(); });
  number("tidegate_capture_up", "Whether the capture can be written; 0 where it is off.", MetricType::Gauge,
         [](const auto& s) { return s.capture_up.load() ? 1 : 0; });
  number("tidegate_capture_records_total", "Commands written to the capture.", MetricType::Counter,
         [](const auto& s) { return s.capture_records.load(); });
  dropped("tidegate_capture_dropped_total", "Commands that never reached the capture.",
          &recorder::status::capture_dropped);
  number("tidegate_capture_bytes_total", "Bytes written to capture files.", MetricType::Counter,
         [](const auto& s) { return s.capture_bytes.load(); });
}

// Without a sample where nothing is known, or where what is asked for does not come.
void add_forecast(exposition& out, const forecast::forecast& said) {
  const auto told = [&](const char* name, const char* help, std::optional<double> value) {
    out.family(name, help, MetricType::Gauge);
    if (said.known && value) out.sample(*value);
  };
  told("tidegate_forecast_peak_bytes", "Memory that the writes of now lead to.", said.expected.peak_bytes);
  told("tidegate_forecast_floor_bytes", "The same peak if they stop now.", said.if_it_stops.peak_bytes);
  told("tidegate_forecast_ceiling_bytes", "The same peak if they go on for ever.", said.if_it_goes_on.peak_bytes);
  told("tidegate_forecast_seconds_back", "Seconds until the memory is under 70 % again.", said.seconds_back);
  told("tidegate_forecast_growth_bytes_per_second", "What a burst adds to the memory now; 0 = there is none.",
       said.growth_per_second);
  out.family("tidegate_forecast_seconds_to", "Seconds until the memory passes a threshold.", MetricType::Gauge);
  for (std::size_t i = 0; i < forecast::thresholds.size(); ++i) {
    if (!said.known || !said.seconds_to[i]) continue;
    out.sample(*said.seconds_to[i], {{"threshold", std::to_string(forecast::thresholds[i])}});
  }
}

void add_build(exposition& out, const totals& all) {
  out.family("tidegate_build_info", "Which build this is; always 1.", MetricType::Gauge);
  out.sample(1, {{"version", version_text}, {"compiler", compiler_text}});
  out.single("tidegate_config_generation", "Generation of the configuration in force.", MetricType::Gauge,
             static_cast<double>(all.snapshot->generation));
}

}  // namespace

std::string printable(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  while (!name.empty()) {
    const std::size_t size = sequence_size(name);
    if (size == 0) {
      out += '?';
    } else {
      out += name.substr(0, size);
    }
    name.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

metrics::metrics(sources from) : from_(std::move(from)) {}

std::vector<MetricFamily> metrics::Collect() const {
  const totals all = fold(from_);
  exposition out;
  add_traffic(out, all);
  add_policy(out, all);
  const tls_counts tls = from_.tls ? from_.tls() : tls_counts{};
  add_connections(out, all, tls);
  add_certificates(out, tls, from_);
  out.single("tidegate_loop_stalls_total", "Times that a worker's loop stood still for longer than an idle turn.",
             MetricType::Counter, from_.loop_stalls ? static_cast<double>(from_.loop_stalls()) : 0.0);
  add_upstream(out, all, *from_.upstream);
  add_evidence(out, from_.evidence);
  add_forecast(out, from_.forecast ? from_.forecast() : forecast::forecast{});
  add_build(out, all);
  const reload_totals reloads = from_.reloads ? from_.reloads() : reload_totals{};
  out.family("tidegate_config_reloads_total", "Reloads of the configuration, by result; a refused one changes nothing.",
             MetricType::Counter);
  out.sample(static_cast<double>(reloads.done), {{"result", "done"}});
  out.sample(static_cast<double>(reloads.refused), {{"result", "refused"}});
  for (MetricFamily& family : process_metrics()) out.families().push_back(std::move(family));
  return std::move(out.families());
}

std::string metrics::text() const {
  return prometheus::TextSerializer().Serialize(Collect());
}

}  // namespace tidegate::admin
