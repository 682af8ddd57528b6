#pragma once
// What a spawned process receives besides plain values: sessions with the managers whose proxies are among
// its arguments, and descriptors.
//
// A session is opened here, made to hold those objects, and its channel's socket passed on. So no object that
// an argument refers to is destroyed before the child holds it, and nothing remains if the child never
// starts: the socket closes, and the session ends. No other process may inherit the descriptors meanwhile: if
// another thread forks, they are closed in its child.

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "client/os/fork.hpp"
#include "client/session/session.hpp"

namespace tandem::client {

/// In the parent. Used by one thread.
class SpawnSender final : private os::ForkListener {
 public:
  SpawnSender();
  /// Closes the remaining descriptors, which ends the sessions that no child took over.
  ~SpawnSender();
  SpawnSender(const SpawnSender&) = delete;
  SpawnSender& operator=(const SpawnSender&) = delete;

  /// Adds the descriptor that `make` creates (close-on-exec), and owns it from then on. If `make` returns -1
  /// with errno, throws std::system_error saying that there is no `what`. Returns the descriptor's index.
  std::size_t add_descriptor(const std::function<int()>& make, const char* what);
  /// Adds a copy.
  std::size_t copy_descriptor(int descriptor);

  /// Records that an argument contains a proxy. Throws ValueError if it already contains one of another
  /// manager.
  void note_reference(const RemoteObject& object, Session*& manager_of_argument);
  void note_manager(const SessionPtr& session, Session*& manager_of_argument);
  /// Returns the index of the argument's manager in the output of write_managers().
  std::size_t index_of(const Session& manager) const;

  /// Opens the sessions and writes what the child needs to take them over. Throws what opening a channel
  /// throws; ConnectionError for a manager that no other process can reach.
  void write_managers(wire::Writer& to);

  /// Returns the descriptors in the order in which the child gets them, the first as number `first`, and so
  /// on. Moves them to numbers above that range here.
  std::vector<int> lay_out(int first);

 private:
  struct Manager {
    SessionPtr session;
    std::vector<wire::Reference> references;
  };

  Manager& manager(const SessionPtr& session, Session*& manager_of_argument);

  void before_fork() noexcept override { adding_.close(); }
  void after_fork_in_parent() noexcept override { adding_.open(); }
  void after_fork_in_child() noexcept override;

  Gate adding_;                               // entered while a descriptor is not in the list yet
  std::deque<std::atomic<int>> descriptors_;  // -1: none yet
  std::vector<Manager> managers_;
};

/// In the child.
class SpawnReceiver {
 public:
  /// Takes ownership of `descriptors_count` descriptors, from this number on, and sets close-on-exec on them.
  SpawnReceiver(int first_descriptor, std::size_t descriptors_count);
  /// Closes the descriptors that were not taken.
  ~SpawnReceiver();
  SpawnReceiver(const SpawnReceiver&) = delete;
  SpawnReceiver& operator=(const SpawnReceiver&) = delete;

  /// Reads the output of write_managers(). Throws ProtocolError.
  void read_managers(wire::Reader& from);
  /// Throws ProtocolError if there is no such index.
  const SessionPtr& manager(std::size_t index) const;
  /// Transfers ownership of a descriptor, once. Throws ProtocolError if it does not exist or was taken.
  int take_descriptor(std::size_t index);

 private:
  std::vector<int> descriptors_;
  std::vector<SessionPtr> managers_;
};

}  // namespace tandem::client
