#pragma once
// Log lines, to standard error or to a function of the embedding program.

#include <spdlog/logger.h>

#include <memory>

#include "tandem/server_options.hpp"

namespace tandem::server {

std::unique_ptr<spdlog::logger> make_logger(LogLevel level,
                                            std::function<void(LogLevel, std::string_view)> log);

}  // namespace tandem::server
