// MessagePack to JSON and back, and JSON from anywhere to MessagePack.

#include "tandem/json.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "tandem/error.hpp"
#include "tandem/text.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace tandem;

namespace {

std::optional<wire::Buffer> packed(const nlohmann::json& json) {
  wire::Buffer buffer;
  wire::Writer writer(buffer);
  try {
    write_json(writer, json);
  } catch (const Error&) {
    return std::nullopt;
  }
  return buffer;
}

/// A value's JSON can be written back, and then reads the same: nothing was lost on the way.
template <class ToJson>
void check_there_and_back(wire::Bytes value, ToJson to_json) {
  std::optional<wire::Buffer> again = packed(to_json(value));
  REQUIRE(again);
  wire::Reader reader(again->view());
  REQUIRE(reader.skip() && reader.at_end());
  std::optional<wire::Buffer> third = packed(to_json(again->view()));
  REQUIRE(third && std::ranges::equal(third->view(), again->view()));
}

void check_value(wire::Bytes bytes) {
  REQUIRE(to_text(bytes, 80).size() <= 80 + sizeof "…");
  try {
    (void)to_plain_json(bytes);
  } catch (const Error&) {
    return;
  }
  check_there_and_back(bytes, to_plain_json);
  check_there_and_back(bytes, to_display_json);
}

void check_text(wire::Bytes bytes) {
  nlohmann::json json = nlohmann::json::parse(wire::as_text(bytes), nullptr, false);
  if (json.is_discarded()) return;
  std::optional<wire::Buffer> value = packed(json);
  if (value) check_value(value->view());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_value({data, size});
  check_text({data, size});
  return 0;
}
