// The engine's inside: what its parts share. Each part is a file of its own (see README.md); this header is private to
// the folder.
//
// Thread safety: its worker's, but for the `posted_*` words.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/evaluator.hpp"
#include "proxy/session/booking_queue.hpp"
#include "proxy/session/capture_ring.hpp"
#include "proxy/session/engine.hpp"
#include "proxy/session/session.hpp"
#include "proxy/session/upstream_connection.hpp"

namespace tidegate::session {

// Named bounds of the machines (config bounds memory.session and memory.total).
namespace bounds {
inline constexpr std::uint32_t in_flight_max = 1024;          // then a session is not read further
inline constexpr std::uint32_t in_flight_min = 16;            // … and so many always pass
inline constexpr std::uint32_t in_flight_unknown = 32;        // before its first reply tells how large they are
inline constexpr std::uint64_t in_flight_bytes = 1U << 20;    // of replies that one session may be due on a lane
inline constexpr std::size_t connection_out_high = 1U << 20;  // bytes to an upstream; then its sessions wait
inline constexpr std::size_t connection_out_low = 256U << 10;
inline constexpr std::size_t session_out_dedicate = 1U << 20;  // a slow reader's new commands go dedicated
inline constexpr std::size_t session_out_high = 256U << 10;    // its dedicated connection is not read
inline constexpr std::size_t session_out_low = 64U << 10;
inline constexpr std::size_t held_high = 256U << 10;   // pipelined input held for a session that waits
inline constexpr std::uint32_t exchanges_at_once = 8;  // AUTH, HELLO, SELECT: connections a worker uses for them
inline constexpr std::size_t names_max = 64;
inline constexpr steady_ns login_deadline = 10'000'000'000;  // a begun first frame, where a login is required
inline constexpr steady_ns stall_deadline = 15'000'000'000;  // a split frame without progress
inline constexpr steady_ns slow_window = 60'000'000'000;     // … and at least slow_bytes a window
inline constexpr std::uint64_t slow_bytes = 60U << 10;
inline constexpr steady_ns limit_poll = 5'000'000;  // the first in a bucket's line looks again this often
inline constexpr steady_ns retry_min = 50'000'000, retry_max = 5'000'000'000;
inline constexpr std::uint32_t own_failures_free = 32;    // connections of sessions' own that open to nothing in a row;
inline constexpr steady_ns own_attempt = 20'000'000;      // … then one is tried this often, for all of them,
inline constexpr steady_ns own_look_again = 250'000'000;  // … and each session asks this often whether it may
inline constexpr steady_ns closing_deadline = 60'000'000'000;  // a closing client that does not read its last replies
inline constexpr steady_ns opened_patience = 1'000'000'000;    // who says nothing by then opened his connection unnamed
inline constexpr steady_ns lane_idle = 60'000'000'000;
inline constexpr steady_ns login_recheck = 10'000'000'000;
inline constexpr steady_ns probe_patience = 1'000'000'000;
inline constexpr steady_ns hint_interval = 100'000'000;
inline constexpr steady_ns blocking_booked_after = 100'000'000;
inline constexpr steady_ns fold_interval = 1'000'000'000;  // series of names long gone are looked for this often
inline constexpr std::size_t spare_parsers = 1024;
}  // namespace bounds

// Lanes of one (user, db, protocol).
struct lane_group {
  std::string user;
  std::uint32_t db = 0;
  std::uint8_t protocol = 2;
  std::uint32_t sessions = 0;
  std::uint32_t sessions_ever = 0;
  bool login_required = false;
  steady_ns login_checked_at = 0;
  std::vector<std::unique_ptr<upstream_connection>> lanes;
};

enum class step : std::uint8_t { taken, held };

struct engine::state {
  state(engine_options options, shell& world);
  ~state();

  // --- engine.cpp and lifetime.cpp: turns, flushing, the lives of sessions
  engine_options opts;
  shell& world;
  std::shared_ptr<const policy::snapshot> snapshot;
  policy::evaluator evaluator;
  worker_stats stats;
  booking_queue bookings;
  buffer_pool pool;
  timer_heap timers;
  steady_ns now = 0;
  steady_ns folded_at = 0;
  std::chrono::milliseconds wall{0};
  std::uint64_t seed = 0;
  bool draining = false, stopped = false;
  std::uint64_t address_generation = 0;
  std::atomic<std::shared_ptr<const policy::snapshot>*> posted_snapshot{nullptr};
  std::atomic<bool> posted_drain{false}, posted_stop{false}, drained{false};
  std::atomic<std::uint64_t> generation{0};
  session* sessions = nullptr;  // all that are not gone
  std::size_t sessions_alive = 0;
  std::size_t session_objects = 0;  // those that are gone but have slots in a line too
  std::vector<stream*> dirty;
  std::vector<session*> runnable, release_due, graveyard;
  std::vector<std::unique_ptr<upstream_connection>> dead_connections;
  std::vector<std::unique_ptr<resp::request_parser>> spare;
  resp::request_parser parser;  // for requests that are not split
  std::string scratch;

  void take_posted();
  void use_snapshot(std::shared_ptr<const policy::snapshot> next);
  void run_timers();
  void session_timer(session& s);
  void run_runnable();
  void mark_dirty(stream& which);
  void flush_stream(stream& which);
  void make_runnable(session& s);
  void rearm(session& s);
  void close_session(session& s, close_how how);
  // Whether its connection carries a wait or a state that dies with its client.
  [[nodiscard]] static bool waits_for_events(const session& s) noexcept;
  void end_connection(upstream_connection& c, close_how how, std::string_view why);
  void bury(session& s);
  void close_when_done(session& s);
  void start_closing(session& s);
  void close_after_replies(session& s);
  void set_reading(stream& which, bool wanted);
  void account(session& s);
  void shed();
  [[nodiscard]] const config::config& config() const noexcept { return *snapshot->config; }
  [[nodiscard]] bool session_pooling() const noexcept { return config().upstream.pooling == config::pooling::session; }
  [[nodiscard]] bool logins_are_ours() const noexcept { return config().upstream.auth.has_value(); }

  // --- identity.cpp: who a session is
  std::vector<attribution::pattern_number> rule_numbers;  // registry numbers of "rule:" + name, by rule index
  void name_session(session& s);
  // By client number; those without a session are forgotten with the idle groups.
  std::unordered_map<attribution::client_number, std::weak_ptr<client_share>> shares;
  [[nodiscard]] std::shared_ptr<client_share> share_of(attribution::client_number number, std::string_view name,
                                                       const attribution::address& source);
  void settle_opened(session& s);
  void bind_if_stale(session& s);

  // --- requests.cpp: bytes of a client into commands
  void client_received(session& s, std::string_view bytes);
  void go_on(session& s);  // takes what is held, as far as it goes
  std::size_t take_commands(session& s, std::string_view bytes);
  // --- streaming.cpp: requests too large to hold
  enum class streaming : std::uint8_t { no, held, begun };
  [[nodiscard]] std::uint64_t hold_limit() const noexcept;
  [[nodiscard]] streaming begin_stream(session& s, resp::request_parser& from, std::string_view data);
  std::size_t continue_stream(session& s, std::string_view bytes);
  void forward_early(session& s, const resp::request_parser& from, std::string_view data);

  void protocol_error(session& s, std::string_view line);
  void keep_parser(session& s);
  void drop_parser(session& s);
  step handle(session& s, const resp::request& request);
  step handle_one(session& s, const resp::request& request);
  [[nodiscard]] static std::uint32_t depth_of(const session& s) noexcept;
  step dispatch(session& s, const resp::command_spec& spec, const resp::request& request);
  [[nodiscard]] bool wants_own(const session& s, const resp::command_spec& spec, const resp::request& request) const;
  void note_command(session& s, const resp::command_spec& spec);

  // --- local_replies.cpp: what the proxy answers itself
  void reply_locally(session& s, std::string_view line);
  [[nodiscard]] static bool is_amid_message(const session& s) noexcept;
  void pass_empty_request(session& s);
  [[nodiscard]] static bool awaits_what_may_not_come(session& s) noexcept;
  [[nodiscard]] static bool wants_local_answer(const resp::command_spec& spec) noexcept;
  [[nodiscard]] bool answer_locally(session& s, const resp::command_spec& spec, const resp::request& request);
  void hold_session(session& s, hold_reason why);
  void unhold(session& s);
  void emit_local(upstream_connection& c);
  bool push_follows = false;  // what is being read goes on with an invalidation

  // --- tidegate_command.cpp: TIDEGATE WHOAMI | QUOTA | HELP
  [[nodiscard]] static bool is_for_tidegate(const resp::command_spec& spec, const resp::request& request) noexcept;
  step answer_tidegate(session& s, const resp::command_spec& spec, const resp::request& request);
  void append_whoami(const session& s, std::string& out) const;
  void append_quotas(const session& s, const resp::request& request, std::string& out);

  // --- forwarding.cpp: from decision to bytes
  enum class ruling : std::uint8_t { send, answered, held };
  [[nodiscard]] ruling decide(session& s, const resp::command_spec& spec, const resp::request& request, bool queued,
                              slot& item, const ttl::plan*& plan);
  void forget_stale_charges(transaction& tx);
  void note_queued(session& s, upstream_connection& to, const resp::command_spec& spec, const resp::request& request,
                   slot& item);
  static void keep_connection(session& s, upstream_connection& to, const resp::command_spec& spec) noexcept;
  void write_request(session& s, upstream_connection& to, const resp::request& request, const ttl::plan* plan);
  void mark_slot(session& s, upstream_connection& to, const resp::command_spec& spec, const resp::request& request,
                 slot& item);
  [[nodiscard]] static bool switch_replies(session& s, const resp::command_spec& spec, const resp::request& request);
  void follow_up(session& s, upstream_connection& to, const resp::command_spec& spec, const resp::request& request,
                 const ttl::plan& plan, const slot& item);
  step forward(session& s, upstream_connection& to, const resp::command_spec& spec, const resp::request& request);
  void push_slot(session& s, upstream_connection& to, slot& item);
  static void append_request(session& s, upstream_connection& to, const resp::request& request);
  void send_own(upstream_connection& to, std::string_view name, slot_kind kind);
  void send_select(upstream_connection& to, std::uint32_t db);
  void assume_exchange(session& s, upstream_connection& to, const resp::command_spec& spec);
  void note_state_change(session& s, upstream_connection& to, const resp::command_spec& spec,
                         const resp::request& request);
  void send_follow_ups(upstream_connection& to, const ttl::plan& plan, const resp::request& request,
                       std::uint16_t command);
  void send_follow_up(upstream_connection& to, std::string_view key, const ttl::follow_up& what, std::uint32_t pattern,
                      std::uint16_t command);
  void send_exec_follow_ups(session& s, upstream_connection& c, std::uint32_t entries);
  step run_exec(session& s, upstream_connection& to, const resp::command_spec& spec, const resp::request& request);
  void count_own(std::string_view commandstats_name);

  // --- admission.cpp: limits
  step admit(session& s, std::span<const limiter::charge> charges, bool transaction);
  void leave_line(session& s);
  void end_delay(session& s);  // the command that waited is done with
  void count_rule(counter_map& where, const limiter::rule& rule, const session& s);
  void throttled_line(std::string& out, const limiter::rule& rule, const session& s, steady_ns wait, bool exec);

  // --- booking.cpp
  void book(const slot& item);
  void book_as_sent(slot& item);
  void settle_bookings() {
    if (!bookings.empty()) bookings.settle(stats.evidence);
  }
  void count_ttl(const slot& item);
  void prepare_booking(session& s, const resp::command_spec& spec, const policy::command& what, bool without_ttl,
                       slot& out);
  void finish_booking(slot& item, const resp::reply_framer& framer);

  // --- evidence.cpp: what the ledger keeps of a write
  void prepare_evidence(session& s, const resp::request& request, const policy::command& what, const ttl::plan& plan,
                        slot& out);
  void note_connected(session& s);

  // --- capture.cpp: the commands themselves
  std::vector<bool> capture_commands;  // by command id
  attribution::glob capture_client, capture_key;
  std::uint64_t capture_below = 0;
  std::uint64_t sessions_ever = 0;
  void use_capture_rules();
  void capture_sent(session& s, const resp::command_spec& spec, const resp::request& request,
                    const policy::command& what, slot& out);
  void capture_outcome(slot& item, bool executed);
  void forget_queued(transaction& tx, std::uint32_t entries);
  void forget_discarded(transaction& tx, std::uint32_t entries);
  void lose(slot& item);

  // --- lanes.cpp: shared connections
  std::vector<std::unique_ptr<lane_group>> groups;
  std::unordered_map<std::string, std::string> secrets;  // last accepted password by user; this worker's
  std::vector<std::unique_ptr<upstream_connection>> retired;
  steady_ns hinted_at = 0;
  [[nodiscard]] lane_group& group_for(const session& s);
  void join_group(session& s);
  void leave_group(session& s);
  void forget_idle_groups();
  [[nodiscard]] upstream_connection* lane_of(session& s);
  void open_lane(lane_group& group, upstream_connection& lane);
  void start_prelude(upstream_connection& c, bool wait_for_name = false);
  [[nodiscard]] static bool unframes(const resp::command_spec& spec) noexcept;
  void finish_prelude_reply(upstream_connection& c, const slot& item);
  void await_connection(session& s, upstream_connection* c);
  void start_connecting(upstream_connection& c);
  [[nodiscard]] steady_ns jittered(steady_ns base);
  [[nodiscard]] std::string_view upstream_user(const session& s) const;
  [[nodiscard]] const std::string* secret_of(std::string_view user) const;
  void prelude_done(upstream_connection& c);
  void connection_ready(upstream_connection& c);
  void retire_lane(lane_group& group, std::size_t index);
  void wait_for(session& s, upstream_connection& c);
  void stop_waiting(session& s);
  void release_waiting(upstream_connection& c);
  void connection_timer(upstream_connection& c);
  void arm_connection(upstream_connection& c);
  void address_changed();
  void hint_failover();

  // --- dedicated.cpp: connections of one session
  std::vector<std::unique_ptr<upstream_connection>> owned;  // serving a session, or opening for one
  std::vector<std::unique_ptr<upstream_connection>> idle;   // clean, ready for the next
  std::uint32_t own_failures = 0;                           // in a row
  steady_ns own_retry_at = 0;
  [[nodiscard]] bool may_open_own();
  std::uint32_t exchanges = 0;
  std::deque<session*> exchange_line;
  [[nodiscard]] upstream_connection* own_of(session& s, const resp::command_spec& spec, const resp::request& request,
                                            bool exchange);
  std::uint32_t warming = 0;
  void keep_warm(const session& s);
  void warmed(upstream_connection& c);
  void release_soon(session& s);
  void consider_release(session& s);
  void release_own(session& s);
  void part_from_own(session& s);
  void wake_exchange_line();
  void drop_connection(upstream_connection& c);  // closes and forgets; sessions are told by the caller
  static void put(std::vector<std::unique_ptr<upstream_connection>>& where, std::unique_ptr<upstream_connection> c);
  static std::unique_ptr<upstream_connection> take(std::vector<std::unique_ptr<upstream_connection>>& from,
                                                   std::size_t index);
  [[nodiscard]] std::string connection_name() const;
  [[nodiscard]] std::string dedicated_name(const session& s);
  void forget_own(session& s);
  void end_exchange(session& s);

  // --- replies.cpp: bytes of an upstream into replies
  void upstream_received(upstream_connection& c, std::string_view bytes);
  void upstream_ended(upstream_connection& c, std::string_view why);
  void desynchronised(upstream_connection& c, std::string_view why);
  [[nodiscard]] bool out_of_band(upstream_connection& c);
  void pop(upstream_connection& c);
  void unsolicited(upstream_connection& c);
  void note_subscription(session& s, const resp::reply_framer& framer);
  void finish_subscribe(session& s, upstream_connection& c);
  void finish_follow_up(upstream_connection& c, const slot& item);
  void count_answered(upstream_connection& c, const slot& item);
  void finish(upstream_connection& c, slot& item);
  void finish_reply(upstream_connection& c, slot& item);
  void finish_special(session& s, upstream_connection& c, slot& item);
  void finish_exec(session& s, upstream_connection& c, slot& item);
  void finish_exchange(session& s, upstream_connection& c, const slot& item);
  void reset_connection(session& s, upstream_connection& c);
  void reset_state(session& s);
  void slot_done(session& s);
  void deliver(session& s, std::string_view bytes);
  struct exchange_request {
    std::string user, secret, name;
    std::uint32_t db = 0;
    std::uint8_t protocol = 0;
    bool has_auth = false, has_name = false;
    bool refused = false;  // surely: its words are no HELLO
    ~exchange_request() { config::wipe(secret); }
  };
  std::unordered_map<const session*, exchange_request> pending_exchanges;

  // --- login.cpp: AUTH and HELLO
  void remember_exchange(session& s, const resp::command_spec& spec, const resp::request& request);
  step login_locally(session& s, const resp::command_spec& spec, const resp::request& request);
};

}  // namespace tidegate::session
