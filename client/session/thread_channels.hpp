#pragma once
// Which channel of a session belongs to the running thread. Every call looks it up, so the last one used is
// in a thread-local variable that needs no initialisation, and the others are in a list.

#include <cstdint>
#include <memory>

namespace tandem::client {

class Channel;

/// A thread's channel of one session. `session` is the session's number, unique in this process for all
/// time. A forked child assigns a new one, which invalidates all entries under the old one.
struct ThreadChannel {
  std::uint64_t session = 0;  // 0: none
  Channel* channel = nullptr;
};

/// Gets channels back from threads that end.
class ThreadChannelOwner {
 public:
  virtual void take_back(const ThreadChannel& channel) noexcept = 0;

 protected:
  ~ThreadChannelOwner() = default;
};

/// Returns the channel that this thread used last.
const ThreadChannel& last_thread_channel() noexcept;
/// Returns this thread's channel of a session and makes it the last used; null if there is none.
Channel* find_thread_channel(std::uint64_t session) noexcept;
/// Registers a channel for this thread until it ends; then the session, if it still exists, gets it back
/// (ThreadChannelOwner::take_back). Returns false if this thread is ending and registers nothing any more.
bool add_thread_channel(std::uint64_t session, Channel& channel, std::weak_ptr<ThreadChannelOwner> owner);
/// Removes this thread's entry for a session.
void forget_thread_channel(std::uint64_t session) noexcept;

/// Returns a number, at least 1, that no other thread of the process has or had.
std::uint32_t this_thread_number() noexcept;

/// Returns such a number for an owner of locks that is not a thread.
std::uint32_t new_actor_number() noexcept;

}  // namespace tandem::client
