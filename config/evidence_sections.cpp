// ledger, capture, log: what is written down.
#include "config/sections.hpp"

namespace tidegate::config {
namespace {

using std::chrono::hours;

constexpr std::uint64_t file_size_min = 64U << 10;

void read_match(reading& in, const place& at, capture& out) {
  section match(in, at, {"client", "key", "command"}, R"({ client: "*", key: "*", command: write })");
  if (const auto it = match.find("client")) in.text(*it, glob_example, name_bytes_max, out.match_client);
  if (const auto it = match.find("key")) in.text(*it, glob_example, pattern_bytes_max, out.match_key);
  const auto command = match.find("command");
  if (!command) return;
  read_commands(in, *command, out.match_commands);
  // `write` is every write, and every write is what an empty list means here.
  for (const std::string& name : out.match_commands) {
    if (name != "write") continue;
    out.match_commands.clear();
    return;
  }
}

}  // namespace

void read_ledger(reading& in, const place& at, ledger& out) {
  if (in.is_off(at)) {
    out.enabled = false;
    return;
  }
  section one(in, at, {"path", "bucket", "keep", "max_size"}, "{ path: tidegate.db, bucket: 10s, keep: 14d }, or off");
  if (!one.readable()) return;
  const std::size_t before = in.mistakes();
  if (const auto it = one.find("path")) in.path(*it, out.path);
  if (const auto it = one.find("bucket")) in.whole_seconds(*it, seconds(1), hours(24), out.bucket);
  const auto keep = one.find("keep");
  if (keep) in.whole_seconds(*keep, seconds(1), hours(24 * 3650), out.keep);
  if (const auto it = one.find("max_size")) in.size(*it, file_size_min, size_max, out.max_size);
  if (in.mistakes() == before && out.keep < out.bucket) {
    in.book(keep ? *keep : at, "keeps less than one bucket; write a keep above the bucket, like 14d");
  }
}

void read_capture(reading& in, const place& at, std::optional<capture>& out) {
  if (in.is_off(at)) return;
  section one(in, at, {"directory", "match", "sample", "values", "rotate", "max_size", "keep"},
              "{ directory: captures }, or off");
  if (!one.readable()) return;
  const std::size_t before = in.mistakes();
  capture made;
  if (const auto it = one.need("directory", "directory: captures")) in.path(*it, made.directory);
  if (const auto it = one.find("match")) read_match(in, *it, made);
  if (const auto it = one.find("sample")) in.fraction(*it, made.sample);
  if (const auto it = one.find("values")) in.boolean(*it, made.values);
  const auto rotate = one.find("rotate");
  if (rotate) in.size(*rotate, file_size_min, size_max, made.rotate);
  if (const auto it = one.find("max_size")) in.size(*it, file_size_min, size_max, made.max_size);
  if (const auto it = one.find("keep")) in.whole_seconds(*it, seconds(1), hours(24 * 3650), made.keep);
  if (in.mistakes() == before && made.rotate > made.max_size) {
    in.book(rotate ? *rotate : at, "rotate is above max_size; write a rotate of at most max_size");
  }
  out = std::move(made);
}

void read_log(reading& in, const place& at, log& out) {
  section one(in, at, {"level", "format"}, "{ level: info, format: text }");
  if (const auto it = one.find("level")) {
    in.choice<log_level>(*it,
                         {{"trace", log_level::trace},
                          {"debug", log_level::debug},
                          {"info", log_level::info},
                          {"warn", log_level::warn},
                          {"error", log_level::error}},
                         out.level);
  }
  if (const auto it = one.find("format")) {
    in.choice<log_format>(*it, {{"text", log_format::text}, {"json", log_format::json}}, out.format);
  }
}

}  // namespace tidegate::config
