#pragma once
// Histories of a simulated object with simulated clients, one for each seed: operations are invoked, take effect and
// return in a random order, and clients are killed in the middle of them.

#include <functional>
#include <random>
#include <utility>

#include "tests/linearizability/history.hpp"

namespace tandem::test {

/// The same for a seed on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(bound));
  }
  bool one_in(std::int64_t many) { return below(many) == 0; }

 private:
  std::mt19937_64 engine_;
};

template <class Model>
struct Simulated {
  using State = typename Model::State;
  using Call = typename Model::Call;
  using Result = typename Model::Result;

  std::size_t clients = 4;
  std::size_t operations = 200;
  State initial{};
  /// What a client asks next.
  std::function<Call(Random&, std::size_t client, const State&)> next_call;
  /// What the object does; a correct one unless this is replaced.
  std::function<std::optional<Result>(Random&, std::size_t client, State&, const Call&)> apply =
      [](Random&, std::size_t, State& state, const Call& call) { return Model::apply(state, call, nullptr); };
  /// Chance of a client to be killed at a step, one in so many; 0: never.
  std::int64_t killed_one_in = 0;
  /// What the object does on its own when a client is killed, if anything.
  std::function<std::optional<Call>(std::size_t client)> death_of = [](std::size_t) { return std::nullopt; };
};

template <class Model>
class Simulation {
 public:
  Simulation(std::uint64_t seed, const Simulated<Model>& simulated)
      : random_(seed), simulated_(simulated), state_(simulated.initial) {
    for (std::size_t i = 0; i < simulated.clients; ++i) clients_.push_back({next_client_++});
  }

  History<Model> run() {
    // Those who wait may find nobody left to serve them; then as many steps as there are clients lead nowhere.
    for (std::size_t idle_steps = 0; idle_steps < 50 * simulated_.clients;) {
      Client& client =
          clients_[static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(clients_.size())))];
      ++now_ns_;
      if (is_killed(client)) kill(client);
      else if (step(client)) idle_steps = 0;
      else ++idle_steps;
    }
    return std::move(history_);
  }

 private:
  struct Client {
    std::size_t number;
    std::optional<std::size_t> operation{};  // its place in the history
    std::optional<typename Model::Result> result{};
    bool is_dead = false;
  };

  bool is_killed(const Client& client) {
    return simulated_.killed_one_in != 0 && !client.is_dead && history_.size() < simulated_.operations &&
           random_.one_in(simulated_.killed_one_in);
  }
  /// Another client takes its place; the object may still have something to do for the dead one.
  void kill(Client& client) {
    const std::size_t number = std::exchange(client.number, next_client_++);
    client.operation.reset();
    client.result.reset();
    if (const auto call = simulated_.death_of(number)) {
      clients_.push_back({number, history_.size(), std::nullopt, true});
      history_.push_back({number, *call, now_ns_});
    }
  }
  /// Gives whether anything happened.
  bool step(Client& client) {
    if (!client.operation) return invoke(client);
    if (!client.result) {
      client.result = simulated_.apply(random_, client.number, state_, history_[*client.operation].call);
      return client.result.has_value();
    }
    if (client.is_dead) return false;
    history_[*client.operation].returned_ns = now_ns_;
    history_[*client.operation].result = std::exchange(client.result, std::nullopt);
    client.operation.reset();
    return true;
  }
  bool invoke(Client& client) {
    if (history_.size() >= simulated_.operations) return false;
    client.operation = history_.size();
    history_.push_back({client.number, simulated_.next_call(random_, client.number, state_), now_ns_});
    return true;
  }

  Random random_;
  const Simulated<Model>& simulated_;
  typename Model::State state_;
  std::vector<Client> clients_;
  std::size_t next_client_ = 0;
  std::int64_t now_ns_ = 0;
  History<Model> history_;
};

}  // namespace tandem::test
