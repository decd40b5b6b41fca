#include "fake_redis.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <utility>

#include "resp/encoder.hpp"

namespace tidegate::session::testing_support {

namespace {

const std::string ok = "+OK\r\n";

std::string integer(std::int64_t n) {
  return ":" + std::to_string(n) + "\r\n";
}
std::string array_header(std::size_t n) {
  return "*" + std::to_string(n) + "\r\n";
}
const std::string wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string bulk(std::string_view text) {
  std::string out;
  resp::append_bulk(out, text);
  return out;
}

std::string command_line(const words& args) {
  std::string out;
  resp::append_array_header(out, args.size());
  for (const std::string& arg : args) resp::append_bulk(out, arg);
  return out;
}

fake_redis::fake_redis() = default;

std::size_t fake_redis::open_link() {
  links_.emplace_back();
  links_.back().index = links_.size() - 1;
  return links_.size() - 1;
}

void fake_redis::close_link(std::size_t index) {
  link& c = links_[index];
  c.open = false;
  c.blocked.clear();
  c.channels.clear();
  c.patterns.clear();
}

std::size_t fake_redis::open_links() const {
  return static_cast<std::size_t>(std::count_if(links_.begin(), links_.end(), [](const link& c) { return c.open; }));
}

fake_redis::value* fake_redis::find(std::int64_t db, const std::string& key) {
  const auto found = data_.find({db, key});
  return found == data_.end() ? nullptr : &found->second;
}

std::string fake_redis::null(const link& c) {
  return c.protocol == 3 ? "_\r\n" : "$-1\r\n";
}

void fake_redis::say(link& c, const std::string& reply, bool push) {
  if (push || (!c.reply_off && !c.skip)) c.out += reply;
}

void fake_redis::feed(std::size_t index, std::string_view bytes) {
  link& c = links_[index];
  c.in.append(bytes);
  if (silent) return;
  resp::request_parser parser;
  while (c.open && !c.closed_by_us && c.blocked.empty() && !c.in.empty()) {
    const resp::parse_status status = parser.parse(c.in);
    if (status == resp::parse_status::incomplete) return;
    if (status == resp::parse_status::error) {
      c.out += parser.error_line();
      c.closed_by_us = true;
      return;
    }
    words args;
    for (std::size_t i = 0; i < parser.request().size(); ++i) args.emplace_back(parser.request()[i]);
    c.in.erase(0, parser.request().raw.size());
    parser.reset();
    if (!args.empty()) {
      dialogue.emplace_back(index, lower(args[0]));
      handle(c, args);
    }
    c.skip = c.skip_next;
    c.skip_next = false;
  }
}

void fake_redis::handle(link& c, const words& args) {
  const std::string line = command_line(args);
  resp::request_parser parser;
  (void)parser.parse(line);
  const resp::command_spec& spec = table_->find(parser.request());
  const std::string name(spec.name);
  const auto reject = [&](const std::string& error) {
    if (c.multi) c.aborted = true;
    say(c, error);
  };
  if (spec.id == 0) return reject("-ERR unknown command '" + args[0] + "', with args beginning with: \r\n");
  if (!spec.arity_ok(args.size())) {
    const std::string why = "wrong number of arguments for '" + lower(args[0]) + "' command\r\n";
    if (spec.kind != resp::special::exec) return reject("-ERR " + why);
    c.multi = c.aborted = false;
    c.queued.clear();
    c.watched.clear();
    return say(c, "-EXECABORT Transaction discarded because of: " + why);
  }
  const bool login_needed = c.user.empty() && passwords.count("default") != 0;
  if (login_needed && !spec.no_auth) return reject("-NOAUTH Authentication required.\r\n");
  if (const auto refused = refusals.find(name); refused != refusals.end()) {
    const auto left = refusals_left.find(name);
    if (left == refusals_left.end() || left->second-- > 0) return reject(refused->second);
  }
  if (c.protocol == 2 && c.channels.size() + c.patterns.size() > 0 && spec.kind != resp::special::ping &&
      spec.kind != resp::special::subscribe && spec.kind != resp::special::unsubscribe &&
      spec.kind != resp::special::quit && spec.kind != resp::special::reset) {
    return reject("-ERR Can't execute '" + lower(args[0]) +
                  "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n");
  }
  if (c.multi && spec.kind != resp::special::exec && spec.kind != resp::special::discard &&
      spec.kind != resp::special::multi && spec.kind != resp::special::watch && spec.kind != resp::special::quit &&
      spec.kind != resp::special::reset) {
    c.queued.push_back(args);
    say(c, "+QUEUED\r\n");
    return;
  }
  say(c, run(c, args, spec));
}

std::string fake_redis::run(link& c, const words& args, const resp::command_spec& spec) {
  const std::string name(spec.name);
  ++calls[name];
  ++c.executed;
  log.push_back(args);
  for (link& other : links_) {
    if (other.monitoring && &other != &c) other.out += "+1.1 [0 x] \"" + lower(args[0]) + "\"\r\n";
  }
  if (const auto failed = failures.find(name); failed != failures.end()) return failed->second;
  bool known = true;
  std::string reply = run_connection(c, args, spec, known);
  if (known) return reply;
  known = true;
  reply = run_data(c, args, known);
  return known ? reply : "-ERR the model does not know '" + name + "'\r\n";
}

std::string fake_redis::exec(link& c) {
  c.multi = false;
  c.ran_exec = true;
  std::vector<words> queued = std::move(c.queued);
  c.queued.clear();
  bool changed = false;
  for (const auto& [key, version] : c.watched) {
    const value* now = find(c.db, key);
    changed = changed || (now == nullptr ? 0 : now->version) != version;
  }
  c.watched.clear();
  if (std::exchange(c.aborted, false)) return "-EXECABORT Transaction discarded because of previous errors.\r\n";
  if (changed) return c.protocol == 3 ? "_\r\n" : "*-1\r\n";
  std::string reply = array_header(queued.size());
  for (const words& args : queued) {
    const std::string line = command_line(args);
    resp::request_parser parser;
    (void)parser.parse(line);
    reply += run(c, args, table_->find(parser.request()));
  }
  return reply;
}

std::string fake_redis::subscribe(link& c, const words& args, std::set<std::string>& where) {
  const std::string kind = lower(args[0]);
  for (std::size_t i = 1; i < args.size(); ++i) {
    where.insert(args[i]);
    say(c,
        (c.protocol == 3 ? ">3\r\n" : "*3\r\n") + bulk(kind) + bulk(args[i]) +
            integer(static_cast<std::int64_t>(c.channels.size() + c.patterns.size())),
        true);
  }
  return "";
}

std::string fake_redis::unsubscribe(link& c, const words& args, std::set<std::string>& where) {
  const std::string kind = lower(args[0]);
  words names(args.begin() + 1, args.end());
  if (names.empty()) names.assign(where.begin(), where.end());
  const std::string head = c.protocol == 3 ? ">3\r\n" : "*3\r\n";
  for (const std::string& name : names) {
    where.erase(name);
    say(c, head + bulk(kind) + bulk(name) + integer(static_cast<std::int64_t>(c.channels.size() + c.patterns.size())),
        true);
  }
  if (names.empty()) {
    say(c, head + bulk(kind) + null(c) + integer(static_cast<std::int64_t>(c.channels.size() + c.patterns.size())),
        true);
  }
  return "";
}

void fake_redis::publish(const std::string& channel, const std::string& text) {
  for (link& c : links_) {
    if (!c.open || c.channels.count(channel) == 0) continue;
    say(c, (c.protocol == 3 ? ">3\r\n" : "*3\r\n") + bulk("message") + bulk(channel) + bulk(text), true);
  }
}

std::string fake_redis::run_client(link& c, const words& args) {
  const std::string sub = lower(args[1]);
  if (sub == "setname") {
    if (std::any_of(args[2].begin(), args[2].end(), [](char b) { return b < '!' || b > '~'; })) {
      return "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
    }
    c.name = args[2];
    return ok;
  }
  if (sub == "getname") return c.name.empty() ? null(c) : bulk(c.name);
  if (sub == "id") return integer(1000 + static_cast<std::int64_t>(c.index));
  if (sub == "reply") {
    const std::string how = lower(args[2]);
    if (how == "off") c.reply_off = true;
    if (how == "skip" && !c.reply_off) c.skip_next = true;
    if (how == "on") c.reply_off = false;
    if (how == "on") return ok;
    if (how == "off" || how == "skip") return "";
    return "-ERR syntax error\r\n";
  }
  return "-ERR unknown subcommand '" + args[1] + "'. Try CLIENT HELP.\r\n";
}

std::string fake_redis::run_connection(link& c, const words& args, const resp::command_spec& spec, bool& known) {
  using resp::special;
  const auto login = [&](const std::string& user, const std::string& password) {
    const auto found = passwords.find(user);
    if (found == passwords.end() || found->second != password) return false;
    c.user = user;
    return true;
  };
  const std::string wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
  switch (spec.kind) {
    case special::auth:
      return login(args.size() == 3 ? args[1] : "default", args.back()) ? ok : wrong;
    case special::hello: {
      int version = c.protocol;
      if (args.size() > 1) {
        if (args[1] != "2" && args[1] != "3") return "-NOPROTO unsupported protocol version\r\n";
        version = args[1] == "3" ? 3 : 2;
      }
      for (std::size_t i = 2; i < args.size(); ++i) {
        const std::string option = lower(args[i]);
        if (option == "auth" && i + 2 < args.size()) {
          if (!login(args[i + 1], args[i + 2])) return wrong;
          i += 2;
        } else if (option == "setname" && i + 1 < args.size()) {
          c.name = args[++i];
        } else {
          return "-ERR Syntax error in HELLO option '" + args[i] + "'\r\n";
        }
      }
      if (c.user.empty() && passwords.count("default") != 0)
        return "-NOAUTH HELLO must be called with the client already authenticated\r\n";
      c.protocol = version;
      const std::string fields = bulk("server") + bulk("redis") + bulk("proto") + integer(version);
      return (version == 3 ? "%2\r\n" : "*4\r\n") + fields;
    }
    case special::reset: {
      c.user.clear();
      c.name.clear();
      c.db = 0;
      c.protocol = 2;
      c.multi = c.aborted = false;
      c.queued.clear();
      c.watched.clear();
      c.channels.clear();
      c.patterns.clear();
      c.monitoring = c.reply_off = c.skip_next = false;
      return "+RESET\r\n";
    }
    case special::quit:
      c.closed_by_us = true;
      return ok;
    case special::select: {
      char* end = nullptr;
      const long db = std::strtol(args[1].c_str(), &end, 10);
      if (*end != '\0' || args[1].empty()) return "-ERR value is not an integer or out of range\r\n";
      if (db < 0 || db > 15) return "-ERR DB index is out of range\r\n";
      c.db = db;
      return ok;
    }
    case special::multi:
      if (c.multi) return "-ERR MULTI calls can not be nested\r\n";
      c.multi = true;
      return ok;
    case special::exec:
      return c.multi ? exec(c) : "-ERR EXEC without MULTI\r\n";
    case special::discard:
      if (!c.multi) return "-ERR DISCARD without MULTI\r\n";
      c.multi = c.aborted = false;
      c.queued.clear();
      c.watched.clear();
      return ok;
    case special::watch:
      if (c.multi) return "-ERR WATCH inside MULTI is not allowed\r\n";
      for (std::size_t i = 1; i < args.size(); ++i) {
        const value* now = find(c.db, args[i]);
        c.watched[args[i]] = now == nullptr ? 0 : now->version;
      }
      return ok;
    case special::unwatch:
      c.watched.clear();
      return ok;
    case special::subscribe:
      return subscribe(c, args, lower(args[0]) == "psubscribe" ? c.patterns : c.channels);
    case special::unsubscribe:
      return unsubscribe(c, args, lower(args[0]) == "punsubscribe" ? c.patterns : c.channels);
    case special::monitor:
      c.monitoring = true;
      return ok;
    case special::wait:
      return integer(1);
    case special::ping:
      if (c.protocol == 2 && c.channels.size() + c.patterns.size() > 0) {
        return "*2\r\n" + bulk("pong") + bulk(args.size() > 1 ? args[1] : "");
      }
      return args.size() > 1 ? bulk(args[1]) : "+PONG\r\n";
    default:
      break;
  }
  if (lower(args[0]) == "client") return run_client(c, args);
  if (spec.name == "publish") {
    publish(args[1], args[2]);
    return integer(0);
  }
  known = false;
  return "";
}

fake_redis::value& fake_redis::touch(link& c, const std::string& key, char type) {
  const auto [place, fresh] = data_.try_emplace({c.db, key});
  if (fresh) place->second.type = type;
  place->second.version = ++versions_;
  return place->second;
}

const std::string no_integer = "-ERR value is not an integer or out of range\r\n";

// Of a TTL: bounded so that milliseconds fit.
std::optional<std::int64_t> whole_number(const std::string& text) {
  constexpr std::int64_t largest = 1'000'000'000'000;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > largest || number < -largest)
    return std::nullopt;
  return number;
}

std::string fake_redis::run_set(link& c, const words& args) {
  std::int64_t ttl = -1;
  bool keep = false, nx = false, xx = false;
  for (std::size_t i = 3; i < args.size(); ++i) {
    const std::string option = lower(args[i]);
    if (option == "nx")
      nx = true;
    else if (option == "xx")
      xx = true;
    else if (option == "keepttl")
      keep = true;
    else if ((option == "ex" || option == "px") && i + 1 < args.size()) {
      const auto given = whole_number(args[++i]);
      if (!given) return no_integer;
      ttl = option == "ex" ? *given * 1000 : *given;
    } else
      return "-ERR syntax error\r\n";
  }
  const value* old = find(c.db, args[1]);
  if ((nx && old != nullptr) || (xx && old == nullptr)) return null(c);
  const std::int64_t kept = keep && old != nullptr ? old->ttl_ms : ttl;
  value& now = touch(c, args[1], 's');
  now.type = 's';
  now.text = args[2];
  now.items.clear();
  now.ttl_ms = kept;
  return ok;
}

std::string fake_redis::run_expire(link& c, const words& args, std::int64_t unit) {
  const auto given = whole_number(args[2]);
  if (!given) return no_integer;
  value* now = find(c.db, args[1]);
  if (now == nullptr) return integer(0);
  const std::int64_t ttl = *given * unit;
  const std::string option = args.size() > 3 ? lower(args[3]) : "";
  if (option == "nx" && now->ttl_ms >= 0) return integer(0);
  if (option == "lt" && now->ttl_ms >= 0 && now->ttl_ms <= ttl) return integer(0);
  now->ttl_ms = ttl;
  now->version = ++versions_;
  return integer(1);
}

void fake_redis::serve_blocked(std::int64_t db, const std::string& key) {
  for (link& c : links_) {
    if (!c.open || c.db != db || std::find(c.blocked.begin(), c.blocked.end(), key) == c.blocked.end()) continue;
    value* list = find(db, key);
    if (list == nullptr || list->items.empty()) return;
    say(c, array_header(2) + bulk(key) + bulk(list->items.front()));
    list->items.pop_front();
    if (list->items.empty()) data_.erase({db, key});
    c.blocked.clear();
    c.skip = false;
    feed(c.index, "");
    return;
  }
}

std::string fake_redis::run_data(link& c, const words& args, bool& known) {
  const std::string name = lower(args[0]);
  const auto typed = [&](const std::string& key, char type) {
    const value* now = find(c.db, key);
    return now == nullptr || now->type == type;
  };
  if (name == "set") return run_set(c, args);
  if (name == "setnx") {
    if (find(c.db, args[1]) != nullptr) return integer(0);
    touch(c, args[1], 's').text = args[2];
    return integer(1);
  }
  if (name == "setex") {
    const auto seconds = whole_number(args[2]);
    if (!seconds) return no_integer;
    value& now = touch(c, args[1], 's');
    now = {'s', args[3], {}, *seconds * 1000, now.version};
    return ok;
  }
  if (name == "mset") {
    if (args.size() % 2 == 0) return "-ERR wrong number of arguments for MSET\r\n";
    for (std::size_t i = 1; i + 1 < args.size(); i += 2) {
      value& now = touch(c, args[i], 's');
      now = {'s', args[i + 1], {}, -1, now.version};
    }
    return ok;
  }
  if (name == "get") {
    if (!typed(args[1], 's')) return wrong_type;
    const value* now = find(c.db, args[1]);
    return now == nullptr ? null(c) : bulk(now->text);
  }
  if (name == "incr") {
    if (!typed(args[1], 's')) return wrong_type;
    value& now = touch(c, args[1], 's');
    now.text = std::to_string(std::atoll(now.text.c_str()) + 1);
    return integer(std::atoll(now.text.c_str()));
  }
  if (name == "append") {
    if (!typed(args[1], 's')) return wrong_type;
    value& now = touch(c, args[1], 's');
    now.text += args[2];
    return integer(static_cast<std::int64_t>(now.text.size()));
  }
  if (name == "del" || name == "unlink") {
    std::int64_t gone = 0;
    for (std::size_t i = 1; i < args.size(); ++i) gone += static_cast<std::int64_t>(data_.erase({c.db, args[i]}));
    return integer(gone);
  }
  if (name == "sadd" || name == "rpush" || name == "lpush") {
    const char type = name == "sadd" ? 'e' : 'l';
    if (!typed(args[1], type)) return wrong_type;
    value& now = touch(c, args[1], type);
    for (std::size_t i = 2; i < args.size(); ++i) {
      if (name == "lpush")
        now.items.push_front(args[i]);
      else if (type == 'l' || std::find(now.items.begin(), now.items.end(), args[i]) == now.items.end())
        now.items.push_back(args[i]);
    }
    const auto size = static_cast<std::int64_t>(now.items.size());
    if (type == 'l') serve_blocked(c.db, args[1]);
    return integer(size);
  }
  if (name == "llen" || name == "scard") {
    const value* now = find(c.db, args[1]);
    return integer(now == nullptr ? 0 : static_cast<std::int64_t>(now->items.size()));
  }
  if (name == "blpop") {
    for (std::size_t i = 1; i + 1 < args.size(); ++i) {
      value* list = find(c.db, args[i]);
      if (list == nullptr || list->items.empty()) continue;
      const std::string item = list->items.front();
      list->items.pop_front();
      if (list->items.empty()) data_.erase({c.db, args[i]});
      return array_header(2) + bulk(args[i]) + bulk(item);
    }
    c.blocked.assign(args.begin() + 1, args.end() - 1);
    return "";
  }
  if (name == "expire") return run_expire(c, args, 1000);
  if (name == "pexpire") return run_expire(c, args, 1);
  if (name == "persist") {
    value* now = find(c.db, args[1]);
    if (now == nullptr || now->ttl_ms < 0) return integer(0);
    now->ttl_ms = -1;
    return integer(1);
  }
  if (name == "move") {
    value* now = find(c.db, args[1]);
    const std::int64_t to = std::atoll(args[2].c_str());
    if (now == nullptr || find(to, args[1]) != nullptr) return integer(0);
    data_[{to, args[1]}] = *now;
    data_.erase({c.db, args[1]});
    return integer(1);
  }
  if (name == "echo") return bulk(args[1]);
  if (name == "eval") return args.size() > 3 ? bulk(args.back()) : "-ERR empty script\r\n";
  if (name == "time") return "*2\r\n" + bulk("1") + bulk("2");
  known = false;
  return "";
}

}  // namespace tidegate::session::testing_support
