#pragma once
// Codecs of times.
//
//   C++                                     on the wire                   read from
//   chrono::duration                        integer: nanoseconds          integer; TypeError if out of range,
//                                                                         or not whole in an integral unit
//   system_clock time_point (any duration)  extension timestamp: seconds  timestamp; TypeError as above
//                                           and nanoseconds since 1970, UTC
//
// A duration beyond ±292 years has no 64-bit count of nanoseconds: ValueError when written.

#include <chrono>

#include "tandem/codec/scalar.hpp"

namespace tandem {
namespace client {

/// An instant in the form of MessagePack's timestamp; `nanoseconds` (0 … 999'999'999) counts from `seconds`
/// on.
struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  bool operator==(const Timestamp&) const = default;
};

void write_timestamp(wire::Writer& to, Timestamp value);
/// Returns false without moving if there is no timestamp at `reader`.
bool read_timestamp(wire::Reader& reader, Timestamp& value);

/// Converts nanoseconds to units of To. Returns false if To's rep is integral and the result is not whole or
/// does not fit. 128 bits hold every product of a 64-bit count and a usual period.
template <class To>
bool convert_nanoseconds(__int128 nanoseconds, To& to) {
  using Rep = typename To::rep;
  using Unit = std::ratio_divide<typename To::period, std::nano>;
  if constexpr (std::floating_point<Rep>) {
    to = To(static_cast<Rep>(static_cast<long double>(nanoseconds) * Unit::den / Unit::num));
    return true;
  } else {
    const __int128 scaled = nanoseconds * Unit::den;
    const __int128 count = scaled / Unit::num;
    if (count * Unit::num != scaled) return false;
    if (count < std::numeric_limits<Rep>::min() || count > std::numeric_limits<Rep>::max()) return false;
    to = To(static_cast<Rep>(count));
    return true;
  }
}

/// Converts a duration to nanoseconds, truncated towards zero. Returns false for a floating duration that is
/// NaN or exceeds 64 bits of seconds.
template <class Rep, class Period>
bool count_nanoseconds(std::chrono::duration<Rep, Period> value, __int128& nanoseconds) {
  using Unit = std::ratio_divide<Period, std::nano>;
  if constexpr (std::floating_point<Rep>) {
    const long double wide = static_cast<long double>(value.count()) * Unit::num / Unit::den;
    if (!(std::fabs(wide) < 9.2e27L)) return false;  // NaN too
    nanoseconds = static_cast<__int128>(wide);
  } else {
    nanoseconds = static_cast<__int128>(value.count()) * Unit::num / Unit::den;
  }
  return true;
}

template <class Period>
std::string unit_name() {
  if constexpr (std::same_as<Period, std::nano>) return "nanoseconds";
  else if constexpr (std::same_as<Period, std::micro>) return "microseconds";
  else if constexpr (std::same_as<Period, std::milli>) return "milliseconds";
  else if constexpr (std::same_as<Period, std::ratio<1>>) return "seconds";
  else return "units of " + std::to_string(Period::num) + "/" + std::to_string(Period::den) + " s";
}

}  // namespace client

template <class Rep, class Period>
struct Codec<std::chrono::duration<Rep, Period>> {
  using Duration = std::chrono::duration<Rep, Period>;
  static void encode(Encoder& to, Duration value) {
    __int128 nanoseconds = 0;
    if (!client::count_nanoseconds(value, nanoseconds) ||
        nanoseconds < std::numeric_limits<std::int64_t>::min() ||
        nanoseconds > std::numeric_limits<std::int64_t>::max())
      throw ValueError("a duration has no 64-bit count of nanoseconds");
    to.writer.integer(static_cast<std::int64_t>(nanoseconds));
  }
  static Duration decode(Decoder& from) {
    const wire::Reader before = from.reader;
    std::int64_t nanoseconds = 0;
    Duration value{};
    if (!from.reader.int64(nanoseconds) || !client::convert_nanoseconds(nanoseconds, value))
      client::throw_mismatch(before, name());
    return value;
  }
  static std::string name() {
    return (std::floating_point<Rep> ? "a duration in " : "a duration of whole ") +
           client::unit_name<Period>() + ", as an integer of nanoseconds";
  }
};

template <class Duration>
struct Codec<std::chrono::time_point<std::chrono::system_clock, Duration>> {
  using TimePoint = std::chrono::time_point<std::chrono::system_clock, Duration>;
  static constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;

  static void encode(Encoder& to, TimePoint value) {
    __int128 nanoseconds = 0;
    if (!client::count_nanoseconds(value.time_since_epoch(), nanoseconds))
      throw ValueError("a time point is too far away for a timestamp");
    __int128 seconds = nanoseconds / nanoseconds_per_second;
    auto rest = static_cast<std::int64_t>(nanoseconds % nanoseconds_per_second);
    if (rest < 0) {
      rest += nanoseconds_per_second;
      --seconds;
    }
    if (seconds < std::numeric_limits<std::int64_t>::min() ||
        seconds > std::numeric_limits<std::int64_t>::max())
      throw ValueError("a time point is too far away for a timestamp");
    client::write_timestamp(to.writer,
                            {static_cast<std::int64_t>(seconds), static_cast<std::uint32_t>(rest)});
  }
  static TimePoint decode(Decoder& from) {
    const wire::Reader before = from.reader;
    client::Timestamp found;
    Duration since{};
    if (!client::read_timestamp(from.reader, found) ||
        !client::convert_nanoseconds(
            static_cast<__int128>(found.seconds) * nanoseconds_per_second + found.nanoseconds, since))
      client::throw_mismatch(before, name());
    return TimePoint(since);
  }
  static std::string name() { return "a timestamp in " + client::unit_name<typename Duration::period>(); }
};

}  // namespace tandem
