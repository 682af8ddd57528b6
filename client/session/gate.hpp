#pragma once
// A lock that a forked child can reset.

#include <atomic>

namespace tandem::client {

/// Entered by many threads at once, and by none while it is closed. Unlike a standard lock, a forked child
/// can reset it.
class Gate {
 public:
  void enter() noexcept;
  void leave() noexcept;
  /// Waits until no thread is inside, and closes the gate.
  void close() noexcept;
  void open() noexcept;

 private:
  std::atomic<int> inside_{0};  // -1: closed
};

class InsideGate {
 public:
  explicit InsideGate(Gate& gate) : gate_(gate) { gate_.enter(); }
  ~InsideGate() { gate_.leave(); }
  InsideGate(const InsideGate&) = delete;
  InsideGate& operator=(const InsideGate&) = delete;

 private:
  Gate& gate_;
};

inline void Gate::enter() noexcept {
  int seen = inside_.load();
  while (true) {
    if (seen < 0) {
      inside_.wait(seen);
      seen = inside_.load();
    } else if (inside_.compare_exchange_weak(seen, seen + 1)) {
      return;
    }
  }
}

inline void Gate::leave() noexcept {
  inside_.fetch_sub(1);
  inside_.notify_all();
}

inline void Gate::close() noexcept {
  int seen = 0;
  while (!inside_.compare_exchange_weak(seen, -1)) {
    if (seen != 0) inside_.wait(seen);
    seen = 0;
  }
}

inline void Gate::open() noexcept {
  inside_.store(0);
  inside_.notify_all();
}

}  // namespace tandem::client
