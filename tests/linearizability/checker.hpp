#pragma once
// Is there an order of the operations of a history that respects which returned before which was invoked, and in which
// a sequential object gives every observed result?
//
// The search is Wing's and Gong's, with Lowe's memory of configurations ("Testing for linearizability", 2017): depth
// first over the operations that may come next, which are those invoked before the first return that is still to be
// explained. An operation that is put in the order is lifted out of the doubly linked list of events, and put back when
// the search returns from it. A configuration, that is a set of operations done and the state they led to, is tried
// once.

#include <unordered_set>
#include <utility>

#include "tests/linearizability/history.hpp"

namespace tandem::test {

/// A model's own, if it has one.
template <class Model>
struct Foresight {
  struct Type {
    explicit Type(const History<Model>&) {}
    bool rules_out(const auto&, const auto&, const auto&) const { return false; }
  };
};
template <class Model>
requires requires {
  typename Model::Foresight;
}
struct Foresight<Model> {
  using Type = typename Model::Foresight;
};

enum class Verdict { linearizable, not_linearizable, undecided };

template <class Model>
class Search {
 public:
  using State = typename Model::State;

  /// How far the search came at best, for explanations of why not further.
  struct Furthest {
    std::vector<std::size_t> order;  // places in the history
    State state{};
    std::vector<std::size_t> next;  // one of these would have to follow
  };

  /// After `configurations_max` the search gives up, undecided. The history must stay.
  Search(const History<Model>& history, const State& initial, std::size_t configurations_max)
      : history_(history),
        foresight_(history),
        state_(initial),
        configurations_max_(configurations_max),
        done_((history.size() + 63) / 64) {
    link_events();
    furthest_.state = initial;
  }
  Search(History<Model>&&, const State&, std::size_t) = delete;

  Verdict run() {
    std::size_t at = entries_[head].next;
    bool unknown_ones =
        false;  // these are tried after those whose result is known: most of them explain nothing
    while (unexplained_ > 0) {
      const Entry& entry = entries_[at];
      if (entry.is_return && !unknown_ones) {
        unknown_ones = true;
        at = entries_[head].next;
      } else if (entry.is_return) {  // everything that might have come before it was tried
        note_furthest();
        if (order_.empty()) return Verdict::not_linearizable;
        const std::size_t undone = undo_last();
        unknown_ones = entries_[undone].its_return == 0;
        at = entries_[undone].next;
      } else if (std::optional<State> after; (entry.its_return == 0) == unknown_ones &&
                                             (after = state_after(entry.operation)) &&
                                             is_new(entry.operation, *after)) {
        if (seen_.size() > configurations_max_) return Verdict::undecided;
        put_next(at, std::move(*after));
        unknown_ones = false;
        at = entries_[head].next;
      } else {
        at = entry.next;
      }
    }
    note_furthest();
    return Verdict::linearizable;
  }

  const Furthest& furthest() const { return furthest_; }
  std::size_t configurations() const { return seen_.size(); }

 private:
  static constexpr std::size_t head = 0;
  struct Entry {
    std::size_t operation = 0;
    bool is_return = false;
    std::size_t previous = 0, next = 0;
    std::size_t its_return = 0;  // 0: never
  };
  struct Step {
    std::size_t entry;
    State before;
  };
  struct Configuration {
    std::vector<std::uint64_t> done;
    State state;
    bool operator==(const Configuration&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Configuration& configuration) const {
      std::uint64_t hash = Model::hash(configuration.state);
      for (std::uint64_t word : configuration.done) hash = (hash ^ word) * 0x9e3779b97f4a7c15 + (hash >> 29);
      return hash;
    }
  };

  void link_events() {
    entries_.emplace_back();
    std::vector<std::size_t> invocations(history_.size());
    for (const Event& event : events_of(history_)) {
      const std::size_t at = entries_.size();
      entries_.push_back({event.operation, event.is_return, at - 1, 0, 0});
      entries_[at - 1].next = at;
      if (event.is_return) {
        entries_[invocations[event.operation]].its_return = at;
        ++unexplained_;
      } else {
        invocations[event.operation] = at;
      }
    }
  }

  /// Nullopt: the operation cannot be next.
  std::optional<State> state_after(std::size_t number) const {
    const Operation<Model>& operation = history_[number];
    State after = state_;
    const auto* observed = operation.result ? &*operation.result : nullptr;
    const auto given = Model::apply(after, operation.call, observed);
    if (!given || (observed != nullptr && !(*given == *observed))) return std::nullopt;
    // That an operation which nobody saw return left all as it was helps no explanation.
    if (observed == nullptr && after == state_) return std::nullopt;
    return foresight_.rules_out(state_, operation, after) ? std::nullopt : std::optional(std::move(after));
  }
  bool is_new(std::size_t operation, const State& after) {
    flip(operation);
    const bool is_new = seen_.insert({done_, after}).second;
    flip(operation);
    return is_new;
  }
  void flip(std::size_t operation) { done_[operation / 64] ^= std::uint64_t{1} << (operation % 64); }

  void put_next(std::size_t at, State after) {
    order_.push_back({at, std::exchange(state_, std::move(after))});
    flip(entries_[at].operation);
    unlink(at);
    if (entries_[at].its_return != 0) {
      unlink(entries_[at].its_return);
      --unexplained_;
    }
  }
  /// Gives the entry of the operation whose turn it was.
  std::size_t undo_last() {
    const std::size_t at = order_.back().entry;
    state_ = std::move(order_.back().before);
    order_.pop_back();
    flip(entries_[at].operation);
    if (entries_[at].its_return != 0) {
      relink(entries_[at].its_return);
      ++unexplained_;
    }
    relink(at);
    return at;
  }
  // Entry 0 is the head and also stands behind the last one.
  void unlink(std::size_t at) {
    entries_[entries_[at].previous].next = entries_[at].next;
    entries_[entries_[at].next].previous = entries_[at].previous;
  }
  void relink(std::size_t at) {
    entries_[entries_[at].previous].next = at;
    entries_[entries_[at].next].previous = at;
  }

  void note_furthest() {
    if (order_.size() <= furthest_.order.size() && !furthest_.next.empty()) return;
    furthest_ = {{}, state_, {}};
    for (const Step& step : order_) furthest_.order.push_back(entries_[step.entry].operation);
    if (unexplained_ == 0) return;
    for (std::size_t at = entries_[head].next; !entries_[at].is_return; at = entries_[at].next)
      furthest_.next.push_back(entries_[at].operation);
  }

  const History<Model>& history_;
  const typename Foresight<Model>::Type foresight_;
  State state_;
  const std::size_t configurations_max_;
  std::vector<Entry> entries_;
  std::vector<Step> order_;
  std::vector<std::uint64_t> done_;  // one bit for each operation in order_
  std::size_t unexplained_ = 0;      // operations that returned and are not in order_
  std::unordered_set<Configuration, Hash> seen_;
  Furthest furthest_;
};

inline constexpr std::size_t configurations_max_default = 2'000'000;

template <class Model>
Verdict check(const History<Model>& history, const typename Model::State& initial = {},
              std::size_t configurations_max = configurations_max_default) {
  return Search<Model>(history, initial, configurations_max).run();
}

}  // namespace tandem::test
