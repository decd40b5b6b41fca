#include "attribution/registry.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tidegate::attribution {

namespace {

constexpr std::string_view other_name = "other";
constexpr steady_ns fold_after_ns = std::chrono::nanoseconds(fold_after).count();

struct client_entry {
  std::string name;                        // constant once published
  std::atomic<bool> retired{false};        // set once, under the mutex, while no session holds the number
  std::atomic<std::uint64_t> sessions{0};  // up under the mutex, down by anyone
  std::atomic<std::uint64_t> opened{0};
  std::atomic<steady_ns> idle_since{0};  // the last release
  std::uint32_t live_at = 0;             // its place in tables::live; protected by the mutex
};

// Entries that never move, published by number: a number below end() is complete.
template <typename Entry, std::uint32_t Max>
class stable_table {
 public:
  [[nodiscard]] std::uint32_t end() const noexcept { return end_.load(std::memory_order_acquire); }
  // The number must be below an end() that this thread has seen.
  [[nodiscard]] Entry& operator[](std::uint32_t number) const noexcept {
    return (*chunks_[number / chunk_size])[number % chunk_size];
  }
  // One thread at a time. `fill` runs before anybody can see the entry; nobody may be full.
  template <typename Fill>
  std::uint32_t add(Fill fill) {
    const std::uint32_t number = end_.load(std::memory_order_relaxed);
    if (number % chunk_size == 0) chunks_[number / chunk_size] = std::make_unique<chunk>();
    fill((*this)[number]);
    // Release: whoever sees the number by end() sees the chunk's pointer and the entry.
    end_.store(number + 1, std::memory_order_release);
    return number;
  }
  [[nodiscard]] bool full() const noexcept { return end_.load(std::memory_order_relaxed) == Max; }

 private:
  static constexpr std::uint32_t chunk_size = 256;
  static_assert(Max % chunk_size == 0);
  using chunk = std::array<Entry, chunk_size>;
  std::array<std::unique_ptr<chunk>, Max / chunk_size> chunks_;
  std::atomic<std::uint32_t> end_{0};
};

[[noreturn]] void die(const char* what, client_number number) noexcept {
  std::fprintf(stderr, "tidegate: registry: %s, client number %u\n", what, number);
  std::abort();
}

}  // namespace

struct registry::tables {
  stable_table<client_entry, clients_ever_max> clients;
  stable_table<std::string, patterns_max> patterns;

  std::mutex mutex;
  // Protected by the mutex. The keys are views of the entries' names, which stay.
  std::unordered_map<std::string_view, client_number> client_numbers;
  std::unordered_map<std::string_view, pattern_number> pattern_numbers;
  std::vector<client_number> live;  // without `other`
  // What the last look at all live names found foldable, the longest idle last. Each is looked at again when its turn
  // comes.
  std::vector<std::pair<steady_ns, client_number>> foldable;
  steady_ns nothing_to_fold_before = std::numeric_limits<steady_ns>::min();

  client_number find_or_add(std::string_view name, steady_ns now);
  void look_for_foldable(steady_ns now);
  bool fold_longest_idle(steady_ns now);
  void retire(client_number number);
};

void registry::tables::look_for_foldable(steady_ns now) {
  steady_ns next = now + fold_after_ns;  // who has a session now cannot be folded earlier
  for (const client_number number : live) {
    const client_entry& entry = clients[number];
    // Acquire: pairs with release_client, which wrote idle_since before it let go.
    if (entry.sessions.load(std::memory_order_acquire) != 0) continue;
    const steady_ns since = entry.idle_since.load(std::memory_order_relaxed);
    if (now - since >= fold_after_ns) foldable.emplace_back(since, number);
    next = std::min(next, since + fold_after_ns);
  }
  std::sort(foldable.begin(), foldable.end(), std::greater<>());
  // Keeps a flood of new names from looking at every live one again and again.
  if (foldable.empty()) nothing_to_fold_before = next;
}

void registry::tables::retire(client_number number) {
  client_entry& entry = clients[number];
  client_numbers.erase(entry.name);
  entry.retired.store(true, std::memory_order_release);
  live[entry.live_at] = live.back();
  clients[live.back()].live_at = entry.live_at;
  live.pop_back();
}

// Makes room for one name; false if none has been idle for long enough.
bool registry::tables::fold_longest_idle(steady_ns now) {
  if (now < nothing_to_fold_before) return false;
  for (bool looked = false;;) {
    while (!foldable.empty()) {
      const auto [since, number] = foldable.back();
      foldable.pop_back();
      const client_entry& entry = clients[number];
      // It may have had a session since; then it is idle since later than what was found then, and waits for the next
      // look.
      if (entry.sessions.load(std::memory_order_acquire) != 0) continue;
      if (entry.idle_since.load(std::memory_order_relaxed) != since) continue;
      retire(number);
      return true;
    }
    if (looked) return false;
    look_for_foldable(now);
    looked = true;
  }
}

client_number registry::tables::find_or_add(std::string_view name, steady_ns now) {
  if (name.empty() || name == other_name) return other_client;
  if (const auto known = client_numbers.find(name); known != client_numbers.end()) return known->second;
  if (clients.full()) return other_client;
  if (live.size() + 1 >= clients_max && !fold_longest_idle(now)) return other_client;
  const client_number number = clients.add([&](client_entry& entry) { entry.name = name; });
  client_numbers.emplace(clients[number].name, number);
  clients[number].live_at = static_cast<std::uint32_t>(live.size());
  live.push_back(number);
  return number;
}

registry::registry() : tables_(std::make_unique<tables>()) {
  (void)tables_->clients.add([](client_entry& entry) { entry.name = other_name; });
  const pattern_number other = tables_->patterns.add([](std::string& name) { name = other_name; });
  tables_->pattern_numbers.emplace(tables_->patterns[other], other);
  tables_->live.reserve(clients_max);
}

registry::~registry() = default;

client_number registry::acquire_client(std::string_view name, bool opened, steady_ns now) {
  const std::lock_guard lock(tables_->mutex);
  const client_number number = tables_->find_or_add(name, now);
  client_entry& entry = tables_->clients[number];
  // Under the mutex, as is folding: a name found here cannot be retired before its session counts.
  entry.sessions.fetch_add(1, std::memory_order_relaxed);
  if (opened) entry.opened.fetch_add(1, std::memory_order_relaxed);
  return number;
}

void registry::count_opened(client_number number) noexcept {
  if (number >= clients_end()) die("a connection of an unknown number", number);
  tables_->clients[number].opened.fetch_add(1, std::memory_order_relaxed);
}

void registry::release_client(client_number number, steady_ns now) noexcept {
  if (number >= clients_end()) die("release of an unknown number", number);
  client_entry& entry = tables_->clients[number];
  steady_ns seen = entry.idle_since.load(std::memory_order_relaxed);
  while (seen < now && !entry.idle_since.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
  // Release: who sees no session also sees since when.
  if (entry.sessions.fetch_sub(1, std::memory_order_release) == 0) die("more releases than sessions", number);
}

pattern_number registry::intern_pattern(std::string_view pattern) {
  const std::lock_guard lock(tables_->mutex);
  if (const auto known = tables_->pattern_numbers.find(pattern); known != tables_->pattern_numbers.end()) {
    return known->second;
  }
  if (tables_->patterns.full()) return other_pattern;
  const pattern_number number = tables_->patterns.add([&](std::string& name) { name = pattern; });
  tables_->pattern_numbers.emplace(tables_->patterns[number], number);
  return number;
}

std::string_view registry::client_name(client_number number) const noexcept {
  return client_retired(number) ? other_name : std::string_view(tables_->clients[number].name);
}

std::string_view registry::pattern_name(pattern_number number) const noexcept {
  return number < patterns_end() ? std::string_view(tables_->patterns[number]) : other_name;
}

std::uint32_t registry::clients_end() const noexcept {
  return tables_->clients.end();
}
std::uint32_t registry::patterns_end() const noexcept {
  return tables_->patterns.end();
}

bool registry::client_retired(client_number number) const noexcept {
  return number >= clients_end() || tables_->clients[number].retired.load(std::memory_order_acquire);
}

std::uint64_t registry::client_sessions(client_number number) const noexcept {
  return number < clients_end() ? tables_->clients[number].sessions.load(std::memory_order_relaxed) : 0;
}

std::uint64_t registry::client_opened(client_number number) const noexcept {
  return number < clients_end() ? tables_->clients[number].opened.load(std::memory_order_relaxed) : 0;
}

}  // namespace tidegate::attribution
