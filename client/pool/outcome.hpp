#pragma once
// The encoding of tasks and results that a pool's owner and its workers exchange:
//
//   work      [function, arguments…]      a Function's id; for each call the array of its arguments
//   results   [failures, values…]         for each call what the function returned; nil where it threw
//   failures  [failure…]                  in the order of the calls
//   failure   [call, code, type, text]    call: its index; code: tandem's, 0 for other exceptions
//             [call, code, type, text, number, category]     the same for a std::system_error
//
// Both are folded, i.e. wrapped into one bytes value, unless they contain proxies, which the manager has to
// see: it does not parse folded values.

#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "tandem/codec/encoder.hpp"

namespace tandem::client {

/// Writes an encoded value, folded unless it contains proxies.
void write_folded(wire::Writer& to, wire::Bytes value, bool has_proxies);
/// Returns a reader of the value that is next in `from`, unfolded if necessary.
wire::Reader unfolded(wire::Reader from);

/// Writes the failure for the exception being handled.
void write_failure(wire::Writer& to, std::uint32_t call);
struct FailedCall {
  std::uint64_t call = 0;
  std::exception_ptr error;  // the original exception if it can be recreated here, else a RemoteError
};
/// Returns nullopt if the next value is not a failure.
std::optional<FailedCall> read_failure(wire::Reader& from);

}  // namespace tandem::client
