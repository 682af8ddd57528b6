#pragma once
// Python's slices, the simple way: a model that the hosted list and array are compared with.

#include <cstdint>
#include <optional>
#include <ostream>
#include <vector>

namespace tandem::test {

using Bound = std::optional<std::int64_t>;

struct SliceBounds {
  Bound start, stop, step;
};
inline void PrintTo(const SliceBounds& bounds, std::ostream* out) {
  const auto print = [&](const Bound& bound) {
    if (bound) *out << *bound;
  };
  *out << '[';
  print(bounds.start), *out << ':';
  print(bounds.stop), *out << ':';
  print(bounds.step), *out << ']';
}

/// The positions a slice means, in its order, as Python's reference has them ("The slice of s from i to j
/// with step k").
inline std::vector<std::size_t> positions_of(const SliceBounds& bounds, std::int64_t length) {
  const std::int64_t step = bounds.step.value_or(1);
  const auto place = [&](const Bound& bound, std::int64_t otherwise) {
    if (!bound) return otherwise;
    const std::int64_t from_start = *bound < 0 ? length + *bound : *bound;
    if (step > 0) return from_start < 0 ? 0 : from_start > length ? length : from_start;
    return from_start < -1 ? -1 : from_start > length - 1 ? length - 1 : from_start;
  };
  const std::int64_t start = place(bounds.start, step > 0 ? 0 : length - 1);
  const std::int64_t stop = place(bounds.stop, step > 0 ? length : -1);
  std::vector<std::size_t> positions;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop; at += step)
    positions.push_back(static_cast<std::size_t>(at));
  return positions;
}

/// Every combination of bounds around a sequence of `length`, and of steps of both signs.
inline std::vector<SliceBounds> all_slices(std::int64_t length) {
  std::vector<Bound> bounds{std::nullopt};
  for (std::int64_t at = -length - 2; at <= length + 2; ++at) bounds.emplace_back(at);
  std::vector<SliceBounds> all;
  for (const Bound& start : bounds)
    for (const Bound& stop : bounds)
      for (const Bound step :
           {Bound(), Bound(1), Bound(2), Bound(3), Bound(-1), Bound(-2), Bound(-3), Bound(100)})
        all.push_back({start, stop, step});
  return all;
}

}  // namespace tandem::test
