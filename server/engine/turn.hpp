#pragma once
// What a handler works with: who calls, the other objects, the reply. And the operands that come as several values.

#include <deque>
#include <optional>

#include "server/engine/registry.hpp"

namespace tandem::server {

/// What the engine is told of its surroundings, as data: it reads no clock and asks no system.
struct Facts {
  std::string version;
  std::string incarnation_hex;
  std::uint32_t pid = 0;
  std::int64_t started_ms = 0;  // Unix time
  std::uint64_t hash_seed = 0;  // secret, against crafted keys
};

/// The elements of an Items operand, one after the other.
class ItemsView {
 public:
  ItemsView(wire::Reader at, std::uint64_t count, bool references) : at_(at), left_(count), references_(references) {}
  std::uint64_t count() const { return left_; }
  std::size_t bytes() const { return at_.rest().size(); }
  /// Stands before the elements that are left.
  wire::Reader rest() const { return at_; }
  bool next(ValueView& item) {
    if (left_ == 0) return false;
    --left_;
    item.references = references_;
    return at_.value(item.bytes);
  }

 private:
  wire::Reader at_;
  std::uint64_t left_;
  bool references_;
};

/// The keys and values of an Entries operand.
class EntriesView {
 public:
  EntriesView(wire::Reader at, std::uint64_t count, bool references) : flat_(at, count * 2, references) {}
  std::uint64_t count() const { return flat_.count() / 2; }
  std::size_t bytes() const { return flat_.bytes(); }
  bool next(ValueView& key, ValueView& value) { return flat_.next(key) && flat_.next(value); }

 private:
  ItemsView flat_;
};

class Turn {
 public:
  Turn(Registry& registry, const Facts& facts, SessionId session, std::uint32_t actor, wire::Buffer& reply)
      : registry_(registry), facts_(facts), session_(session), actor_(actor), out_(reply) {}

  Registry& registry() { return registry_; }
  const Limits& limits() const { return registry_.limits(); }
  const Facts& facts() const { return facts_; }
  SessionId session() const { return session_; }
  std::uint32_t actor() const { return actor_; }

  /// The reply. Values go through write(), so that references in them are counted for the caller.
  wire::Writer& out() { return out_; }
  void write(ValueView value) {
    references_written_ |= value.references;
    out_.raw(value.bytes);
  }
  void write(wire::Reference reference) {
    references_written_ = true;
    out_.reference(reference);
  }
  bool references_written() const { return references_written_; }

  /// A copy of `value` to keep in an object.
  Value keep(ValueView value) { return Value(value, registry_); }
  Result<std::uint32_t> hash(ValueView key) const { return hash_of(key); }

  /// Whether `bytes` more may be held; resource_exhausted otherwise. For operations that grow by more than their
  /// arguments: the engine has already checked those.
  Result<void> room_for(std::uint64_t bytes) const;
  /// Whether a reply may be this long. The engine checks every reply; asked before, a large one is never built, and an
  /// operation that would lose what it cannot send leaves everything as it was.
  Result<void> reply_fits(std::uint64_t bytes) const;
  /// semantics' add(), refused where the result would be longer than a value can be.
  Result<void> add(ValueView a, ValueView b, wire::Buffer& out) const;

  Result<ItemsView> items_of(ValueView operand);
  Result<EntriesView> entries_of(ValueView operand);

 private:
  Result<std::uint32_t> hash_of(ValueView key) const;
  Result<const Object*> operand_object(ValueView operand) const;

  Registry& registry_;
  const Facts& facts_;
  SessionId session_;
  std::uint32_t actor_;
  wire::Writer out_;
  bool references_written_ = false;
  std::deque<wire::Buffer> copies_;  // contents of objects used as operands: an object may be its own operand
};

}  // namespace tandem::server
