#pragma once
// Values and types as a person reads them. Needs no connection to a manager.

#include <cstdint>
#include <string>
#include <string_view>
#include <typeinfo>

#include "tandem/wire/msgpack.hpp"

namespace tandem {

/// A value as a person reads it, in one line, entries in their order:
///   {"a": 1, 0.25: null, (1, 2): b"\x00"}   <list 7> for a reference, {1, 2} and set() for sets
/// Cut behind about `bytes_max` bytes, which "…" marks. Never throws for malformed bytes; these show as
/// <malformed>.
std::string to_text(wire::Bytes value, std::size_t bytes_max = static_cast<std::size_t>(-1));

/// The name of a hosted type by its number ("dict", "list", …), empty when not known here.
std::string_view hosted_type_name(std::uint8_t number);

/// The C++ name of a type, for error texts.
std::string class_name(const std::type_info& type);

}  // namespace tandem
