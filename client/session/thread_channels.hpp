#pragma once
// Which channel of a session belongs to the running thread, and what happens when a thread ends. Every call looks the
// channel up, so the last one used is in a thread-local variable that needs no initialisation, and the others are
// in a list.
//
// A thread's end is noticed after the destructors of its thread-local variables, which may still unlock something. The
// end of the process is no thread's end: its sessions end with it.

#include <cstdint>
#include <memory>
#include <vector>

namespace tandem::client {

class Channel;

/// A thread's channel of one session. `session` is the session's number, unique in this process for all
/// time. A forked child assigns a new one, which invalidates all entries under the old one.
struct ThreadChannel {
  std::uint64_t session = 0;  // 0: none
  Channel* channel = nullptr;
};

/// Is notified of actors that end.
class ActorListener {
 public:
  /// `session`: its number when the actor was used.
  virtual void actor_ended(std::uint64_t session, std::uint32_t actor) noexcept = 0;

 protected:
  ~ActorListener() = default;
};

/// Gets channels back from threads that end.
class ThreadChannelOwner : public ActorListener {
 public:
  /// `channel` may have no channel, if that broke. `ended`: the thread's number as an actor, unless its end is
  /// reported later, by actor_ended(); then 0.
  virtual void take_back(const ThreadChannel& channel, std::uint32_t ended) noexcept = 0;

 protected:
  ~ThreadChannelOwner() = default;
};

/// An owner of locks: a thread, or an Async. Held by that and by what has requests of it under way; with the last
/// of them, the actor ends, and its listeners are notified. Used by one thread at a time.
class Actor {
 public:
  explicit Actor(std::uint32_t number) : number_(number) {}
  ~Actor();
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  std::uint32_t number() const { return number_; }
  void used_in(std::uint64_t session, const std::weak_ptr<ActorListener>& listener);
  /// The session has been notified.
  void forget(std::uint64_t session) noexcept;

 private:
  struct Use {
    std::uint64_t session = 0;
    std::weak_ptr<ActorListener> listener;
  };
  const std::uint32_t number_;
  std::vector<Use> uses_;
};

/// Returns the channel that this thread used last.
const ThreadChannel& last_thread_channel() noexcept;
/// Returns this thread's channel of a session and makes it the last used; null if there is none.
Channel* find_thread_channel(std::uint64_t session) noexcept;
/// Registers a channel for this thread until it ends; then the session, if it still exists, gets it back
/// (ThreadChannelOwner::take_back). Returns false if this thread is ending and registers nothing any more.
bool add_thread_channel(std::uint64_t session, Channel& channel,
                        const std::weak_ptr<ThreadChannelOwner>& owner);
/// Removes this thread's channel of a session.
void forget_thread_channel(std::uint64_t session) noexcept;

/// Returns a number, at least 1, that no other thread of the process has or had.
std::uint32_t this_thread_number() noexcept;
/// Returns the actor of that number; null if this thread is ending.
std::shared_ptr<Actor> this_thread_actor();

/// Returns a new actor that is not a thread.
std::shared_ptr<Actor> new_actor();

}  // namespace tandem::client
