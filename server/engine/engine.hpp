#pragma once
// The engine: a deterministic state machine. `step` is the only way in. It has no I/O, clock or threads: time, session
// ids, disconnects and random numbers arrive as data. The same inputs give the same replies and the same state, byte
// for byte. One thread at a time.

#include <string>
#include <vector>

#include "server/engine/call_context.hpp"
#include "server/engine/deadlocks.hpp"
#include "server/engine/registry.hpp"

namespace tandem::server {

/// One operation asked for by a client.
struct Call {
  SessionId session = 0;
  std::uint32_t actor = 0;
  ObjectId object = 0;
  std::uint16_t op = 0;
  wire::Bytes arguments;     // a MessagePack array
  std::uint64_t token = 0;   // of a lock's grant that has to be alive for this; 0: none
  std::uint64_t now_ns = 0;  // of a clock that never goes back
};

/// A client no longer wants to wait.
struct Cancel {
  Ticket ticket = 0;
};

/// Time goes on: waits whose limit has run out end.
struct Tick {
  std::uint64_t now_ns = 0;
};

struct SessionOpened {
  SessionId session = 0;
  SessionId inherits_from = 0;  // 0: nothing. Else: begins with whatever that session holds
  std::uint32_t pid = 0;        // as the client says; for people to read
};

/// The session's client is another process than was said.
struct SessionIdentified {
  SessionId session = 0;
  std::uint32_t pid = 0;
};

/// The session's client is gone: what it held is released.
struct SessionClosed {
  SessionId session = 0;
};

inline constexpr std::uint16_t operation_none = 0xffff;

struct Outcome {
  Code code = Code::ok;
  std::uint16_t operation = operation_none;  // index into Engine::operations()
  Ticket parked = 0;                         // not 0: there is no reply yet; it will be among the deliveries
};

class Engine {
 public:
  using Operation = server::Operation;

  /// `types`: every hosted type, the manager's first; must outlive the engine. `limits` likewise.
  Engine(const Limits& limits, ServerInfo server_info, std::span<const Type* const> types);

  /// Runs one operation, and appends to `reply` its result, one value, or the text of its error. Never throws for
  /// anything a client can send.
  Outcome step(const Call& call, wire::Buffer& reply);
  void step(const SessionOpened& input);
  void step(const SessionIdentified& input);
  void step(const SessionClosed& input);
  /// Of a request that has been answered meanwhile: nothing happens.
  void step(const Cancel& input);
  void step(const Tick& input);

  /// Replies that steps gave to requests that had waited, in order, since they were last taken.
  const Deliveries& deliveries() const { return world_.deliveries; }
  /// Puts them in the place of what is in `into`.
  void take_deliveries(Deliveries& into) {
    into.clear();
    std::swap(into, world_.deliveries);
  }
  /// When the next Tick is needed: a wait's limit runs out then. 0: at once, there is more to free. never_ns: none is.
  std::uint64_t next_deadline_ns() const {
    return world_.registry.is_clean() ? world_.waits.next_deadline_ns() : 0;
  }

  const Registry& registry() const { return world_.registry; }
  const Waits& waits() const { return world_.waits; }
  const Tokens& tokens() const { return world_.tokens; }
  const ServerInfo& server_info() const { return world_.server_info; }
  const Limits& limits() const { return world_.registry.limits(); }
  std::uint64_t now_ns() const { return world_.now_ns; }
  /// 0: not known.
  std::uint32_t pid_of(SessionId session) const {
    auto found = world_.pids.find(session);
    return found == world_.pids.end() ? 0 : found->second;
  }

  /// Cycles of waiters that steps found since they were last taken, as text: refused ones, and those that were let be
  /// because a time limit ends them or ServerInfo::refuses_circles is false.
  const std::vector<std::string>& deadlocks_found() const { return world_.deadlocks_found; }
  std::vector<std::string> take_deadlocks_found() { return std::exchange(world_.deadlocks_found, {}); }
  /// The cycles there are now.
  std::vector<WaitCycle> deadlocks() const { return find_cycles(world_.waits); }
  std::string describe(const WaitCycle& cycle) const {
    return server::describe(cycle, [this](SessionId session) { return pid_of(session); });
  }

  std::span<const Operation> operations() const { return world_.operations; }
  const EngineState& state() const { return world_; }

  /// Appends the whole state as MessagePack: equal states, equal bytes.
  void save(wire::Writer& out) const;

 private:
  void tell_time(std::uint64_t now_ns) { world_.now_ns = now_ns > world_.now_ns ? now_ns : world_.now_ns; }
  void on_wait_ended(Waiter& waiter, WaitEnd why);
  void serve_ready();
  void look_for_cycles();
  bool refuse_cycle_through(const Waiter& waiter);
  void refuse_wait(Waiter& waiter, const std::string& cycle);
  void let_go(Object& object);
  void end_step();
  Outcome refuse(const Failure& failure, std::uint16_t operation, std::size_t mark, wire::Buffer& reply);

  EngineState world_;
  std::vector<std::uint16_t>
      first_operation_;  // by type number: where the type's operations begin, by op number
  std::vector<std::uint16_t> operation_index_;
};

}  // namespace tandem::server
