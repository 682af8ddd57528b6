#pragma once
// A manager with a journal and its clients in one thread: the client library, the session layer, the engine and the journal
// are the real ones, and between them is a network that cuts connections and a manager that is killed, as a seed says. So
// a run can be repeated.

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <set>

#include "client/common/crypto.hpp"
#include "client/os/clock.hpp"
#include "client/transport/connector.hpp"
#include "client/transport/handshake.hpp"
#include "server/objects/all.hpp"
#include "server/session/channel.hpp"
#include "tandem/manager.hpp"
#include "tests/server/journal/memory_log.hpp"

namespace tandem::test {

class SimulatedStream;

/// Out of `faults.one_in` sends and receives, one breaks. 0: none does.
struct Faults {
  std::uint64_t cut_one_in = 0;
  std::uint64_t crash_one_in = 0;
  std::uint64_t unreachable_one_in = 0;
};

class SimulatedManager {
 public:
  explicit SimulatedManager(std::uint64_t seed) : random_(seed) {}
  ~SimulatedManager() { stop(); }
  SimulatedManager(const SimulatedManager&) = delete;
  SimulatedManager& operator=(const SimulatedManager&) = delete;

  static constexpr std::uint64_t resume_ms = 86'400'000;
  static constexpr std::uint64_t resume_ns = resume_ms * 1'000'000;

  Faults faults;
  Manager connect();

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool one_in(std::uint64_t many) { return many != 0 && below(many) == 0; }

  /// Starts it if it is not running.
  server::Service& service() {
    if (!life_) life_ = std::make_unique<Life>(log_);
    return life_->service;
  }
  server::Engine& engine() {
    (void)service();
    return life_->engine;
  }
  /// What is recorded and not safe is gone, and so are all connections.
  void crash();
  int crashes() const { return crashes_; }
  int cuts = 0;

 private:
  friend class SimulatedStream;
  struct Life {
    explicit Life(MemoryLog& log)
        : logger("simulated", std::make_shared<spdlog::sinks::null_sink_st>()),
          engine(limits(), info(), server::hosted_types()),
          service(engine, limits(), credentials(), logger, start(log)) {}
    static Limits limits() {
      Limits made;
      made.memory_bytes_max = std::uint64_t{1} << 30;
      // Nothing here depends on how long it takes.
      made.session_resume_ms = made.session_grace_ms = made.journal_sync_ms = resume_ms;
      made.session_lease_ms = 0;
      return made;
    }
    static server::ServerInfo info() {
      server::ServerInfo made;
      made.boot_id = "the same";  // else what was written might be lost
      return made;
    }
    static server::Credentials credentials() {
      server::Credentials made;
      made.has_authkey = true;
      made.sign = [](std::initializer_list<wire::Bytes> parts) { return client::hmac_sha256("key", parts); };
      made.fill_random = client::random_bytes;
      made.equal = client::equal_constant_time;
      made.incarnation.fill(0xaa);
      return made;
    }
    server::Journal* start(MemoryLog& log) {
      server::Journal::Options options;
      options.level = JournalLevel::process;
      options.on_progress = [] {};
      options.on_fatal = [](const std::string& why) { ADD_FAILURE() << why; };
      const server::Recovered recovered = server::recover(log, engine);
      journal = std::make_unique<server::Journal>(engine, log, recovered, std::move(options));
      journal->start(info(), limits(), {}, 0, os::clock_ns());
      return journal.get();
    }
    spdlog::logger logger;
    server::Engine engine;
    std::unique_ptr<server::Journal> journal;
    server::Service service;
  };
  void stop();

  std::mt19937_64 random_;
  MemoryLog log_;
  std::unique_ptr<Life> life_;
  std::set<SimulatedStream*> streams_;
  int crashes_ = 0;
};

/// Both ends of a connection.
class SimulatedStream final : public client::Stream, public server::TransportHandle {
 public:
  explicit SimulatedStream(SimulatedManager& manager)
      : manager_(manager),
        channel_(std::make_unique<server::Channel>(manager.service(), *this,
                                                   server::Peer{"tcp://192.0.2.7:4711", std::nullopt})) {
    manager_.streams_.insert(this);
    channel_->start();
  }
  ~SimulatedStream() override {
    end_at_manager();
    manager_.streams_.erase(this);
  }

  std::size_t send(wire::Bytes bytes, std::chrono::milliseconds) override { return send_now(bytes); }
  std::size_t send_now(wire::Bytes bytes) override {
    check();
    const bool cuts = manager_.one_in(manager_.faults.cut_one_in);
    const bool crashes = !cuts && manager_.one_in(manager_.faults.crash_one_in);
    const std::size_t count = cuts || crashes ? manager_.below(bytes.size() + 1) : bytes.size();
    deliver(bytes.first(count));
    if (crashes) manager_.crash();
    if (cuts) cut();
    check();
    return count;
  }
  std::size_t receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds) override {
    check();
    if (manager_.one_in(manager_.faults.cut_one_in)) cut();
    if (manager_.one_in(manager_.faults.crash_one_in)) manager_.crash();
    check();
    wire::Bytes unsent = channel_->unsent();
    while (unsent.empty() && (channel_->wants_turn() || channel_->holds_unsent())) {
      channel_->resume();
      manager_.service().commit_round();
      unsent = channel_->unsent();
    }
    if (unsent.empty() && channel_->ending()) throw client::StreamClosed("the manager closed the connection");
    if (unsent.empty()) throw std::logic_error("nobody is there who could answer later");
    // The last part of what was sent may be lost with the connection.
    const std::size_t count = std::min(unsent.size(), 1 + manager_.below(room));
    std::copy_n(unsent.begin(), count, at);
    channel_->sent(count);
    return count;
  }
  void shut_down() noexcept override { is_cut_ = true; }
  void abandon() noexcept override { is_cut_ = true; }

  /// With the manager's process.
  void end_at_manager() {
    if (channel_ == nullptr) return;
    channel_->end_of_input();
    channel_.reset();
    is_cut_ = true;
  }

 private:
  void check() {
    if (is_cut_) throw client::StreamClosed("the connection is cut");
  }
  /// The manager notices it now or, at the latest, when the lane is resumed.
  void cut() {
    ++manager_.cuts;
    is_cut_ = true;
    if (manager_.one_in(2)) end_at_manager();
  }
  void deliver(wire::Bytes bytes) {
    while (!bytes.empty() && channel_ != nullptr) {
      // A turn may end before its input does: it has a limit of time.
      if (channel_->wants_turn()) {
        channel_->resume();
        continue;
      }
      if (!channel_->wants_input()) break;
      const std::span<std::uint8_t> space = channel_->input_space();
      const std::size_t count = std::min(space.size(), bytes.size());
      std::copy_n(bytes.begin(), count, space.begin());
      channel_->received(count);
      // A crash comes before what a turn has recorded is handed over, or behind it.
      if (!manager_.one_in(4)) (void)channel_->unsent();
      channel_->sent(0);
      bytes = bytes.subspan(count);
    }
    manager_.service().check_timer();
  }
  void wake() override {}
  void close() override { is_cut_ = true; }
  std::string_view path() const override { return "simulated"; }

  SimulatedManager& manager_;
  std::unique_ptr<server::Channel> channel_;
  bool is_cut_ = false;
};

inline void SimulatedManager::stop() {
  if (!life_) return;
  life_->service.shut_down();
  for (SimulatedStream* stream : streams_) stream->end_at_manager();
  life_.reset();
}

inline void SimulatedManager::crash() {
  if (!life_) return;
  stop();
  ++crashes_;
}

class SimulatedConnector final : public client::Connector {
 public:
  explicit SimulatedConnector(SimulatedManager& manager) : manager_(manager) {}
  client::Opened open(const client::OpenRequest& request, std::chrono::milliseconds) override {
    if (manager_.one_in(manager_.faults.unreachable_one_in)) throw ConnectionError("simulated: not reached");
    client::Opened opened;
    opened.stream = std::make_unique<SimulatedStream>(manager_);
    const client::Admission admission = client::shake_hands(*opened.stream, "key", request, {address()},
                                                            os::Deadline(std::chrono::milliseconds{0}));
    opened.welcome = admission.welcome;
    opened.incarnation = admission.incarnation;
    return opened;
  }
  std::string address() const override { return "simulated"; }

 private:
  SimulatedManager& manager_;
};

/// Without faults, since a session that is not open yet cannot be resumed.
inline Manager SimulatedManager::connect() {
  const Faults wanted = std::exchange(faults, {});
  Manager made(std::make_unique<SimulatedConnector>(*this), Options{.reconnect = std::chrono::hours(1)});
  faults = wanted;
  return made;
}

}  // namespace tandem::test
