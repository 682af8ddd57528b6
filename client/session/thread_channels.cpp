#include "client/session/thread_channels.hpp"

#include <atomic>
#include <vector>

namespace tandem::client {
namespace {

struct Entry {
  ThreadChannel channel;
  std::weak_ptr<ThreadChannelOwner> owner;
};

class Entries {
 public:
  Entries() = default;
  ~Entries();
  std::vector<Entry> all;
};

// Trivial types, so that reading them costs nothing and remains valid while this thread's other variables are
// destroyed.
constinit thread_local ThreadChannel last{};
constinit thread_local Entries* entries = nullptr;
constinit thread_local bool entries_gone = false;
constinit thread_local std::uint32_t thread_number = 0;

Entries::~Entries() {
  last = {};
  entries = nullptr;
  entries_gone = true;
  for (Entry& entry : all)
    if (auto owner = entry.owner.lock()) owner->take_back(entry.channel);
}

}  // namespace

const ThreadChannel& last_thread_channel() noexcept {
  return last;
}

Channel* find_thread_channel(std::uint64_t session) noexcept {
  if (entries == nullptr) return nullptr;
  for (const Entry& entry : entries->all) {
    if (entry.channel.session != session) continue;
    last = entry.channel;
    return entry.channel.channel;
  }
  return nullptr;
}

bool add_thread_channel(std::uint64_t session, Channel& channel, std::weak_ptr<ThreadChannelOwner> owner) {
  if (entries_gone) return false;
  if (entries == nullptr) {
    thread_local Entries of_this_thread;
    entries = &of_this_thread;
  }
  // Entries of destroyed sessions, or of this one from before a fork.
  std::erase_if(entries->all, [&owner](const Entry& entry) {
    return entry.owner.expired() || (!entry.owner.owner_before(owner) && !owner.owner_before(entry.owner));
  });
  entries->all.push_back({{session, &channel}, std::move(owner)});
  last = entries->all.back().channel;
  return true;
}

void forget_thread_channel(std::uint64_t session) noexcept {
  last = {};
  if (entries != nullptr)
    std::erase_if(entries->all, [session](const Entry& e) { return e.channel.session == session; });
}

std::uint32_t new_actor_number() noexcept {
  static std::atomic<std::uint32_t> actors{0};
  return ++actors;
}

std::uint32_t this_thread_number() noexcept {
  if (thread_number == 0) thread_number = new_actor_number();
  return thread_number;
}

}  // namespace tandem::client
