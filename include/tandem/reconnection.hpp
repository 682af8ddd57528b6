#pragma once
// What Manager::on_reconnect tells.

#include "tandem/cxx20.hpp"

#include <chrono>

namespace tandem {

/// A connection broke, and was made anew: nothing was lost.
struct Reconnection {
  bool restarted = false;  // the manager was started again meanwhile; else it was only the connection
  std::chrono::milliseconds outage{0};  // from when it was noticed
};

}  // namespace tandem
