#pragma once
// What came of the calls of one task, as a worker writes it and the pool's owner reads it:
//
//   results   array of outcomes, one for each call
//   outcome   [value]                               what the function returned
//             [code, type, text]                    what it threw; code: tandem's, 0 for others
//             [code, type, text, number, category]  the same for a std::system_error

#include <exception>
#include <string>

#include "tandem/proxy/remote.hpp"

namespace tandem::client {

/// Writes the outcome for the exception that is being handled.
void write_current_exception(wire::Writer& to);
/// Reads what stands in an outcome of more than one element: the same exception where it can be made here, or a
/// RemoteError.
std::exception_ptr read_exception(wire::Reader from);

}  // namespace tandem::client
