#pragma once
// /metrics: the text exposition format 0.0.4 of Prometheus.

#include <string>
#include <vector>

#include "server/debug/view.hpp"

namespace tandem::server {

inline constexpr std::string_view exposition_content_type = "text/plain; version=0.0.4; charset=utf-8";

struct CountedOperation {
  Engine::Operation operation;
  OperationCounts counts;
};

struct MetricsSnapshot {
  std::vector<CountedOperation> operations;
  OperationCounts unresolved;
  std::vector<Metric> others;
};

// Called on the engine's thread.
std::vector<CountedOperation> copy_operations(const View& view);
MetricsSnapshot copy_metrics(const View& view);

/// Operations have the labels type and op. The histogram of an operation appears with its first call; until
/// then there are only its counters, at 0.
std::string to_exposition(const MetricsSnapshot& snapshot, double uptime_s);

}  // namespace tandem::server
