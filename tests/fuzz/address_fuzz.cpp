// Any text is an address or is refused with ValueError; what an address prints is read back as the same
// address.

#include "tandem/address.hpp"

#include <optional>

#include "tandem/error.hpp"
#include "tests/fuzz/fuzz.hpp"

using tandem::Address;

namespace {

std::optional<Address> parse(std::string_view text) {
  try {
    return Address::parse(text);
  } catch (const tandem::ValueError&) {
    return std::nullopt;
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::optional<Address> address = parse(tandem::wire::as_text({data, size}));
  if (!address) return 0;
  REQUIRE(!address->host().empty());
  REQUIRE(parse(address->to_string()) == address);
  return 0;
}
