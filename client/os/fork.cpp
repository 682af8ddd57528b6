#include "client/os/fork.hpp"

#include <pthread.h>

#include <mutex>
#include <vector>

namespace tandem::os {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<ForkListener*> listeners;
};

// Global, since pthread_atfork() takes plain functions. Never destroyed: sessions in static variables
// unregister during the program's exit.
Registry& registry() {
  static Registry& the_registry = *new Registry;
  return the_registry;
}

void before() {
  registry().mutex.lock();
  for (ForkListener* listener : registry().listeners) listener->before_fork();
}

void after_in_parent() {
  for (ForkListener* listener : registry().listeners) listener->after_fork_in_parent();
  registry().mutex.unlock();
}

void after_in_child() {
  for (ForkListener* listener : registry().listeners) listener->after_fork_in_child();
  registry().mutex.unlock();
}

}  // namespace

void listen_to_forks(ForkListener& listener) {
  static const int registered = pthread_atfork(before, after_in_parent, after_in_child);
  (void)registered;
  std::lock_guard lock(registry().mutex);
  registry().listeners.push_back(&listener);
}

void ignore_forks(ForkListener& listener) noexcept {
  std::lock_guard lock(registry().mutex);
  std::erase(registry().listeners, &listener);
}

}  // namespace tandem::os
