#pragma once
// An engine with a journal, most often in memory.

#include <gtest/gtest.h>

#include "server/journal/journal.hpp"
#include "tests/server/engine/host.hpp"
#include "tests/server/engine/random_calls.hpp"
#include "tests/server/journal/memory_log.hpp"

namespace tandem::test {

class JournalledEngine {
 public:
  explicit JournalledEngine(server::Log& log, JournalLevel level = JournalLevel::disk,
                            const Limits& limits = small_limits(), std::uint64_t wall_ns = 0,
                            bool commits_here = false)
      : limits_(limits), engine_(limits_, Host::server_info(), server::hosted_types()) {
    const server::Recovered recovered = server::recover(log, engine_);
    server::Journal::Options options;
    options.level = level;
    options.commits_here = commits_here;
    options.on_progress = [] {};
    options.on_fatal = [this](const std::string& why) {
      const std::lock_guard lock(mutex_);
      fatal_ = why;
      changed_.notify_all();
    };
    journal_ = std::make_unique<server::Journal>(engine_, log, recovered, std::move(options));
    journal_->start(Host::server_info(), limits_, {}, wall_ns, 0);
  }
  /// Without stop(), it is as if the process was killed.
  ~JournalledEngine() = default;

  static Limits small_limits() {
    Limits limits;
    limits.memory_bytes_max = 20'000'000;
    limits.objects_max = 200;
    limits.outbox_bytes_max = 100'000;
    limits.journal_free_bytes_min = 1'000;
    return limits;
  }

  server::Engine& engine() { return engine_; }
  server::Journal& journal() { return *journal_; }

  Code take(const Input& input) {
    const Code code = std::visit([this](const auto& one) { return step(one); }, input);
    engine_.take_deliveries(deliveries_);
    return code;
  }
  /// What the last call came to, and the last input delivered to requests that had waited.
  const server::Outcome& outcome() const { return outcome_; }
  wire::Bytes reply() const { return reply_.view(); }
  const server::Deliveries& deliveries() const { return deliveries_; }
  /// Hands over what is recorded and waits until it is in the log.
  void commit() {
    wait_until_idle();
    journal_->hand_over();
    wait_until_idle();
  }
  bool stop() { return journal_->stop(std::chrono::milliseconds(0)); }
  std::string wait_for_fatal() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !fatal_.empty(); });
    return fatal_;
  }

 private:
  template <class OtherInput>
  Code step(const OtherInput& input) {
    journal_->step(input);
    return Code::ok;
  }
  Code step(const server::Started&) { return Code::ok; }
  Code step(const RecordedCall& call) {
    reply_.clear();
    outcome_ = journal_->step(call.call(), reply_);
    return outcome_.code;
  }
  void wait_until_idle() {
    while (!journal_->is_idle()) std::this_thread::yield();
  }

  Limits limits_;
  server::Engine engine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string fatal_;
  server::Outcome outcome_;
  wire::Buffer reply_;
  server::Deliveries deliveries_;
  std::unique_ptr<server::Journal> journal_;
};

}  // namespace tandem::test
