#pragma once
// What the manager says of a grant of a lock, and the guard that keeps a lock for a scope.

#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

namespace tandem {

struct Grant {
  /// The fencing token: one for each grant, higher than those of all earlier grants of the same manager. It is alive as
  /// long as the grant (see fenced()).
  std::uint64_t token = 0;
  /// The session of the owner before ended while it held the lock: what the lock protects may be half changed. Told
  /// to every owner until one of them unlocks it.
  bool previous_owner_died = false;
};

/// Who holds a lock, at some moment.
struct LockOwner {
  std::uint64_t session = 0;
  std::uint32_t pid = 0;     // as its client says
  std::uint32_t thread = 0;  // a number of that process's own
  bool shared = false;       // with other readers
  std::uint64_t depth = 0;   // how often it has to be unlocked
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

/// Holds a lock until it goes, and knows what std::unique_lock cannot: the grant. Made by the locks' guard functions.
/// Belongs to the thread that made it, as the lock does; movable.
///
/// Its destructor never throws: when the lock cannot be given back, the manager or this process's session is gone, and
/// the lock with it. (A std::unique_lock ends the program then, since its destructor must not throw.)
template <class L, class How = client::Exclusive>
class [[nodiscard]] Guard {
 public:
  /// Holds nothing.
  Guard() noexcept = default;
  /// Takes over a grant that this thread has.
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
      // Said above.
    }
  }

  /// Whether it holds the lock: false after unlock(), and for one made by a try_guard that was not served.
  bool owns_lock() const noexcept { return owns_; }
  explicit operator bool() const noexcept { return owns_; }

  const Grant& grant() const noexcept { return grant_; }
  std::uint64_t token() const noexcept { return grant_.token; }
  bool previous_owner_died() const noexcept { return grant_.previous_owner_died; }

  /// Gives the lock back now; may throw what the lock's unlock() throws. Does nothing the second time.
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
