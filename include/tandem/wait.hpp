#pragma once
// Waiting for several things at once, as Python's multiprocessing.connection.wait().
//
//   for (std::size_t i : tandem::wait(connections)) std::cout << connections[i].recv<int>();
//   tandem::wait({worker, pipe.first, descriptor}, 100ms)

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <vector>

#include "tandem/pipe.hpp"
#include "tandem/process.hpp"

namespace tandem {

/// Something to wait for: its descriptor, which it does not own.
class Waitable {
 public:
  /// Any descriptor that poll() accepts: ready when it is readable or at its end.
  Waitable(int descriptor) : descriptor_(descriptor) {}
  /// Ready when there is a message, or the end of file.
  Waitable(const Connection& session) : descriptor_(session.fileno()) {}
  /// Ready when the process ends. For a child or the parent process.
  Waitable(const ProcessHandle& process) : descriptor_(process.sentinel()) {}

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

/// Waits until one of the things is ready, at most `limit` (nullopt: without limit). Returns the indexes of
/// those that are, in order; none if the time ran out. Returns at once if there is nothing to wait for.
/// ValueError: a descriptor is not open.
std::vector<std::size_t> wait(std::span<const Waitable> things,
                              std::optional<std::chrono::milliseconds> limit = {});
inline std::vector<std::size_t> wait(std::initializer_list<Waitable> things,
                                     std::optional<std::chrono::milliseconds> limit = {}) {
  return wait(std::span(things.begin(), things.size()), limit);
}
/// The same for a range of connections, processes or descriptors.
template <std::ranges::input_range R>
requires std::convertible_to<std::ranges::range_reference_t<const R>, Waitable> std::vector<std::size_t> wait(
    const R& things, std::optional<std::chrono::milliseconds> limit = {}) {
  std::vector<Waitable> all;
  std::ranges::copy(things, std::back_inserter(all));
  return wait(std::span<const Waitable>(all), limit);
}

}  // namespace tandem
