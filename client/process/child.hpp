#pragma once
// Running a child process, however it was started: its body, its output and its end.

#include <functional>

namespace tandem::client {

/// Flushes stdout, stderr, cout, cerr, clog.
void flush_output();

/// Calls `body` and prints an exception that it throws; then calls `release`, which drops what must be
/// released before the end, ends this process's children and flushes the output. Returns the exit status.
int run_body(const std::function<void()>& body, const std::function<void()>& release) noexcept;

}  // namespace tandem::client
