#include "client/session/thread_channels.hpp"

#include <pthread.h>

#include <atomic>
#include <utility>
#include <vector>

namespace tandem::client {
namespace {

struct Entry {
  ThreadChannel channel;
  std::weak_ptr<ThreadChannelOwner> owner;
};

/// What a thread has until it ends.
struct OfThread {
  std::vector<Entry> entries;
  std::shared_ptr<Actor> actor;
};

// Trivial types, so that reading them costs nothing and remains valid while this thread's other variables are
// destroyed.
constinit thread_local ThreadChannel last{};
constinit thread_local OfThread* of_thread = nullptr;
constinit thread_local bool has_ended = false;
constinit thread_local std::uint32_t thread_number = 0;

template <class T>
bool is_same(const std::weak_ptr<T>& a, const std::weak_ptr<T>& b) {
  return !a.owner_before(b) && !b.owner_before(a);
}

void end_thread(void* ended) {
  const std::unique_ptr<OfThread> mine(static_cast<OfThread*>(ended));
  last = {};
  of_thread = nullptr;
  has_ended = true;
  const bool is_last = mine->actor.use_count() == 1;  // else a pipeline has requests of it under way
  for (const Entry& entry : mine->entries) {
    const auto owner = entry.owner.lock();
    if (!owner) continue;
    owner->take_back(entry.channel, is_last ? mine->actor->number() : 0);
    if (is_last) mine->actor->forget(entry.channel.session);
  }
}

/// Calls end_thread() at the end of threads. Not a destructor of a thread-local variable: others may be destroyed
/// after it, and exit() would run it on a thread that goes on.
class ThreadEnds {
 public:
  ThreadEnds() { is_open_ = pthread_key_create(&key_, end_thread) == 0; }
  ~ThreadEnds() {
    if (is_open_.exchange(false)) pthread_key_delete(key_);
  }
  /// Returns false if the end of this thread cannot be noticed.
  bool await(OfThread& mine) noexcept { return is_open_ && pthread_setspecific(key_, &mine) == 0; }

 private:
  pthread_key_t key_{};
  std::atomic<bool> is_open_;
};

ThreadEnds& thread_ends() {
  static ThreadEnds ends;
  return ends;
}

/// Returns null if this thread is ending.
OfThread* mine() {
  if (of_thread != nullptr) [[likely]]
    return of_thread;
  if (has_ended) return nullptr;
  auto made = std::make_unique<OfThread>();
  made->actor = std::make_shared<Actor>(this_thread_number());
  if (!thread_ends().await(*made)) return nullptr;
  return of_thread = made.release();
}

std::uint32_t new_actor_number() noexcept {
  static std::atomic<std::uint32_t> actors{0};
  return ++actors;
}

}  // namespace

// ---- actors -----------------------------------------------------------------------------------------------

Actor::~Actor() {
  for (const Use& use : uses_)
    if (const auto listener = use.listener.lock()) listener->actor_ended(use.session, number_);
}

void Actor::used_in(std::uint64_t session, const std::weak_ptr<ActorListener>& listener) {
  for (const Use& use : uses_)
    if (use.session == session) return;
  // Uses of destroyed sessions, or of this one from before a fork.
  std::erase_if(uses_,
                [&](const Use& use) { return use.listener.expired() || is_same(use.listener, listener); });
  uses_.push_back({session, listener});
}

void Actor::forget(std::uint64_t session) noexcept {
  std::erase_if(uses_, [session](const Use& use) { return use.session == session; });
}

std::uint32_t this_thread_number() noexcept {
  if (thread_number == 0) thread_number = new_actor_number();
  return thread_number;
}

std::shared_ptr<Actor> this_thread_actor() {
  const OfThread* const found = mine();
  return found == nullptr ? nullptr : found->actor;
}

std::shared_ptr<Actor> new_actor() {
  return std::make_shared<Actor>(new_actor_number());
}

// ---- channels ---------------------------------------------------------------------------------------------

const ThreadChannel& last_thread_channel() noexcept {
  return last;
}

Channel* find_thread_channel(std::uint64_t session) noexcept {
  if (of_thread == nullptr) return nullptr;
  for (const Entry& entry : of_thread->entries) {
    if (entry.channel.session != session || entry.channel.channel == nullptr) continue;
    last = entry.channel;
    return entry.channel.channel;
  }
  return nullptr;
}

bool add_thread_channel(std::uint64_t session, Channel& channel,
                        const std::weak_ptr<ThreadChannelOwner>& owner) {
  OfThread* const found = mine();
  if (found == nullptr) return false;
  // Entries of destroyed sessions, or of this one: without a channel, or from before a fork.
  std::erase_if(found->entries,
                [&](const Entry& entry) { return entry.owner.expired() || is_same(entry.owner, owner); });
  found->actor->used_in(session, owner);
  found->entries.push_back({{session, &channel}, owner});
  last = found->entries.back().channel;
  return true;
}

void forget_thread_channel(std::uint64_t session) noexcept {
  last = {};
  if (of_thread == nullptr) return;
  for (Entry& entry : of_thread->entries)
    if (entry.channel.session == session) entry.channel.channel = nullptr;
}

}  // namespace tandem::client
