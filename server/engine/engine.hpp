#pragma once
// The engine: a deterministic state machine, entered only through `step`. It has no I/O, clock or threads:
// time, session ids, disconnects and random numbers arrive as data. The same inputs produce the same replies
// and the same state, byte for byte. Only one thread may use it at a time.

#include <string>
#include <vector>

#include "server/engine/call_context.hpp"
#include "server/engine/deadlocks.hpp"
#include "server/engine/registry.hpp"
#include "server/engine/state.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::server {

/// One operation requested by a client.
struct Call {
  SessionId session = 0;
  std::uint32_t actor = 0;
  ObjectId object = 0;
  std::uint16_t op = 0;
  wire::Bytes arguments;           // a MessagePack array
  std::uint64_t token = 0;         // of a lock's grant that must still be live; 0: none
  std::uint64_t now_ns = 0;        // of a monotonic clock
  wire::Buffer* memory = nullptr;  // not null: what holds the arguments, which a long value may take over
  bool may_share = false;          // whether Outcome::tail may be used
  // Of a request whose reply is kept (kept_replies.hpp).
  LaneRequest sent_as{};   // an open lane of the session; lane 0: nothing is kept
  std::uint8_t flags = 0;  // those of its frame (wire/frame.hpp) that matter to what is kept

  /// There is no reply, but it is kept that it was carried out.
  bool is_one_way() const { return (flags & wire::flag_one_way) != 0; }
  /// It may have been carried out before.
  bool is_again() const { return (flags & wire::flag_again) != 0; }
  /// The client has read every reply of the lane that came before this request.
  bool has_read_all() const { return (flags & wire::flag_has_read_all) != 0; }
};

// Every input carries the time, of the same clock as a call's. One that lies before the last is taken as that.

/// A client cancels a waiting request.
struct Cancel {
  Ticket ticket = 0;
  std::uint64_t now_ns = 0;
};

/// The time advances: waits whose limit has expired end.
struct Tick {
  std::uint64_t now_ns = 0;
};

struct SessionOpened {
  SessionId session = 0;
  SessionId inherits_from = 0;  // session whose references the new one also holds; 0: none
  std::uint64_t now_ns = 0;
  SessionClient client{};
  bool has_lanes = false;  // its replies are kept; it gets lane 1
};

/// Another process continues the session.
struct SessionIdentified {
  SessionId session = 0;
  std::uint32_t pid = 0;
  std::string process{};  // see SessionClient
  std::uint64_t now_ns = 0;
};

/// The session's client has opened one more channel: lane next_lane(session).
struct LaneOpened {
  SessionId session = 0;
  std::uint64_t now_ns = 0;
};

/// The client has read the reply to this request, and so all replies of the lane before it.
struct Acknowledged {
  SessionId session = 0;
  LaneRequest sent_as{};
  std::uint64_t now_ns = 0;
};

/// The lane is not continued any more: its waits are cancelled, and the replies kept for it are dropped.
struct LaneEnded {
  SessionId session = 0;
  LaneId lane = 0;
  std::uint64_t now_ns = 0;
};

/// The session has ended: its waits end, and what it owns or holds is released.
struct SessionClosed {
  SessionId session = 0;
  std::uint64_t now_ns = 0;
};

/// A manager has started, the first time or again: these facts and limits hold from now on. An engine is made with
/// those of its first start.
struct Started {
  ServerInfo server_info;
  Limits limits;
  std::uint64_t now_ns = 0;
  /// By which the next ids (of objects, sessions, waiting requests) and tokens are raised: more than were given away in a
  /// time of which nothing is known any more, so that none is given away twice.
  std::uint64_t skip = 0;
};

inline constexpr std::uint16_t operation_none = 0xffff;

struct Outcome {
  Code code = Code::ok;
  bool changed =
      true;  // the state; else nothing follows from the input, which could as well have been left out
  std::uint16_t operation = operation_none;  // index into Engine::operations()
  Ticket parked = 0;                         // not 0: the reply follows among the deliveries
  SharedBytes::Block* tail =
      nullptr;  // the end of the reply, after what was appended; the caller's to release
};

class Engine {
 public:
  using Operation = server::Operation;

  /// `types`: every hosted type, the manager's first; they must outlive the engine.
  Engine(const Limits& limits, ServerInfo server_info, std::span<const Type* const> types);

  /// Runs one operation and appends to `reply` its result, one value, or its error text. No client input
  /// makes it throw.
  Outcome step(const Call& call, wire::Buffer& reply);
  void step(const SessionOpened& input);
  void step(const SessionIdentified& input);
  void step(const SessionClosed& input);
  void step(const Started& input);
  void step(const LaneOpened& input);
  void step(const LaneEnded& input);
  /// These return whether anything has changed. A request that has been answered meanwhile is not cancelled.
  bool step(const Acknowledged& input);
  bool step(const Cancel& input);
  bool step(const Tick& input);

  /// Replies to parked requests, in order, from the steps since the last take_deliveries().
  const Deliveries& deliveries() const { return state_.deliveries; }
  /// Moves them into `into`, replacing its contents.
  void take_deliveries(Deliveries& into) {
    into.clear();
    std::swap(into, state_.deliveries);
  }
  /// When the next Tick is needed: the earliest deadline of a wait. 0: at once, as there is more to free.
  /// never_ns: no Tick is needed.
  std::uint64_t next_deadline_ns() const {
    return state_.registry.is_clean() ? state_.waits.next_deadline_ns() : 0;
  }

  const Registry& registry() const { return state_.registry; }
  const Waits& waits() const { return state_.waits; }
  const Tokens& tokens() const { return state_.tokens; }
  const KeptReplies& kept() const { return state_.kept; }
  /// Whether the request was carried out before, or waits: then its step carries out nothing.
  bool is_known(const Call& call) const;
  const ServerInfo& server_info() const { return state_.server_info; }
  const Limits& limits() const { return state_.registry.limits(); }
  std::uint64_t now_ns() const { return state_.now_ns; }
  /// Above the id of every session that was ever opened.
  SessionId next_session() const { return state_.next_session; }
  /// Begins to note whether steps have to do with other objects than those of their calls.
  void forget_others() { state_.uses_others = false; }
  /// Whether the step of `call` since forget_others(), with this outcome, looked at its object and changed it, if any, and had
  /// to do with no other.
  bool was_local(const Call& call, const Outcome& outcome) const;
  /// Index in operations() of the one that a call names; operation_none if there is none.
  std::uint16_t operation_of(ObjectId object, std::uint16_t op) const;
  /// 0: not known.
  std::uint32_t pid_of(SessionId session) const { return state_.pid_of(session); }

  /// Deadlocks found since the last take, as text: refused ones, and tolerated ones (a time limit ends them,
  /// or ServerInfo::refuse_deadlocks is off).
  const std::vector<std::string>& deadlocks_found() const { return state_.deadlocks_found; }
  std::vector<std::string> take_deadlocks_found() { return std::exchange(state_.deadlocks_found, {}); }
  /// The wait cycles that exist now.
  std::vector<WaitCycle> deadlocks() const { return find_cycles(state_.waits); }
  std::string describe(const WaitCycle& cycle) const {
    return server::describe(cycle, [this](SessionId session) { return pid_of(session); });
  }

  std::span<const Operation> operations() const { return state_.operations; }
  const EngineState& state() const { return state_; }

  /// Writes the whole state, without deliveries and deadlocks found that were not taken. Equal states produce equal
  /// bytes. Only a state with nothing left to free can be loaded (Registry::is_clean).
  void save(StateWriter& out) const;
  /// Brings this engine, which has taken no input yet, into a saved state: it then goes on as the saved one would. Fails
  /// if what is read is damaged, or needs a type or an operation that this engine does not have; then the engine
  /// must not be used.
  Result<void> load(StateReader::Source source);

 private:
  void advance_time(std::uint64_t now_ns) { state_.now_ns = now_ns > state_.now_ns ? now_ns : state_.now_ns; }
  [[gnu::always_inline]] inline Outcome run(const Call& call, wire::Buffer& reply);
  Outcome run_on_lane(const Call& call, wire::Buffer& reply);
  Result<void> room_to_keep(const Lane& lane) const;
  Outcome answer_again(const Call& call, const KeptReply& kept, wire::Buffer& reply);
  void serve_ready();
  void look_for_cycles();
  bool blocks_nobody(const Waiter& waiter) const;
  bool refuse_cycle_through(const Waiter& waiter);
  void refuse_wait(Waiter& waiter, const std::string& cycle);
  void before_destroy(Object& object);
  /// Ends every step that changes something.
  void end_step() {
    if (!state_.ready_objects.empty() || !state_.new_waits.empty() || !state_.registry.is_clean())
      end_busy_step();
    else state_.registry.account_waits(state_.waits.size());
  }
  void end_busy_step();
  static void save_client(StateWriter& out, const SessionClient& client);
  void save_lanes(StateWriter& out, SessionId session) const;
  void save_waiters(StateWriter& out) const;
  void save_waiter(StateWriter& out, const Waiter& waiter) const;
  void load_facts(StateReader& in);
  void load_sessions(StateReader& in);
  static void load_client(StateReader& in, SessionClient& client);
  void load_lanes(StateReader& in, SessionId session);
  void load_objects(StateReader& in);
  void load_object(StateReader& in);
  void load_waiters(StateReader& in);
  std::uint16_t operation_of_type(std::uint64_t type, std::uint64_t op) const;
  void load_waiter(StateReader& in, WaitQueue& queue, Object& object);
  void load_holdings(StateReader& in);
  Outcome refuse(const Failure& failure, std::uint16_t operation, std::size_t mark, wire::Buffer& reply,
                 bool changed);
  Outcome refuse_unchanged(const Failure& failure, std::uint16_t operation, std::size_t mark,
                           wire::Buffer& reply, std::uint64_t before_ns);

  EngineState state_;
  // By type number: where the type's part of operation_index_ begins.
  std::vector<std::uint16_t> first_operation_;
  std::vector<std::uint16_t> operation_index_;  // by operation number: index into operations()
};

}  // namespace tandem::server
