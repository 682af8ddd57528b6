#pragma once
// The grant of a lock, and the guard that holds a lock for a scope.

#include "tandem/cxx20.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

namespace tandem {

struct Grant {
  /// The fencing token: unique to the grant, higher than those of all earlier grants of the same manager. It
  /// is alive as long as the grant (see fenced()).
  std::uint64_t token = 0;
  /// The previous owner, a thread or its process, ended while it held the lock: what the lock protects may be half
  /// changed.
  /// Reported to every owner until one of them unlocks the lock.
  bool previous_owner_died = false;
};

/// An owner of a lock, as of one moment.
struct LockOwner {
  std::uint64_t session = 0;
  std::uint32_t pid = 0;     // as reported by its client
  std::uint32_t thread = 0;  // a number within that process
  bool shared = false;       // as a reader
  std::uint64_t depth = 0;   // number of unlocks needed
  std::uint64_t token = 0;
  std::chrono::microseconds held_for{0};
};

namespace client {

struct Exclusive {
  template <class L>
  static void unlock(const L& lock) {
    lock.unlock();
  }
};
struct Shared {
  template <class L>
  static void unlock(const L& lock) {
    lock.unlock_shared();
  }
};

}  // namespace client

/// Holds a lock until it is destroyed, and knows the grant, which std::unique_lock cannot. Returned by the
/// locks' guard functions. It belongs to the thread that made it, as the lock does; movable.
///
/// The destructor never throws: if the lock cannot be released, the manager or this process's session has
/// ended, and the lock with it. (A std::unique_lock terminates the program then, since its destructor must
/// not throw.)
template <class L, class How = client::Exclusive>
class [[nodiscard]] Guard {
 public:
  /// Holds nothing.
  Guard() noexcept = default;
  /// Takes over a grant of this thread.
  Guard(L lock, Grant grant) noexcept : lock_(std::move(lock)), grant_(grant), owns_(grant.token != 0) {}
  Guard(Guard&& other) noexcept { swap(other); }
  Guard& operator=(Guard&& other) noexcept {
    Guard(std::move(other)).swap(*this);
    return *this;
  }
  ~Guard() {
    if (!owns_) return;
    try {
      How::unlock(lock_);
    } catch (const std::exception&) {
      // A destructor cannot throw; see the class comment.
    }
  }

  /// Returns whether it holds the lock: false after unlock(), and if a try_guard did not acquire it.
  bool owns_lock() const noexcept { return owns_; }
  explicit operator bool() const noexcept { return owns_; }

  const Grant& grant() const noexcept { return grant_; }
  std::uint64_t token() const noexcept { return grant_.token; }
  bool previous_owner_died() const noexcept { return grant_.previous_owner_died; }

  /// Releases the lock now; throws what the lock's unlock() throws. A second call has no effect.
  void unlock() {
    if (std::exchange(owns_, false)) How::unlock(lock_);
  }
  void swap(Guard& other) noexcept {
    std::swap(lock_, other.lock_);
    std::swap(grant_, other.grant_);
    std::swap(owns_, other.owns_);
  }

 private:
  L lock_;
  Grant grant_;
  bool owns_ = false;
};

}  // namespace tandem
