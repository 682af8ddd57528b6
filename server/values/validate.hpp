#pragma once
// The only place where bytes from outside become values. It checks that they are well-formed, that text is
// UTF-8, the depth is within its limit, extension types are known, references are to existing objects, and a
// map's keys and a set's elements can be hashed. Later code does not check again.

#include "server/values/result.hpp"
#include "server/values/value.hpp"
#include "tandem/wire/utf8.hpp"

namespace tandem::server {

/// Checks that a reference names an existing object of the stated type.
class ReferenceCheck {
 public:
  virtual Result<void> check(wire::Reference reference) const = 0;

 protected:
  ~ReferenceCheck() = default;
};

/// For values that were accepted before.
struct AnyReference final : ReferenceCheck {
  Result<void> check(wire::Reference) const override { return {}; }
};

/// Takes one value from `reader`. Fails with protocol_error (malformed), value_error (not UTF-8, unknown
/// extension), resource_exhausted (too deep), type_error (a key that cannot be hashed), object_gone or
/// type_error (a reference).
Result<ValueView> validate_any(wire::Reader& reader, std::uint64_t value_depth_max,
                               const ReferenceCheck& references);

/// The same, inline for what most arguments are.
[[gnu::always_inline]] inline Result<ValueView> validate(wire::Reader& reader, std::uint64_t value_depth_max,
                                                         const ReferenceCheck& references) {
  wire::Bytes plain;
  if (reader.scalar(plain) || reader.short_ascii(plain)) [[likely]]
    return ValueView{plain};
  return validate_any(reader, value_depth_max, references);
}

using wire::is_utf8;

}  // namespace tandem::server
