#pragma once
// The only way from the debug endpoint's threads to the engine: a question is run on the engine's thread, and
// the thread that asks waits for it, but not for ever.

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
  /// Has `work` run on the engine's thread, soon. May destroy it without running it when the manager is
  /// stopping.
  using Post = std::function<void(std::function<void()> work)>;
  using Question = std::function<void(const View&)>;

  EngineQuery(Post post, const View& view, std::chrono::milliseconds patience)
      : post_(std::move(post)), view_(view), patience_(patience) {}

  /// Runs `question` on the engine's thread and returns behind it; what it throws is thrown here. False: the
  /// engine did not come to it in time, or the manager is stopping; then it does not run later either. Any
  /// thread but the engine's.
  bool operator()(Question question);

  /// Everyone who waits gets false, and so does everyone who asks from now on.
  void close();

 private:
  enum class State : std::uint8_t { waiting, running, done, given_up };
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool closed = false;
  };
  struct Pending;  // one question on its way

  Post post_;
  const View& view_;
  std::chrono::milliseconds patience_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace tandem::server
