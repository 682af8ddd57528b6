#pragma once
// Values and types as human-readable text. No connection to a manager is needed.

#include <cstdint>
#include <string>
#include <string_view>
#include <typeinfo>

#include "tandem/wire/msgpack.hpp"

namespace tandem {

/// Returns a value as human-readable text, in one line, entries in their order:
///   {"a": 1, 0.25: null, (1, 2): b"\x00"}   <list 7> for a reference, {1, 2} and set() for sets
/// Truncated after about `bytes_max` bytes, which "…" marks. Never throws for malformed bytes, which show as
/// <malformed>.
std::string to_text(wire::Bytes value, std::size_t bytes_max = static_cast<std::size_t>(-1));

/// Returns the name of a hosted type by its number ("dict", "list", …), empty if unknown here.
std::string_view hosted_type_name(std::uint8_t number);

/// Returns the C++ name of a type, for error texts.
std::string class_name(const std::type_info& type);

}  // namespace tandem
