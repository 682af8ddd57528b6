#pragma once
// What a process that is about to be spawned gets besides plain values: sessions with the managers whose proxies are
// among its arguments, and descriptors.
//
// A session is opened here, made to hold those objects, and its channel's socket handed on; so nothing an argument refers
// to can go before the child has it, and nothing stays behind if the child never comes up: the socket closes, and the
// session ends. Descriptors on their way are copies of ours in numbers that no other process is to have, so a fork of
// another thread meanwhile closes them in its child.

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
  /// Closes the descriptors that are left, whereby sessions nobody took over end.
  ~SpawnSender();
  SpawnSender(const SpawnSender&) = delete;
  SpawnSender& operator=(const SpawnSender&) = delete;

  /// `make` makes one descriptor (close-on-exec), which is ours from then on; or fails with -1 and errno, whereupon this
  /// throws std::system_error saying that there is no `what`. Gives its place among those handed over.
  std::size_t add_descriptor(const std::function<int()>& make, const char* what);
  /// Hands over a copy.
  std::size_t copy_descriptor(int descriptor);

  /// Notes that an argument holds a proxy. Throws ValueError when it holds one of another manager already.
  void note_reference(const RemoteObject& object, Session*& manager_of_argument);
  void note_manager(const SessionPtr& connection, Session*& manager_of_argument);
  /// Where the argument's manager stands in what write_managers() writes.
  std::size_t index_of(const Session& manager) const;

  /// Opens the sessions, and writes what the child needs to take them over. Throws what opening a channel throws;
  /// ConnectionError for a manager that no other process can reach.
  void write_managers(wire::Writer& to);

  /// The descriptors as they are to be found by the child: the first under number `first`, and so on. They get numbers
  /// here that are not among those.
  std::vector<int> lay_out(int first);

 private:
  struct Manager {
    SessionPtr connection;
    std::vector<wire::Reference> references;
  };

  Manager& manager(const SessionPtr& connection, Session*& manager_of_argument);

  void before_fork() noexcept override { adding_.close(); }
  void after_fork_in_parent() noexcept override { adding_.open(); }
  void after_fork_in_child() noexcept override;

  Gate adding_;  // passed while there is a descriptor that is not in the list yet
  std::deque<std::atomic<int>> descriptors_;  // -1: none yet
  std::vector<Manager> managers_;
};

/// In the child.
class SpawnReceiver {
 public:
  /// `descriptors_count` of them, the first with this number. They are closed on exec from now on.
  SpawnReceiver(int first_descriptor, std::size_t descriptors_count);
  /// Closes what nobody took.
  ~SpawnReceiver();
  SpawnReceiver(const SpawnReceiver&) = delete;
  SpawnReceiver& operator=(const SpawnReceiver&) = delete;

  /// Reads what write_managers() wrote. Throws ProtocolError.
  void read_managers(wire::Reader& from);
  /// Null for none. Throws ProtocolError when there is no such place.
  const SessionPtr& manager(std::size_t index) const;
  /// Each is taken once. Throws ProtocolError when it is not there.
  int take_descriptor(std::size_t index);

 private:
  std::vector<int> descriptors_;
  std::vector<SessionPtr> managers_;
};

}  // namespace tandem::client
