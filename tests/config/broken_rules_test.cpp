// Broken limits, ttl and attribution sections: each row is one text and the one mistake it must bring.
#include "scratch.hpp"

namespace tidegate::config {
namespace {

std::string limit(std::string_view rest) {
  return with("limits:\n  - name: a\n" + std::string(rest));
}
std::string ttl(std::string_view rest) {
  return with("ttl:\n  - { pattern: \"t:*\", " + std::string(rest) + " }\n");
}
std::string attribution(std::string_view rest) {
  return with("attribution:\n  " + std::string(rest) + "\n");
}

std::string many(std::string_view head, std::string_view before, std::string_view after, int count) {
  std::string out(head);
  for (int i = 0; i < count; ++i) out += std::string(before) + std::to_string(i) + std::string(after) + "\n";
  return out;
}

const std::vector<broken> limit_rows{
    {with("limits: 5\n"), 3, "limits", "must be a list"},
    {with("limits: { name: a }\n"), 3, "limits", "not a mapping"},
    {with("limits:\n  - {}\n"), 4, "limits[0]", "empty rule"},
    {with("limits:\n  -\n"), 4, "limits[0]", "empty rule"},
    {with("limits:\n  - batch\n"), 4, "limits[0]", "must be a mapping"},
    {with("limits:\n  - { rate: 1/s }\n"), 4, "limits[0].name", "is missing"},
    {with("limits:\n  - { name: \"\", rate: 1/s }\n"), 4, "limits[0].name", "is empty"},
    {with("limits:\n  - { name: [a], rate: 1/s }\n"), 4, "limits[0].name", "single value"},
    {with("limits:\n  - { name: \"a\\nb\", rate: 1/s }\n"), 4, "limits[0].name", "control character"},
    {with("limits:\n  - { name: " + std::string(129, 'a') + ", rate: 1/s }\n"), 4, "limits[0].name", "128 bytes"},
    {with("limits:\n  - { name: a, rate: 1/s }\n  - { name: a, rate: 2/s }\n"), 5, "limits[1].name", "first on line 4"},
    {limit(""), 4, "limits[0].rate", "rate: 2000/s"},
    {limit("    rate:\n"), 5, "limits[0].rate", "has no value"},
    {limit("    rate: fast\n"), 5, "limits[0].rate", "period is missing"},
    {limit("    rate: 2000\n"), 5, "limits[0].rate", "like 2000/s"},
    {limit("    rate: 2000/w\n"), 5, "limits[0].rate", "s, m, h, d"},
    {limit("    rate: 0/s\n"), 5, "limits[0].rate", "tidegate block"},
    {limit("    rate: -5/s\n"), 5, "limits[0].rate", "negative"},
    {limit("    rate: 1e3/s\n"), 5, "limits[0].rate", "unknown unit"},
    {limit("    rate: 99999999999999999/s\n"), 5, "limits[0].rate", "too large"},
    {limit("    rate: 99999999999999999999999999999999999999/s\n"), 5, "limits[0].rate", "too large"},
    {limit("    rate: 0.1/d\n"), 5, "limits[0].rate", "below one a day"},
    {limit("    rate: /s\n"), 5, "limits[0].rate", "not a rate"},
    {limit("    rate: 150KiB/s\n"), 5, "limits[0].rate", "cost: byte"},
    {limit("    rate: 150kib/s\n"), 5, "limits[0].rate", "unknown unit"},
    {limit("    cost: byte\n    rate: 2000/s\n"), 6, "limits[0].rate", "150KiB/s"},
    {limit("    rate: 1/s\n    cost: bytes\n"), 6, "limits[0].cost", "did you mean byte"},
    {limit("    rate: 1/s\n    burst: 0\n"), 6, "limits[0].burst", "bucket of 0"},
    {limit("    rate: 1/s\n    burst: -1\n"), 6, "limits[0].burst", "negative"},
    {limit("    rate: 1/s\n    burst: 5.5\n"), 6, "limits[0].burst", "whole number"},
    {limit("    rate: 1/s\n    burst: 5000/s\n"), 6, "limits[0].burst", "whole number"},
    {limit("    rate: 1/s\n    burst: 1MiB\n"), 6, "limits[0].burst", "cost: byte"},
    {limit("    rate: 1/s\n    burst: 99999999999999999999\n"), 6, "limits[0].burst", "too large"},
    {limit("    rate: 1/d\n    burst: 366\n"), 6, "limits[0].burst", "year"},
    {limit("    rate: 1KiB/s\n    cost: byte\n    burst: 5000\n"), 7, "limits[0].burst", "unit is missing"},
    {limit("    rate: 1/s\n    per: conection\n"), 6, "limits[0].per", "did you mean connection"},
    {limit("    rate: 1/s\n    per: zzz\n"), 6, "limits[0].per", "client, connection, pattern, rule"},
    {limit("    rate: 1/s\n    action: deny\n"), 6, "limits[0].action", "observe, delay, reject"},
    {limit("    rate: 1/s\n    action: Delay\n"), 6, "limits[0].action", "did you mean delay"},
    {limit("    rate: 1/s\n    max_delay: 2\n"), 6, "limits[0].max_delay", "unit is missing"},
    {limit("    rate: 1/s\n    max_delay: 0s\n"), 6, "limits[0].max_delay", "from 1ms to 1h"},
    {limit("    rate: 1/s\n    max_delay: 2h\n"), 6, "limits[0].max_delay", "from 1ms to 1h"},
    {limit("    rate: 1/s\n    max_delay: 2 seconds\n"), 6, "limits[0].max_delay", "unknown unit"},
    {limit("    rate: 1/s\n    max-delay: 2s\n"), 6, "limits[0].max-delay", "did you mean max_delay"},
    {limit("    rate: 1/s\n    memory: 60%\n"), 6, "limits[0].memory", "from: 60%"},
    {limit("    rate: 1/s\n    memory: { from: 85%, to: 60% }\n"), 6, "limits[0].memory.from", "below to"},
    {limit("    rate: 1/s\n    memory: { from: 60%, to: 60% }\n"), 6, "limits[0].memory.from", "below to"},
    {limit("    rate: 1/s\n    memory: { from: 90% }\n"), 6, "limits[0].memory.from", "85%"},
    {limit("    rate: 1/s\n    memory: { to: 101% }\n"), 6, "limits[0].memory.to", "exceed 100%"},
    {limit("    rate: 1/s\n    memory: { to: 85 }\n"), 6, "limits[0].memory.to", "60% or 0.6"},
    {limit("    rate: 1/s\n    memory: { floor: -1% }\n"), 6, "limits[0].memory.floor", "negative"},
    {limit("    rate: 1/s\n    memory: { form: 60% }\n"), 6, "limits[0].memory.form", "did you mean from"},
    {limit("    rate: 1/s\n    owner: #isales-dev\n"), 6, "limits[0].owner", "must be quoted"},
    {limit("    rate: 1/s\n    until: tomorrow\n"), 6, "limits[0].until", "2026-12-31"},
    {limit("    rate: 1/s\n    until: 2026-02-29\n"), 6, "limits[0].until", "no such day"},
    {limit("    rate: 1/s\n    until: 2026-12-31T10:00\n"), 6, "limits[0].until", "zone"},
    {limit("    rate: 1/s\n    until: 2999-01-01\n"), 6, "limits[0].until", "1970 to 2200"},
    {with("limits:\n  - { name: a, rate: 1/s }\n  -   # soon\n\n  - { name: b, rate: 1/s }\n"), 5, "limits[1]",
     "empty rule"},
    {limit("    rate: 1/s\n    until: 31.12.2026\n"), 6, "limits[0].until", "not a date"},
    {limit("    rate: 1/s\n    match: isales-*\n"), 6, "limits[0].match", "must be a mapping"},
    {limit("    rate: 1/s\n    match: { clients: a }\n"), 6, "limits[0].match.clients", "did you mean client"},
    {limit("    rate: 1/s\n    match: { client: \"\" }\n"), 6, "limits[0].match.client", "glob"},
    {limit("    rate: 1/s\n    match: { key: [a] }\n"), 6, "limits[0].match.key", "single value"},
    {limit("    rate: 1/s\n    match: { command: [] }\n"), 6, "limits[0].match.command", "is empty"},
    {limit("    rate: 1/s\n    match: { command: }\n"), 6, "limits[0].match.command", "is empty"},
    {limit("    rate: 1/s\n    match: { command: {a: b} }\n"), 6, "limits[0].match.command", "must be a list"},
    {limit("    rate: 1/s\n    match: { command: [SET, set] }\n"), 6, "limits[0].match.command[1]", "twice"},
    {limit("    rate: 1/s\n    match:\n      command:\n        - SET\n        - CONFIG SET\n"), 9,
     "limits[0].match.command[1]", "XGROUP|CREATE"},
    {limit("    rate: 1/s\n    match: { command: \"SET,SADD\" }\n"), 6, "limits[0].match.command", "[SET, SADD]"},
    {limit("    rate: 1/s\n    match: { key: \"${TIDEGATE_TEST_UNSET}\" }\n"), 6, "limits[0].match.key",
     "TIDEGATE_TEST_UNSET is not set"},
    {limit("    rate: 1/s\n    rate: 2/s\n"), 6, "limits[0].rate", "first on line 5"},
    {with(many("limits:\n", "  - { rate: 1/s, name: r", " }", 257)), 4, "limits", "at most 256"},
};

const std::vector<broken> ttl_rows{
    {with("ttl: 60d\n"), 3, "ttl", "must be a list"},
    {with("ttl:\n  - {}\n"), 4, "ttl[0]", "empty rule"},
    {with("ttl:\n  - { pattern: \"t:*\" }\n"), 4, "ttl[0]", "default: 60d"},
    {with("ttl:\n  - { pattern: \"t:*\", require: false }\n"), 4, "ttl[0]", "empty rule"},
    {with("ttl:\n  - { pattern: \"t:*\", mode: off }\n"), 4, "ttl[0]", "empty rule"},
    {with("ttl:\n  - { default: 60d }\n"), 4, "ttl[0].pattern", "is missing"},
    {with("ttl:\n  - { pattern: , default: 60d }\n"), 4, "ttl[0].pattern", "has no value"},
    {with("ttl:\n  - { pattern: \"t:*\", max: 1d }\n  - { pattern: \"t:*\", max: 2d }\n"), 5, "ttl[1].pattern",
     "on line 4"},
    {ttl("default: 60"), 4, "ttl[0].default", "unit is missing"},
    {ttl("default: 60x"), 4, "ttl[0].default", "unknown unit"},
    {ttl("default: -1d"), 4, "ttl[0].default", "negative"},
    {ttl("default: 0s"), 4, "ttl[0].default", "out of range"},
    {ttl("default: 99999999999d"), 4, "ttl[0].default", "hundred years"},
    {ttl("default: 0.1ms"), 4, "ttl[0].default", "millisecond"},
    {ttl("default: 1d12h"), 4, "ttl[0].default", "unknown unit"},
    {ttl("default: [60d]"), 4, "ttl[0].default", "single value"},
    {ttl("max: never"), 4, "ttl[0].max", "60d"},
    {ttl("default: 91d, max: 90d"), 4, "ttl[0].default", "above max"},
    {ttl("default: 60d, jitter: 101%"), 4, "ttl[0].jitter", "exceed 100%"},
    {ttl("default: 60d, jitter: 10"), 4, "ttl[0].jitter", "60% or 0.6"},
    {ttl("default: 60d, jitter: 1d"), 4, "ttl[0].jitter", "not a share"},
    {ttl("require: true, jitter: 10%"), 4, "ttl[0].jitter", "remove jitter"},
    {ttl("require: maybe"), 4, "ttl[0].require", "true or false"},
    {ttl("max: 1d, mode: enforced"), 4, "ttl[0].mode", "did you mean enforce"},
    {ttl("maximum: 1d, max: 2d"), 4, "ttl[0].maximum", "did you mean max"},
    {with(many("ttl:\n", "  - { max: 1d, pattern: \"r", "*\" }", 4097)), 4, "ttl", "at most 4096"},
};

const std::vector<broken> attribution_rows{
    {with("attribution: on\n"), 3, "attribution", "must be a mapping"},
    {attribution("identify-by: [username]"), 4, "attribution.identify-by", "did you mean identify_by"},
    {attribution("identify_by: username"), 4, "attribution.identify_by", "must be a list"},
    {attribution("identify_by: []"), 4, "attribution.identify_by", "is empty"},
    {attribution("identify_by: [user_name]"), 4, "attribution.identify_by[0]", "did you mean username"},
    {attribution("identify_by: [source, source]"), 4, "attribution.identify_by[1]", "twice"},
    {attribution("identify_by: [source, 7]"), 4, "attribution.identify_by[1]", "client_name, username"},
    {attribution("names: [ { match: \"a-*\" } ]"), 4, "attribution.names[0].as", "is missing"},
    {attribution("names: [ { as: a } ]"), 4, "attribution.names[0].match", "is missing"},
    {attribution("names: [ { match: \"a-*\", as: a }, { match: \"a-*\", as: b } ]"), 4, "attribution.names[1].match",
     "twice"},
    {attribution("names: [ { match: \"a-*\", to: a, as: b } ]"), 4, "attribution.names[0].to", "known here: match, as"},
    {attribution("sources: [ { cidr: 10.0.3.0/33, as: a } ]"), 4, "attribution.sources[0].cidr", "from 0 to 32"},
    {attribution("sources: [ { cidr: 10.0.3/24, as: a } ]"), 4, "attribution.sources[0].cidr", "10.0.3.0/24"},
    {attribution("sources: [ { cidr: batch, as: a } ]"), 4, "attribution.sources[0].cidr", "block"},
    {attribution("sources: [ { cidr: \"::/129\", as: a } ]"), 4, "attribution.sources[0].cidr", "from 0 to 128"},
    {attribution("sources: [ { as: a } ]"), 4, "attribution.sources[0].cidr", "is missing"},
    {attribution("sources: [ { cidr: 10.0.3.0/24 } ]"), 4, "attribution.sources[0].as", "is missing"},
    {attribution("sources: [ { cidr: 10.0.3.1, as: a }, { cidr: 10.0.3.1/32, as: b } ]"), 4,
     "attribution.sources[1].cidr", "twice"},
    {attribution("patterns: \"contact:*\""), 4, "attribution.patterns", "must be a list"},
    {attribution("patterns: [ \"a:*\", \"a:*\" ]"), 4, "attribution.patterns[1]", "twice"},
    {attribution("patterns: [ {a: b} ]"), 4, "attribution.patterns[0]", "single value"},
    {attribution("patterns: [ a:* , \"\" ]"), 4, "attribution.patterns[1]", "is empty"},
    {attribution("patterns: [ \"" + std::string(513, 'a') + "\" ]"), 4, "attribution.patterns[0]", "512 bytes"},
    {with(many("attribution:\n  patterns:\n", "    - a", "", 4097)), 5, "attribution.patterns", "at most 4096"},
    {with(many("attribution:\n  names:\n", "    - { as: x, match: a", " }", 4097)), 5, "attribution.names",
     "at most 4096"},
};

TEST(BrokenLimits, EachTextBringsItsOneMistake) {
  for (const broken& row : limit_rows) expect_broken(row);
}
TEST(BrokenTtl, EachTextBringsItsOneMistake) {
  for (const broken& row : ttl_rows) expect_broken(row);
}
TEST(BrokenAttribution, EachTextBringsItsOneMistake) {
  for (const broken& row : attribution_rows) expect_broken(row);
}

}  // namespace
}  // namespace tidegate::config
