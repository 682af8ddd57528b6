#pragma once
// Tasks and their results, as a pool's owner and its workers write them for each other:
//
//   work      [function, arguments…]      a Function's id; for each call the array of its arguments
//   results   [failures, values…]         a value for each call: what the function returned; nil where it threw
//   failures  [failure…]                  in the order of the calls
//   failure   [call, code, type, text]    which call, from 0 on; code: tandem's, 0 for what is not tandem's exception
//             [call, code, type, text, number, category]     the same for a std::system_error
//
// Both are folded, that is, put into one value of bytes, unless there are proxies in them, which the manager has to see: what
// it need not look into costs it nothing.

#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "tandem/codec/encoder.hpp"

namespace tandem::client {

/// One value, already encoded.
void write_folded(wire::Writer& to, wire::Bytes value, bool has_proxies);
/// Stands before the value that stands there or is folded there.
wire::Reader unfolded(wire::Reader from);

/// Writes the failure for the exception that is being handled.
void write_failure(wire::Writer& to, std::uint32_t call);
struct FailedCall {
  std::uint64_t call = 0;
  std::exception_ptr error;  // the same where it can be made here, or a RemoteError
};
/// nullopt: no failure stands there.
std::optional<FailedCall> read_failure(wire::Reader& from);

}  // namespace tandem::client
