#pragma once
// Which channel of a connection belongs to the running thread. Looking it up is on the way of every call, so the
// last one used stands in a thread-local variable that needs no initialisation; the others in a list behind it.

#include <cstdint>
#include <memory>

namespace tandem::client {

class Channel;

/// A thread's channel of one connection. `connection` is a number that no other connection of this process has or
/// had; a connection takes a new one in a forked child, whereby everything kept here under the old one is forgotten.
struct ThreadChannel {
  std::uint64_t connection = 0;  // 0: none
  Channel* channel = nullptr;
};

/// Gets channels back from threads that end.
class ThreadChannelOwner {
 public:
  virtual void take_back(const ThreadChannel& channel) noexcept = 0;

 protected:
  ~ThreadChannelOwner() = default;
};

/// The one this thread used last.
const ThreadChannel& last_thread_channel() noexcept;
/// This thread's channel of a connection, which becomes the last used; null where there is none.
Channel* find_thread_channel(std::uint64_t connection) noexcept;
/// Remembers a channel for this thread until it ends, when the connection, if it is still there, gets it back
/// (ThreadChannelOwner::take_back). False when this thread is ending and remembers nothing any more.
bool add_thread_channel(std::uint64_t connection, Channel& channel, std::weak_ptr<ThreadChannelOwner> owner);
/// Forgets what this thread remembers for a connection.
void forget_thread_channel(std::uint64_t connection) noexcept;

/// A number that tells this thread from every other of the process, past ones too. Begins at 1.
std::uint32_t this_thread_number() noexcept;

/// One for what is to own locks as a thread does, and is none.
std::uint32_t new_actor_number() noexcept;

}  // namespace tandem::client
