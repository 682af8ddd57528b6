#pragma once
// A queue whose items are taken on lease, as a sequential specification. history.hpp has what a model is made of.

#include <set>
#include <string>
#include <utility>

#include "tests/linearizability/models.hpp"

namespace tandem::test {

struct LeaseModel {
  enum class Kind : std::uint8_t {
    put,        // item
    try_lease,  // → whether, item, how often it was given out
    done,       // item → whether it was the caller's: it is gone
    give_back,  // item → whether it was the caller's: it stands again where it stood
    die,        // the caller's process was killed: what it had on lease stands again where it stood
  };
  struct Call {
    Kind kind = Kind::put;
    std::int64_t item = 0;
    std::int64_t owner = 0;  // of leases
  };
  struct Result {
    bool done = false;
    std::int64_t item = 0;
    std::int64_t deliveries = 0;
    bool operator==(const Result&) const = default;
  };
  struct Entry {
    std::int64_t place = 0;  // in the order of puts
    std::int64_t item = 0;
    std::int64_t deliveries = 0;
    std::int64_t owner = 0;  // 0: nobody's
    bool operator==(const Entry&) const = default;
  };
  struct State {
    std::vector<Entry> entries{};  // by place
    std::int64_t puts = 0;
    bool operator==(const State&) const = default;
  };

  /// Every delivery of an item is counted, and most were seen: those whose result nobody knows fill the gaps. Sees
  /// nothing where an item is put twice.
  class Foresight {
   public:
    explicit Foresight(const History<LeaseModel>& history) {
      std::set<std::int64_t> items;
      for (const Operation<LeaseModel>& operation : history) {
        if (operation.call.kind == Kind::put)
          is_blind_ = is_blind_ || !items.insert(operation.call.item).second;
        if (operation.call.kind != Kind::try_lease || !operation.result || !operation.result->done) continue;
        seen_.insert({operation.result->item, operation.result->deliveries});
      }
    }
    bool rules_out(const State& before, const Operation<LeaseModel>& operation, const State& after) const {
      if (is_blind_ || operation.result) return false;
      switch (operation.call.kind) {
        case Kind::try_lease:
          for (const Entry& entry : after.entries)
            if (entry.owner == operation.call.owner) return seen_.count({entry.item, entry.deliveries}) != 0;
          return false;
        case Kind::done:
          for (const Entry& entry : before.entries)
            if (entry.item == operation.call.item) return is_seen_after(entry);
          return false;
        case Kind::put:
        case Kind::give_back:
        case Kind::die: break;
      }
      return false;
    }

   private:
    bool is_seen_after(const Entry& entry) const {
      const auto later = seen_.upper_bound({entry.item, entry.deliveries});
      return later != seen_.end() && later->first == entry.item;
    }

    std::set<std::pair<std::int64_t, std::int64_t>> seen_;  // item, delivery
    bool is_blind_ = false;
  };

  static std::optional<Result> apply(State& queue, const Call& call, const Result*) {
    auto& entries = queue.entries;
    auto its_lease = [&](const Entry& entry) { return entry.owner == call.owner && entry.item == call.item; };
    switch (call.kind) {
      case Kind::put: entries.push_back({queue.puts++, call.item}); return Result{true};
      case Kind::done: return Result{std::erase_if(entries, its_lease) != 0};
      case Kind::give_back: {
        const auto entry = std::find_if(entries.begin(), entries.end(), its_lease);
        if (entry == entries.end()) return Result{};
        entry->owner = 0;
        return Result{true};
      }
      case Kind::die:
        for (Entry& entry : entries)
          if (entry.owner == call.owner) entry.owner = 0;
        return Result{true};
      case Kind::try_lease: break;
    }
    const auto entry =
        std::find_if(entries.begin(), entries.end(), [](const Entry& one) { return one.owner == 0; });
    if (entry == entries.end()) return Result{};
    entry->owner = call.owner;
    return Result{true, entry->item, ++entry->deliveries};
  }
  static std::size_t hash(const State& queue) {
    std::size_t hash = 0;
    for (const Entry& entry : queue.entries)
      hash = hash_of({static_cast<std::int64_t>(hash), entry.item, entry.deliveries, entry.owner});
    return hash;
  }
  static std::string text(const Call& call) {
    const std::string item = std::to_string(call.item) + ")", by = " by " + std::to_string(call.owner);
    switch (call.kind) {
      case Kind::put: break;
      case Kind::try_lease: return "try_lease()" + by;
      case Kind::done: return "done(" + item + by;
      case Kind::give_back: return "give_back(" + item + by;
      case Kind::die: return "death of " + std::to_string(call.owner);
    }
    return "put(" + item;
  }
  static std::string text(const Call& call, const Result& result) {
    if (call.kind != Kind::try_lease) return result.done ? "done" : "not the owner";
    if (!result.done) return "empty";
    return std::to_string(result.item) + ", delivery " + std::to_string(result.deliveries);
  }
  static std::string text(const State& queue) {
    if (queue.entries.empty()) return "the queue is empty";
    std::string items;
    for (const Entry& entry : queue.entries) {
      items += (items.empty() ? "" : ", ") + std::to_string(entry.item);
      if (entry.owner != 0) items += " (on lease to " + std::to_string(entry.owner) + ")";
    }
    return "the queue holds " + items;
  }
};

}  // namespace tandem::test
