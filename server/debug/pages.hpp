#pragma once
// The table of routes, and the pages that are not about objects.

#include <chrono>

#include "server/debug/objects.hpp"

namespace tandem::server {

/// What the manager was started with, for /info.
struct StartupInfo {
  nlohmann::ordered_json flags = nlohmann::ordered_json::object();
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

/// Answers GET and HEAD; access has been checked before. Never throws.
Answer answer_request(const Request& request, const StartupInfo& startup_info, EngineQuery& ask);

}  // namespace tandem::server
