#pragma once
// The only way from the debug endpoint's threads to the engine: a question runs on the engine's thread, and
// the asking thread waits for it for a limited time.

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

#include "server/debug/view.hpp"

namespace tandem::server {

class EngineQuery {
 public:
  /// Runs `work` on the engine's thread, soon. May destroy it without running it when the manager is
  /// stopping.
  using Post = std::function<void(std::function<void()> work)>;
  using Question = std::function<void(const View&)>;

  EngineQuery(Post post, const View& view, std::chrono::milliseconds timeout)
      : post_(std::move(post)), view_(view), timeout_(timeout) {}

  /// Runs `question` on the engine's thread and returns when it has finished; rethrows what it throws.
  /// Returns false if the engine did not start it in time, or the manager is stopping; then it does not run
  /// later either. Called on any thread but the engine's.
  bool operator()(Question question);

  /// Pending calls whose question has not started return false, and so do all later calls.
  void close();

 private:
  enum class State : std::uint8_t { waiting, running, done, given_up };
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool closed = false;
  };
  struct Pending;  // one question in flight

  Post post_;
  const View& view_;
  std::chrono::milliseconds timeout_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace tandem::server
