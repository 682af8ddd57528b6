#pragma once
// Histories of concurrent operations on one object, and what a model of such an object is.
//
// A model is the object's sequential specification:
//
//   struct Model {
//     struct Call;      what was asked; trivially copyable
//     struct Result;    what it gave; trivially copyable, ==
//     struct State;     the object; ==
//     // Does the call to the state and gives what it gives; nullopt: it cannot return in this state, it waits.
//     // `observed`, if known, is what was seen: for what the specification leaves open (how far a token grows).
//     static std::optional<Result> apply(State& state, const Call& call, const Result* observed);
//     static std::size_t hash(const State& state);
//     static std::string text(const Call& call);
//     static std::string text(const Call& call, const Result& result);
//     static std::string text(const State& state);   // "the value is 5"
//     // Need not be there: sees from the results of a whole history which steps lead nowhere, where a search
//     // would find out much later.
//     class Foresight {
//       explicit Foresight(const History<Model>& history);
//       bool rules_out(const State& before, const Operation<Model>& operation, const State& after) const;
//     };
//   };

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace tandem::test {

template <class Model>
struct Operation {
  std::size_t client = 0;
  typename Model::Call call{};
  std::int64_t invoked_ns = 0;
  std::int64_t returned_ns = 0;  // counts only if there is a result
  // Nullopt: the outcome is not known, since the client was killed say. The operation may take effect at any time after
  // it was invoked, or never.
  std::optional<typename Model::Result> result{};
};

template <class Model>
using History = std::vector<Operation<Model>>;

/// An invocation or a return.
struct Event {
  std::int64_t time_ns;
  bool is_return;
  std::size_t operation;  // its place in the history

  /// At the same moment invocations come first: what touches counts as concurrent.
  friend bool operator<(const Event& a, const Event& b) {
    return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.is_return < b.is_return;
  }
};

/// All events as they followed each other. Operations of unknown outcome never return.
template <class Model>
std::vector<Event> events_of(const History<Model>& history) {
  std::vector<Event> events;
  for (std::size_t i = 0; i < history.size(); ++i) {
    events.push_back({history[i].invoked_ns, false, i});
    if (history[i].result) events.push_back({history[i].returned_ns, true, i});
  }
  std::stable_sort(events.begin(), events.end());
  return events;
}

/// What was known of a history when `time_ns` had passed.
template <class Model>
History<Model> prefix_of(const History<Model>& history, std::int64_t time_ns) {
  History<Model> prefix;
  for (const Operation<Model>& operation : history) {
    if (operation.invoked_ns > time_ns) continue;
    prefix.push_back(operation);
    if (operation.returned_ns > time_ns) prefix.back().result.reset();
  }
  return prefix;
}

/// A history of many independent objects, the keys of a dict say, as one history for each: what is linearizable in
/// every part is so as a whole.
template <class Model, class KeyOf>
auto partition(const History<Model>& history, KeyOf&& key_of) {
  std::map<decltype(key_of(history.front().call)), History<Model>> parts;
  for (const Operation<Model>& operation : history) parts[key_of(operation.call)].push_back(operation);
  return parts;
}

}  // namespace tandem::test
