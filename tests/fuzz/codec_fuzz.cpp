// Replies of a manager that cannot be trusted: any bytes are decoded as values of many C++ types. Each
// decoder takes exactly one value and gives it, or throws one of tandem's errors; what was decoded is
// encoded and decoded again as the same.

#include "tandem/codec.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#include "tandem/error.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace tandem;

namespace {

enum class Colour : std::uint8_t { red, green };

template <class T>
std::optional<T> decode(wire::Bytes bytes) {
  Decoder from{wire::Reader(bytes), nullptr};
  wire::Reader whole(bytes);
  try {
    T value = Codec<T>::decode(from);
    REQUIRE(whole.skip());
    REQUIRE(from.reader.position() == whole.position());
    return value;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Some types hold what does not equal itself (NaN); their bytes do.
template <class T>
void check(wire::Bytes bytes) {
  std::optional<T> value = decode<T>(bytes);
  if (!value) return;
  wire::Buffer first;
  Encoder to{wire::Writer(first)};
  Codec<T>::encode(to, *value);

  std::optional<T> again = decode<T>(first.view());
  REQUIRE(again);
  wire::Buffer second;
  Encoder to_second{wire::Writer(second)};
  Codec<T>::encode(to_second, *again);
  REQUIRE(first.size() == second.size());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wire::Bytes bytes(data, size);
  check<std::nullptr_t>(bytes);
  check<bool>(bytes);
  check<std::int8_t>(bytes);
  check<std::uint16_t>(bytes);
  check<std::int64_t>(bytes);
  check<std::uint64_t>(bytes);
  check<char>(bytes);
  check<float>(bytes);
  check<double>(bytes);
  check<Colour>(bytes);
  check<std::string>(bytes);
  check<Bytes>(bytes);
  check<std::array<std::byte, 4>>(bytes);
  check<std::chrono::milliseconds>(bytes);
  check<std::chrono::system_clock::time_point>(bytes);
  check<std::optional<std::int32_t>>(bytes);
  check<std::vector<std::int32_t>>(bytes);
  check<std::vector<std::uint8_t>>(bytes);
  check<std::vector<std::vector<std::string>>>(bytes);
  check<std::array<double, 2>>(bytes);
  check<std::set<std::int32_t>>(bytes);
  check<std::map<std::string, std::int32_t>>(bytes);
  check<std::unordered_map<std::int32_t, std::optional<bool>>>(bytes);
  check<std::tuple<std::int32_t, std::string>>(bytes);
  check<std::pair<bool, std::tuple<>>>(bytes);
  check<std::variant<std::int32_t, std::string, std::vector<bool>>>(bytes);
  check<nlohmann::json>(bytes);
  return 0;
}
