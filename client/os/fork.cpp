#include "client/os/fork.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include "client/os/standard_descriptors.hpp"
#include "client/os/unshared_descriptor.hpp"

namespace tandem::os {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<ForkListener*> listeners;
  std::chrono::steady_clock::time_point began;
};

// Global, since pthread_atfork() takes plain functions. Never destroyed: sessions in static variables
// unregister during the program's exit.
Registry& registry() {
  static Registry& the_registry = *new Registry;
  return the_registry;
}

/// The open descriptors that children close.
struct Unshared {
  std::mutex mutex;
  std::vector<bool> listed;  // by number
  std::uint32_t generation = 0;
};

Unshared& unshared() {
  static Unshared& the_unshared = *new Unshared;
  return the_unshared;
}

thread_local bool without_listeners = false;

// Locked last: a listener may call a manager of this process, which then accepts a connection.
void before() {
  if (!without_listeners) {
    registry().mutex.lock();
    registry().began = std::chrono::steady_clock::now();
    for (ForkListener* listener : registry().listeners) listener->before_fork();
  }
  unshared().mutex.lock();
}

void after_in_parent() {
  unshared().mutex.unlock();
  if (without_listeners) return;
  for (ForkListener* listener : registry().listeners) listener->after_fork_in_parent();
  registry().mutex.unlock();
}

// Closed without epoll_ctl(): an epoll set is the parent's too, and forgets a socket when its last copy is
// closed.
void close_unshared() {
  Unshared& all = unshared();
  for (std::size_t number = 0; number < all.listed.size(); ++number)
    if (all.listed[number]) ::close(static_cast<int>(number));
  all.listed.clear();
  ++all.generation;
  all.mutex.unlock();
}

void after_in_child() {
  close_unshared();
  if (without_listeners) return;
  for (ForkListener* listener : registry().listeners) listener->after_fork_in_child();
  registry().mutex.unlock();
}

void register_handlers() {
  static const int registered = pthread_atfork(before, after_in_parent, after_in_child);
  (void)registered;
}

/// With the mutex locked.
void list(int number) {
  std::vector<bool>& listed = unshared().listed;
  const auto at = static_cast<std::size_t>(number);
  if (at >= listed.size()) listed.resize(at + 1);
  listed[at] = true;
}

/// With the mutex locked. Returns false if this is a child's copy, and closed.
bool unlist(int number, std::uint32_t generation) {
  if (generation != unshared().generation) return false;
  unshared().listed[static_cast<std::size_t>(number)] = false;
  return true;
}

}  // namespace

void listen_to_forks(ForkListener& listener) {
  register_handlers();
  std::lock_guard lock(registry().mutex);
  registry().listeners.push_back(&listener);
}

void ignore_forks(ForkListener& listener) noexcept {
  std::lock_guard lock(registry().mutex);
  std::erase(registry().listeners, &listener);
}

pid_t fork_without_listeners() noexcept {
  register_handlers();
  without_listeners = true;
  const pid_t pid = ::fork();
  without_listeners = false;
  return pid;
}

std::chrono::steady_clock::time_point fork_began() {
  return registry().began;
}

// ---- descriptors ------------------------------------------------------------------------------------------

std::unique_lock<std::mutex> UnsharedDescriptor::forks_blocked() {
  register_handlers();
  return std::unique_lock(unshared().mutex);
}

void UnsharedDescriptor::take(int number) {
  number = above_standard(number);
  if (number < 0) return;
  try {
    list(number);
  } catch (...) {
    ::close(number);
    throw;
  }
  number_ = number;
  generation_ = unshared().generation;
}

UnsharedDescriptor::UnsharedDescriptor(UnsharedDescriptor&& other) noexcept
    : number_(std::exchange(other.number_, -1)), generation_(other.generation_) {}

UnsharedDescriptor& UnsharedDescriptor::operator=(UnsharedDescriptor&& other) noexcept {
  std::swap(number_, other.number_);
  std::swap(generation_, other.generation_);
  return *this;
}

void UnsharedDescriptor::close() noexcept {
  if (number_ < 0) return;
  const int error = errno;
  std::lock_guard lock(unshared().mutex);
  if (unlist(number_, generation_)) ::close(number_);
  number_ = -1;
  errno = error;
}

ClosedInChildren::ClosedInChildren(int descriptor) : number_(descriptor) {
  register_handlers();
  std::lock_guard lock(unshared().mutex);
  list(number_);
  generation_ = unshared().generation;
}

ClosedInChildren::ClosedInChildren(ClosedInChildren&& other) noexcept
    : number_(std::exchange(other.number_, -1)), generation_(other.generation_) {}

ClosedInChildren::~ClosedInChildren() {
  if (number_ < 0) return;
  std::lock_guard lock(unshared().mutex);
  unlist(number_, generation_);
}

}  // namespace tandem::os
