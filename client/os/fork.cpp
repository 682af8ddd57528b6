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

// pthread_atfork() takes bare functions, so there has to be one place that they can find. It is never destroyed:
// connections in static variables leave it during the program's last moments.
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
