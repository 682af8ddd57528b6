#pragma once
// Bounds what is logged of events that clients can cause as often as they like.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::server {

/// Per reason and source, a few events a minute are logged; the others are counted. Bounded memory: beyond
/// `sources_max` pairs in one minute, further sources share one entry for each reason.
class RepeatLimit {
 public:
  static constexpr std::uint64_t window_ns = 60'000'000'000;
  static constexpr unsigned logged_max = 5;
  static constexpr std::size_t sources_max = 200;

  /// Returns whether to log this event.
  bool admit(std::string_view reason, std::string_view source, std::uint64_t now_ns);

  /// When report() next has something to return or to forget; never_ns if nothing.
  std::uint64_t next_ns() const { return next_ns_; }

  struct Repeated {
    std::string reason;
    std::string source;
    std::uint64_t count = 0;  // events that were not logged
  };
  /// Ends the windows that began a minute before `now_ns` or earlier; `all`: every window.
  std::vector<Repeated> report(std::uint64_t now_ns, bool all = false);

 private:
  struct Window {
    std::uint64_t end_ns = 0;
    std::uint64_t count = 0;
  };

  std::map<std::pair<std::string, std::string>, Window> windows_;
  std::uint64_t next_ns_ = static_cast<std::uint64_t>(-1);
};

}  // namespace tandem::server
