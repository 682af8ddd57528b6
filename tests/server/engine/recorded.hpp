#pragma once
// What an engine answers to inputs, as text to compare.

#include <string>
#include <vector>

#include "tests/server/engine/host.hpp"
#include "tests/server/engine/random_calls.hpp"

namespace tandem::test {

/// An engine whose answers are compared.
class RecordedEngine {
 public:
  /// Few bytes or many, and few objects, so that limits are met.
  explicit RecordedEngine(std::uint64_t memory_bytes_max, std::uint64_t hash_seed = 1) {
    limits_.memory_bytes_max = memory_bytes_max;
    limits_.objects_max = 200;
    limits_.outbox_bytes_max = 100'000;
    server::ServerInfo server_info = Host::server_info();
    server_info.hash_seed = hash_seed;
    engine_.emplace(limits_, server_info, server::hosted_types());
    times_ok_.resize(engine_->operations().size());
  }

  server::Engine& engine() { return *engine_; }
  /// How often each operation has succeeded.
  const std::vector<int>& times_ok() const { return times_ok_; }
  /// Whether the last input has changed the state, as the engine says.
  bool changed() const { return changed_; }
  /// Whether it was a call that had to do with its own object only.
  bool is_local() const { return is_local_; }
  /// Returns code, operation and bytes of a call's reply; then those to requests that had waited.
  std::string take(const Input& input) {
    return std::visit([&](const auto& one) { return step(one); }, input);
  }

 private:
  template <class OtherInput>
  std::string step(const OtherInput& input) {
    changed_ = true;
    is_local_ = false;
    if constexpr (std::is_void_v<decltype(engine_->step(input))>) engine_->step(input);
    else changed_ = engine_->step(input);
    return deliveries();
  }
  std::string step(const RecordedCall& call) {
    wire::Buffer out;
    const server::Call input = call.call();
    engine_->forget_others();
    const server::Outcome outcome = engine_->step(input, out);
    changed_ = outcome.changed;
    is_local_ = engine_->was_local(input, outcome);
    if (outcome.code == Code::ok && outcome.operation != server::operation_none)
      ++times_ok_.at(outcome.operation);
    return std::string(name_of(outcome.code)) + ' ' + std::to_string(outcome.operation) + ' ' +
           std::string(wire::as_text(out.view())) + deliveries();
  }
  std::string deliveries() {
    server::Deliveries taken;
    engine_->take_deliveries(taken);
    std::string text;
    for (const server::Deliveries::Delivery& one : taken.all())
      text += "; " + std::to_string(one.ticket) + ' ' + std::string(name_of(one.code)) + ' ' +
              std::string(wire::as_text(taken.payload(one)));
    return text;
  }

  Limits limits_;
  std::optional<server::Engine> engine_;
  std::vector<int> times_ok_;
  bool changed_ = false;
  bool is_local_ = false;
};

inline std::uint64_t memory_bytes_max_of(std::uint64_t seed) {
  return seed % 2 == 0 ? 30'000 : 20'000'000;
}

}  // namespace tandem::test
