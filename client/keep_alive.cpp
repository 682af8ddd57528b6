#include "client/keep_alive.hpp"

#include <signal.h>

#include <algorithm>

#include "client/connection.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::client {

struct KeepAlive::Stop {
  std::mutex mutex;
  std::condition_variable changed;
  bool requested = false;
};

namespace {

/// Gives whether it is worth going on.
bool ping(const ConnectionPtr& connection) {
  try {
    RemoteObject manager(connection, {ops::Manager::number, ops::Manager::id}, false);
    Call(manager, ops::Manager::Ping::description, 0).send();
    return true;
  } catch (const SessionLost&) {
    return false;  // whoever wants to know has been told
  } catch (const std::exception&) {
    return true;  // it may be reached again before the lease runs out
  }
}

}  // namespace

KeepAlive::KeepAlive(std::weak_ptr<Connection> connection, std::chrono::milliseconds lease)
    : stop_(std::make_shared<Stop>()) {
  const auto pause = std::max<std::chrono::milliseconds>(lease / 3, std::chrono::milliseconds{1});
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the program's own threads
  thread_ = std::thread(
      [stop = stop_, connection = std::move(connection), pause] { run(stop, connection, pause); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

KeepAlive::~KeepAlive() {
  {
    std::lock_guard lock(stop_->mutex);
    stop_->requested = true;
  }
  stop_->changed.notify_all();
  if (thread_.get_id() == std::this_thread::get_id()) thread_.detach();
  else thread_.join();
}

void KeepAlive::run(const std::shared_ptr<Stop>& stop, const std::weak_ptr<Connection>& connection,
                    std::chrono::milliseconds pause) {
  while (true) {
    {
      std::unique_lock lock(stop->mutex);
      if (stop->changed.wait_for(lock, pause, [&] { return stop->requested; })) return;
    }
    const ConnectionPtr alive = connection.lock();
    if (alive == nullptr || !ping(alive)) return;
  }
}

}  // namespace tandem::client
