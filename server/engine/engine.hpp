#pragma once
// The engine: a deterministic state machine. `step` is the only way in. It has no I/O, clock or threads: time, session
// ids, disconnects and random numbers arrive as data. The same inputs give the same replies and the same state, byte
// for byte. One thread at a time.

#include <string>
#include <vector>

#include "server/engine/registry.hpp"
#include "server/engine/turn.hpp"

namespace tandem::server {

/// One operation asked for by a client.
struct Call {
  SessionId session = 0;
  std::uint32_t actor = 0;
  ObjectId object = 0;
  std::uint16_t op = 0;
  wire::Bytes arguments;  // a MessagePack array
};

struct SessionOpened {
  SessionId session = 0;
  SessionId inherits_from = 0;  // 0: nothing. Else: begins with whatever that session holds
};

/// The session's client is gone: what it held is released.
struct SessionClosed {
  SessionId session = 0;
};

inline constexpr std::uint16_t operation_none = 0xffff;

struct Outcome {
  Code code = Code::ok;
  std::uint16_t operation = operation_none;  // index into Engine::operations()
};

class Engine {
 public:
  /// One operation of one hosted type, for statistics and descriptions.
  struct Operation {
    const Type* type;
    const ops::OpDescription* op;
  };

  /// `types`: every hosted type, the manager's first; must outlive the engine. `limits` likewise.
  Engine(const Limits& limits, Facts facts, std::span<const Type* const> types);

  /// Runs one operation, and appends to `reply` its result, one value, or the text of its error. Never throws for
  /// anything a client can send.
  Outcome step(const Call& call, wire::Buffer& reply);
  void step(const SessionOpened& input);
  void step(const SessionClosed& input);

  const Registry& registry() const { return registry_; }
  const Facts& facts() const { return facts_; }
  const Limits& limits() const { return registry_.limits(); }
  std::span<const Operation> operations() const { return operations_; }

  /// Appends the whole state as MessagePack: equal states, equal bytes.
  void save(wire::Writer& out) const;

 private:
  Outcome refuse(Code code, const std::string& text, std::uint16_t operation, std::size_t mark, wire::Buffer& reply);

  Facts facts_;
  Registry registry_;
  std::vector<Operation> operations_;
  std::vector<std::uint16_t> first_operation_;  // by type number: where the type's operations begin, by op number
  std::vector<std::uint16_t> operation_index_;
};

}  // namespace tandem::server
