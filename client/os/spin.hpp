#pragma once
// Helpers for busy waits on memory that another processor writes.

#include <sched.h>

#include <thread>

namespace tandem::os {

/// Returns the number of processors that this process may run on.
inline unsigned processors_count() {
  static const unsigned count = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(CPU_COUNT(&set));
    return std::max(1U, std::thread::hardware_concurrency());
  }();
  return count;
}

/// Tells the processor that this is a busy wait.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace tandem::os
