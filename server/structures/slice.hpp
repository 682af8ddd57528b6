#pragma once
// Python's rules for indices and slices (its reference, "Sequence types", and slice.indices()).

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "server/values/result.hpp"

namespace tandem::server {

/// The positions start, start + step, … of a sequence: `count` of them, all within it. If `count` is 0 and
/// `step` is 1, `start` (0 … length) is where items would be inserted.
struct Slice {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::uint64_t count = 0;

  std::uint64_t position(std::uint64_t i) const {
    return static_cast<std::uint64_t>(start + static_cast<std::int64_t>(i) * step);
  }
  /// The same positions from the lowest to the highest.
  Slice ascending() const {
    if (step > 0 || count == 0) return *this;
    return {static_cast<std::int64_t>(position(count - 1)), -step, count};
  }
};

/// Resolves a slice as slice.indices() does. value_error for a step of 0; any other bounds are valid.
inline Result<Slice> slice_of(std::optional<std::int64_t> start, std::optional<std::int64_t> stop,
                              std::optional<std::int64_t> step, std::uint64_t length) {
  const auto size = static_cast<std::int64_t>(length);
  // The lowest int64 is replaced by the next one, which can be negated.
  const std::int64_t by = std::max(step.value_or(1), -std::numeric_limits<std::int64_t>::max());
  if (by == 0) return Failure{Code::value_error, "a slice's step cannot be 0"};
  const std::int64_t lowest = by > 0 ? 0 : -1;
  const std::int64_t highest = by > 0 ? size : size - 1;
  auto inside = [&](std::int64_t index) {
    return std::clamp(index < 0 ? index + size : index, lowest, highest);
  };
  const std::int64_t from = start ? inside(*start) : by > 0 ? lowest : highest;
  const std::int64_t to = stop ? inside(*stop) : by > 0 ? highest : lowest;
  const std::int64_t distance = by > 0 ? to - from : from - to;
  if (distance <= 0) return Slice{from, by, 0};
  return Slice{from, by, static_cast<std::uint64_t>((distance - 1) / (by > 0 ? by : -by) + 1)};
}

/// The position of `index` in a sequence of `length`, counted from the end if negative; none if outside.
inline std::optional<std::uint64_t> position_of(std::int64_t index, std::uint64_t length) {
  const auto size = static_cast<std::int64_t>(length);
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  return static_cast<std::uint64_t>(index);
}

/// The same where Python accepts an index outside (insert, index): the nearest of 0 … length.
inline std::uint64_t clamped_position_of(std::int64_t index, std::uint64_t length) {
  const auto size = static_cast<std::int64_t>(length);
  return static_cast<std::uint64_t>(std::clamp<std::int64_t>(index < 0 ? index + size : index, 0, size));
}

}  // namespace tandem::server
