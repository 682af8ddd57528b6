#include "server/session/statistics.hpp"

namespace tandem::server {

std::uint64_t LatencyHistogram::quantile_ns(double share) const {
  std::uint64_t total = 0;
  for (std::uint64_t count : counts_) total += count;
  if (total == 0) return 0;
  double wanted = share * static_cast<double>(total);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
    seen += counts_[bucket];
    if (seen != 0 && static_cast<double>(seen) >= wanted) return bound_ns(bucket);
  }
  return bound_ns(bucket_count - 1);
}

std::string_view name_of(HandshakeFailure reason) {
  switch (reason) {
    case HandshakeFailure::garbage: return "garbage";
    case HandshakeFailure::version: return "version";
    case HandshakeFailure::authkey: return "authkey";
    case HandshakeFailure::uid: return "uid";
    case HandshakeFailure::session: return "session";
    case HandshakeFailure::limit: return "limit";
    case HandshakeFailure::timeout: return "timeout";
    case HandshakeFailure::cut_short: return "cut_short";
    case HandshakeFailure::shutting_down: return "shutting_down";
  }
  return "unknown";
}

}  // namespace tandem::server
