#pragma once
// A descriptor that forked children do not keep. A copy of a listening socket would keep its port taken, and
// one of a connected socket would hide this process's end from the peer, for as long as the child lives.
// Close-on-exec prevents that only in a child that executes a program. So these descriptors are listed, and
// the child closes its copies before fork() returns.

#include <cstdint>
#include <mutex>

namespace tandem::os {

/// Owned; closed on destruction. A copy that a forked child has of this object is closed.
class UnsharedDescriptor {
 public:
  UnsharedDescriptor() = default;
  /// Calls `open`, which returns a descriptor, or -1 with errno set. No fork takes place in between, so
  /// `open` must not wait for anything.
  template <class Open>
  static UnsharedDescriptor open(const Open& open) {
    const std::unique_lock no_fork = forks_blocked();
    UnsharedDescriptor made;
    made.take(open());
    return made;
  }

  UnsharedDescriptor(UnsharedDescriptor&& other) noexcept;
  UnsharedDescriptor& operator=(UnsharedDescriptor&& other) noexcept;
  ~UnsharedDescriptor() { close(); }
  void close() noexcept;

  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  static std::unique_lock<std::mutex> forks_blocked();
  void take(int number);

  int number_ = -1;
  std::uint32_t generation_ = 0;  // of the process that opened it: how many forks it is away from the first
};

/// For a descriptor with another owner: a forked child closes its copy while this object exists.
class ClosedInChildren {
 public:
  explicit ClosedInChildren(int descriptor);
  ClosedInChildren(ClosedInChildren&& other) noexcept;
  ClosedInChildren& operator=(ClosedInChildren&&) = delete;
  ~ClosedInChildren();

 private:
  int number_;
  std::uint32_t generation_;
};

}  // namespace tandem::os
