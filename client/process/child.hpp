#pragma once
// What a child process does, however it was started: its output and its end.

#include <functional>

namespace tandem::client {

/// stdout, stderr, cout, cerr, clog.
void flush_output();

/// Calls `body`; prints the exception that leaves it. Then ends this process's children and flushes the output. Gives the
/// exit status. `release`: what is given back before that.
int run_body(const std::function<void()>& body, const std::function<void()>& release) noexcept;

}  // namespace tandem::client
