#pragma once
// Why a history is not linearizable, for a reader: the shortest beginning of it that is refused, the fewest
// operations in there that contradict each other, and how far the best order comes.

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>

#include "tests/linearizability/checker.hpp"

namespace tandem::test {

/// A history that check() refuses, made small.
template <class Model>
class Explanation {
 public:
  using State = typename Model::State;

  Explanation(const History<Model>& whole, const State& initial) : whole_(whole), initial_(initial) {
    shorten();
    find_core();
  }

  /// Places in history() of the operations that contradict each other: whatever the others gave, and whether they took
  /// effect at once, later or never, no order explains these. Where that is too much to search, not the fewest.
  const std::vector<std::size_t>& core() const { return core_; }
  const History<Model>& history() const { return prefix_; }

  std::string text() const {
    std::ostringstream out;
    out << "not linearizable: after the first " << prefix_.size() << " of " << whole_.size()
        << " operations no order explains what they gave.\n"
        << "These contradict each other, whenever the other " << prefix_.size() - core_.size()
        << " took effect and whatever they gave:\n";
    print_core(out);
    print_furthest(out);
    return out.str();
  }

 private:
  // Where many outcomes are unknown a search can take for ever. An operation for which it is not decided within this
  // stays in the core.
  static constexpr std::size_t configurations_max = 5'000;
  static constexpr std::size_t lines_max = 30;

  /// A beginning of a linearizable history is linearizable, so the shortest that is not can be found by halving.
  void shorten() {
    std::vector<std::int64_t> returns;
    for (const Event& event : events_of(whole_))
      if (event.is_return) returns.push_back(event.time_ns);
    auto is_fine = [&](std::int64_t time_ns) {
      return check(prefix_of(whole_, time_ns), initial_) != Verdict::not_linearizable;
    };
    const auto first_refused = std::partition_point(returns.begin(), returns.end(), is_fine);
    prefix_ = first_refused == returns.end() ? whole_ : prefix_of(whole_, *first_refused);
  }

  /// Forgets the result of one operation after the other, which only adds explanations: what is refused all the same
  /// does not need it. The youngest first, which have the fewest moments left to take effect at.
  void find_core() {
    History<Model> relaxed = prefix_;
    for (std::size_t i = relaxed.size(); i-- > 0;) {
      const auto result = std::exchange(relaxed[i].result, std::nullopt);
      if (result && Search<Model>(relaxed, initial_, configurations_max).run() == Verdict::not_linearizable)
        continue;
      relaxed[i].result = result;
      if (result) core_.push_back(i);
    }
    std::reverse(core_.begin(), core_.end());
  }

  static std::string text_of(const Operation<Model>& operation) {
    return "client " + std::to_string(operation.client) + "  " + Model::text(operation.call) + " → " +
           (operation.result ? Model::text(operation.call, *operation.result) : "not known");
  }

  /// One line for each, with a bar that shows which overlap.
  void print_core(std::ostream& out) const {
    History<Model> core;
    for (std::size_t i : core_) core.push_back(prefix_[i]);
    if (core.size() > lines_max) {
      out << "  (" << core.size() - lines_max << " older ones are left out)\n";
      core.erase(core.begin(), core.end() - lines_max);
    }
    std::size_t width = 0;
    for (const Operation<Model>& operation : core) width = std::max(width, text_of(operation).size());
    std::vector<std::size_t> begins(core.size()), ends(core.size());
    std::size_t column = 0;
    for (const Event& event : events_of(core)) (event.is_return ? ends : begins)[event.operation] = column++;
    for (std::size_t i = 0; i < core.size(); ++i) {
      const std::string text = text_of(core[i]);
      out << "  " << text << std::string(width - text.size() + 2 + 2 * begins[i], ' ') << '|'
          << std::string(2 * (ends[i] - begins[i]) - 1, '-') << "|\n";
    }
  }

  void print_furthest(std::ostream& out) const {
    Search<Model> search(prefix_, initial_, configurations_max_default);
    search.run();
    const auto& [order, state, next] = search.furthest();
    out << "The order that explains most:\n";
    if (order.size() > lines_max) out << "  (" << order.size() - lines_max << " before these)\n";
    for (std::size_t i = order.size() > lines_max ? order.size() - lines_max : 0; i < order.size(); ++i)
      out << "  " << text_of(prefix_[order[i]]) << '\n';
    out << "Then " << Model::text(state) << ", and one of these would have to be next:\n";
    for (std::size_t i : next) out << "  " << text_of(prefix_[i]) << ", " << instead_of(i, state) << '\n';
  }
  std::string instead_of(std::size_t number, State state) const {
    const Operation<Model>& operation = prefix_[number];
    if (!operation.result) return "which leads no further";
    const auto given = Model::apply(state, operation.call, nullptr);
    return given ? "but would give " + Model::text(operation.call, *given) : "but would wait";
  }

  const History<Model>& whole_;
  const State initial_;
  History<Model> prefix_;
  std::vector<std::size_t> core_;
};

/// "" for a linearizable history, else why it is not, or that the search gave up.
template <class Model>
std::string refusal_of(const History<Model>& history, const typename Model::State& initial = {}) {
  switch (check(history, initial)) {
    case Verdict::linearizable: return "";
    case Verdict::undecided:
      return "undecided after " + std::to_string(configurations_max_default) + " configurations";
    case Verdict::not_linearizable: break;
  }
  return Explanation<Model>(history, initial).text();
}

}  // namespace tandem::test
