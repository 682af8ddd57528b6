#pragma once
// The hosted types as sequential specifications. history.hpp has what a model is made of.

#include <limits>
#include <map>
#include <string>

#include "tests/linearizability/history.hpp"

namespace tandem::test {

/// Whether it worked, and what came with it. What the two mean is told with each kind of call.
struct Outcome {
  bool done = false;
  std::int64_t number = 0;
  bool operator==(const Outcome&) const = default;
};

inline std::size_t hash_of(std::initializer_list<std::int64_t> numbers) {
  std::uint64_t hash = 0;
  for (std::int64_t number : numbers)
    hash = (hash ^ static_cast<std::uint64_t>(number)) * 0x9e3779b97f4a7c15 + (hash >> 31);
  return hash;
}

/// A cell, as Value<int64_t>.
struct ValueModel {
  enum class Kind : std::uint8_t {
    load,              // → value
    store,             // argument
    exchange,          // argument → value before
    compare_exchange,  // expected, argument → whether, value before
    fetch_add,         // argument → value before
  };
  struct Call {
    Kind kind = Kind::load;
    std::int64_t argument = 0;
    std::int64_t expected = 0;
  };
  using Result = Outcome;
  using State = std::int64_t;

  static std::optional<Result> apply(State& value, const Call& call, const Result*) {
    const State before = value;
    switch (call.kind) {
      case Kind::load: break;
      case Kind::store: value = call.argument; return Result{true, 0};
      case Kind::exchange: value = call.argument; break;
      case Kind::fetch_add: value += call.argument; break;
      case Kind::compare_exchange:
        if (before == call.expected) value = call.argument;
        return Result{before == call.expected, before};
    }
    return Result{true, before};
  }
  static std::size_t hash(const State& value) { return hash_of({value}); }
  static std::string text(const Call& call) {
    const std::string argument = std::to_string(call.argument);
    switch (call.kind) {
      case Kind::load: break;
      case Kind::store: return "store(" + argument + ")";
      case Kind::exchange: return "exchange(" + argument + ")";
      case Kind::compare_exchange:
        return "compare_exchange(" + std::to_string(call.expected) + ", " + argument + ")";
      case Kind::fetch_add: return "fetch_add(" + argument + ")";
    }
    return "load()";
  }
  static std::string text(const Call& call, const Result& result) {
    if (call.kind == Kind::store) return "done";
    if (call.kind == Kind::compare_exchange && !result.done)
      return "refused, " + std::to_string(result.number);
    return std::to_string(result.number);
  }
  static std::string text(const State& value) { return "the value is " + std::to_string(value); }
};

/// One entry of Dict<…, int64_t>. Histories of a dict are partitioned by key first.
struct DictModel {
  enum class Kind : std::uint8_t {
    find,              // → whether it is there, value
    insert_or_assign,  // argument → whether the key is new
    insert,            // argument → whether the key is new; if not, nothing is stored
    erase,             // → whether it was there
    add,               // argument → value after; an absent entry counts as zero
  };
  struct Call {
    Kind kind = Kind::find;
    std::int64_t key = 0;
    std::int64_t argument = 0;
  };
  using Result = Outcome;
  using State = std::optional<std::int64_t>;

  static std::optional<Result> apply(State& entry, const Call& call, const Result*) {
    const State before = entry;
    switch (call.kind) {
      case Kind::find: return Result{before.has_value(), before.value_or(0)};
      case Kind::insert_or_assign: entry = call.argument; break;
      case Kind::insert: entry = before.value_or(call.argument); break;
      case Kind::erase: entry.reset(); return Result{before.has_value(), 0};
      case Kind::add: entry = before.value_or(0) + call.argument; return Result{true, *entry};
    }
    return Result{!before.has_value(), 0};
  }
  static std::size_t hash(const State& entry) { return hash_of({entry.has_value(), entry.value_or(0)}); }
  static std::string text(const Call& call) {
    const std::string key = std::to_string(call.key), both = key + ", " + std::to_string(call.argument) + ")";
    switch (call.kind) {
      case Kind::find: break;
      case Kind::insert_or_assign: return "insert_or_assign(" + both;
      case Kind::insert: return "insert(" + both;
      case Kind::erase: return "erase(" + key + ")";
      case Kind::add: return "add(" + both;
    }
    return "find(" + key + ")";
  }
  static std::string text(const Call& call, const Result& result) {
    if (call.kind == Kind::find && !result.done) return "absent";
    if (call.kind == Kind::find || call.kind == Kind::add) return std::to_string(result.number);
    return result.done ? "true" : "false";
  }
  static std::string text(const State& entry) {
    return entry ? "the entry is " + std::to_string(*entry) : "the entry is absent";
  }
};

/// A queue, first in, first out. A put or get whose time limit ran out is a try_put or try_get that failed.
struct QueueModel {
  enum class Kind : std::uint8_t {
    put,      // argument; waits while the queue is full
    try_put,  // argument → whether
    get,      // → item; waits while the queue is empty
    try_get,  // → whether, item
    size,     // → count
  };
  struct Call {
    Kind kind = Kind::put;
    std::int64_t argument = 0;
  };
  using Result = Outcome;
  struct State {
    std::vector<std::int64_t> items{};
    std::size_t maxsize = 0;  // 0: no limit
    bool operator==(const State&) const = default;
  };

  /// In which order concurrent puts came is only seen when their items come out again. What came out is known from the
  /// start, so that no search has to go down wrong orders until then. Sees nothing where an item is put twice.
  class Foresight {
   public:
    explicit Foresight(const History<QueueModel>& history) {
      std::map<std::int64_t, int> puts;
      for (const Operation<QueueModel>& operation : history) {
        const bool gets = operation.call.kind == Kind::get || operation.call.kind == Kind::try_get;
        if (gets && !operation.result) ++unknown_gets_;
        if (gets && operation.result && operation.result->done)
          taken_[operation.result->number] = {operation.invoked_ns, operation.returned_ns};
        if (operation.call.kind == Kind::put || operation.call.kind == Kind::try_put)
          is_blind_ = is_blind_ || ++puts[operation.call.argument] > 1;
      }
    }
    bool rules_out(const State& before, const Operation<QueueModel>& operation, const State& after) const {
      if (is_blind_) return false;
      // Whose get is not known to have returned did not take what another is known to have taken.
      if (!operation.result && after.items.size() < before.items.size() &&
          taken_.count(before.items.front()) != 0)
        return true;
      // No item waits behind one that is taken later than it, or never.
      std::int64_t out_by_ns =
          std::numeric_limits<std::int64_t>::max();  // all items in front of where we are
      std::size_t never_seen = 0;
      for (auto item = after.items.rbegin(); item != after.items.rend(); ++item) {
        const auto taken = taken_.find(*item);
        if (taken == taken_.end()) {
          never_seen += out_by_ns != std::numeric_limits<std::int64_t>::max() ? 1 : 0;
          continue;
        }
        if (taken->second.invoked_ns > out_by_ns) return true;
        out_by_ns = std::min(out_by_ns, taken->second.returned_ns);
      }
      return never_seen > unknown_gets_;
    }

   private:
    struct Taken {
      std::int64_t invoked_ns, returned_ns;
    };
    std::map<std::int64_t, Taken> taken_;  // by item
    std::size_t unknown_gets_ = 0;
    bool is_blind_ = false;
  };

  static std::optional<Result> apply(State& queue, const Call& call, const Result*) {
    const bool full = queue.maxsize != 0 && queue.items.size() >= queue.maxsize, empty = queue.items.empty();
    switch (call.kind) {
      case Kind::size: return Result{true, static_cast<std::int64_t>(queue.items.size())};
      case Kind::put:
      case Kind::try_put:
        if (full) return call.kind == Kind::put ? std::nullopt : std::optional(Result{false, 0});
        queue.items.push_back(call.argument);
        return Result{true, 0};
      case Kind::get:
      case Kind::try_get: break;
    }
    if (empty) return call.kind == Kind::get ? std::nullopt : std::optional(Result{false, 0});
    const Result taken{true, queue.items.front()};
    queue.items.erase(queue.items.begin());
    return taken;
  }
  static std::size_t hash(const State& queue) {
    std::size_t hash = 0;
    for (std::int64_t item : queue.items) hash = hash_of({static_cast<std::int64_t>(hash), item});
    return hash;
  }
  static std::string text(const Call& call) {
    const std::string argument = std::to_string(call.argument);
    switch (call.kind) {
      case Kind::put: return "put(" + argument + ")";
      case Kind::try_put: return "try_put(" + argument + ")";
      case Kind::get: return "get()";
      case Kind::try_get: return "try_get()";
      case Kind::size: break;
    }
    return "size()";
  }
  static std::string text(const Call& call, const Result& result) {
    if (call.kind == Kind::put || call.kind == Kind::try_put) return result.done ? "done" : "full";
    return result.done ? std::to_string(result.number) : "empty";
  }
  static std::string text(const State& queue) {
    if (queue.items.empty()) return "the queue is empty";
    std::string items;
    for (std::int64_t item : queue.items) items += (items.empty() ? "" : ", ") + std::to_string(item);
    return "the queue holds " + items;
  }
};

/// A lock that is owned. An acquire whose time limit ran out is a try_acquire that failed.
struct LockModel {
  enum class Kind : std::uint8_t {
    acquire,      // → token, whether the owner before died; waits while it is owned
    try_acquire,  // → whether, and the same
    release,      // → whether it was the caller's
    die,          // the caller's process was killed: what it owns is free
  };
  struct Call {
    Kind kind = Kind::acquire;
    std::int64_t owner = 1;  // not 0
  };
  struct Result {
    bool done = false;
    std::int64_t token = 0;
    bool previous_owner_died = false;
    bool operator==(const Result&) const = default;
  };
  struct State {
    std::int64_t owner = 0;  // 0: free
    std::int64_t token = 0;  // of the youngest grant
    bool previous_owner_died = false;
    bool operator==(const State&) const = default;
  };

  static std::optional<Result> apply(State& lock, const Call& call, const Result* observed) {
    switch (call.kind) {
      case Kind::acquire:
      case Kind::try_acquire: break;
      case Kind::release:
        if (lock.owner != call.owner) return Result{};
        lock.owner = 0;
        lock.previous_owner_died = false;
        return Result{true, 0, false};
      case Kind::die:
        if (lock.owner != call.owner) return Result{};
        lock.owner = 0;
        lock.previous_owner_died = true;
        return Result{true, 0, false};
    }
    if (lock.owner != 0) return call.kind == Kind::acquire ? std::nullopt : std::optional(Result{});
    lock.owner = call.owner;
    // Tokens grow; by how much is not said.
    lock.token = observed != nullptr && observed->token > lock.token ? observed->token : lock.token + 1;
    return Result{true, lock.token, lock.previous_owner_died};
  }
  static std::size_t hash(const State& lock) {
    return hash_of({lock.owner, lock.token, lock.previous_owner_died});
  }
  static std::string text(const Call& call) {
    const std::string owner = std::to_string(call.owner);
    switch (call.kind) {
      case Kind::acquire: break;
      case Kind::try_acquire: return "try_acquire() by " + owner;
      case Kind::release: return "release() by " + owner;
      case Kind::die: return "death of " + owner;
    }
    return "acquire() by " + owner;
  }
  static std::string text(const Call& call, const Result& result) {
    if (call.kind == Kind::die) return "done";
    if (call.kind == Kind::release) return result.done ? "done" : "not the owner";
    if (!result.done) return "owned by another";
    return "token " + std::to_string(result.token) +
           (result.previous_owner_died ? ", the owner before died" : "");
  }
  static std::string text(const State& lock) {
    const std::string token = ", the last token " + std::to_string(lock.token);
    return (lock.owner == 0 ? "the lock is free" : "the lock is owned by " + std::to_string(lock.owner)) +
           token;
  }
};

}  // namespace tandem::test
