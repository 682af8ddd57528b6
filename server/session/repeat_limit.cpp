#include "server/session/repeat_limit.hpp"

#include <algorithm>

namespace tandem::server {

bool RepeatLimit::admit(std::string_view reason, std::string_view source, std::uint64_t now_ns) {
  std::pair<std::string, std::string> key(reason, source);
  auto found = windows_.find(key);
  if (found == windows_.end() && windows_.size() >= sources_max) {
    key.second = "further addresses";
    found = windows_.find(key);
  }
  if (found == windows_.end()) {
    found = windows_.emplace(std::move(key), Window{now_ns + window_ns, 0}).first;
    next_ns_ = std::min(next_ns_, found->second.end_ns);
  }
  return ++found->second.count <= logged_max;
}

std::vector<RepeatLimit::Repeated> RepeatLimit::report(std::uint64_t now_ns, bool all) {
  std::vector<Repeated> repeated;
  next_ns_ = static_cast<std::uint64_t>(-1);
  for (auto at = windows_.begin(); at != windows_.end();) {
    const auto& [key, window] = *at;
    if (!all && window.end_ns > now_ns) {
      next_ns_ = std::min(next_ns_, window.end_ns);
      ++at;
      continue;
    }
    if (window.count > logged_max) repeated.push_back({key.first, key.second, window.count - logged_max});
    at = windows_.erase(at);
  }
  return repeated;
}

}  // namespace tandem::server
