#include "client/os/contention.hpp"

#include <fcntl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "client/os/spin.hpp"

namespace tandem::os {
namespace {

constexpr std::chrono::milliseconds look_interval{1};
// Where the run queues cannot be seen only late yields show contention; this is how often busy waiting is tried again.
constexpr std::chrono::milliseconds blind_interval{20};

}  // namespace

std::optional<unsigned> runnable_threads() {
  static const bool are_all = processors_count() >= static_cast<unsigned>(::get_nprocs());
  if (!are_all) return std::nullopt;
  // Not kept open: the program may close, or replace, any descriptor that it does not know.
  const int file = ::open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::array<char, 64> text{};
  const ssize_t count = ::read(file, text.data(), text.size());
  ::close(file);
  // "0.20 0.18 0.12 1/80 11206": three averages; threads that are runnable / that exist.
  std::string_view rest(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  for (int averages = 0; averages < 3; ++averages)
    rest.remove_prefix(std::min(rest.size(), rest.find(' ') == rest.npos ? rest.size() : rest.find(' ') + 1));
  unsigned runnable = 0;
  if (std::from_chars(rest.data(), rest.data() + rest.size(), runnable).ec != std::errc{})
    return std::nullopt;
  return runnable;
}

void Contention::look(Clock::time_point now, unsigned own) {
  Clock::rep due = next_look_.load(std::memory_order_relaxed);
  if (now.time_since_epoch().count() < due) return;
  if (!next_look_.compare_exchange_strong(due, (now + look_interval).time_since_epoch().count(),
                                          std::memory_order_relaxed))
    return;  // another thread looks
  const std::optional<unsigned> runnable = runnable_();
  if (!runnable)
    next_look_.store((now + blind_interval).time_since_epoch().count(), std::memory_order_relaxed);
  const unsigned others = runnable && *runnable > own ? *runnable - own : 0;
  const bool seen = others != 0 && others + std::min(own, 2U) > processors_count();
  const unsigned weight = weight_.load(std::memory_order_relaxed);
  weight_.store((weight * 3 + (seen ? weight_max : 0)) / 4, std::memory_order_relaxed);
}

void Contention::yielded(Clock::time_point since, Clock::time_point now) {
  if (now - since >= late_yield) weight_.store(weight_max, std::memory_order_relaxed);
}

}  // namespace tandem::os
