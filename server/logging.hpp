#pragma once
// Log lines, to standard error or to a function of the embedding program, from a thread of their own: a
// manager never waits until a line is taken.

#include <spdlog/logger.h>

#include <cstddef>
#include <memory>

#include "tandem/server_options.hpp"

namespace tandem::server {

/// Lines that wait to be taken; beyond that they are dropped, and a line says how many.
inline constexpr std::size_t log_queue_bytes_max = std::size_t{1} << 20;
/// Longer lines are cut.
inline constexpr std::size_t log_line_bytes_max = 8192;

/// Thread-safe. The thread starts with the first line, so that an embedding program that logs nothing can
/// still fork before it has threads. What a line contains is escaped (printable.hpp).
///
/// flush() waits for the lines logged so far, if they are taken soon. The destructor waits for the lines that standard error takes soon, and leaves the thread behind if that
/// blocks; it waits until a function has been called with the last line and has returned. After a fork, the
/// child must not use or destroy it.
std::unique_ptr<spdlog::logger> make_logger(LogLevel level,
                                            std::function<void(LogLevel, std::string_view)> log);

}  // namespace tandem::server
