#pragma once
// What the debug endpoint shows besides the hosted objects; implemented by the owner of the manager. Used on
// the engine's thread only; it returns copies, which the endpoint passes to its own threads.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/engine/engine.hpp"

namespace tandem::server {

/// One client process.
struct ClientInfo {
  std::uint64_t id = 0;
  std::uint32_t pid = 0;             // as the client says
  std::optional<std::uint32_t> uid;  // reported by the kernel; only for clients on this machine
  std::string peer;
  std::uint64_t channels = 0;
  /// Number of channels per path: "ring", "unix", "tcp", "in-process".
  std::map<std::string, std::uint64_t> paths{};
  std::uint64_t threads = 0;  // of the client: the different last users of its channels
  /// Requests not completely received, parked, or with a reply not completely sent.
  std::uint64_t requests_under_way = 0;
  std::uint64_t references = 0;    // to hosted objects
  std::uint64_t outbox_bytes = 0;  // unsent replies
  std::uint64_t lanes_left = 0;    // channels without a connection, which can be resumed
};

/// Counters of one operation.
struct OperationCounts {
  static constexpr std::size_t bucket_count = 40;

  std::uint64_t count = 0;
  std::uint64_t errors = 0;  // part of `count`
  /// Bucket i counts durations below 2^i ns that the lower buckets do not count; the last one counts all the
  /// rest.
  std::array<std::uint64_t, bucket_count> latency_counts{};
  std::uint64_t latency_sum_ns = 0;
};

/// One sample for /metrics. Samples of the same name are adjacent and have the same help and kind.
struct Metric {
  enum class Kind : std::uint8_t { counter, gauge };
  std::string_view name;  // without the prefix "tandem_"; counters without "_total"
  std::string_view help;
  Kind kind = Kind::gauge;
  std::vector<std::pair<std::string_view, std::string>> labels;
  double value = 0;
};

/// The journal, for /journal.
struct JournalInfo {
  std::string folder;
  std::string_view level;
  std::uint64_t start = 0;
  std::uint64_t index = 0;  // of the last input
  std::uint64_t written_index = 0;
  std::uint64_t synced_index = 0;
  std::uint64_t safe_index = 0;  // at the level
  std::uint64_t pending_bytes = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t commits = 0;
  std::uint64_t syncs = 0;
  std::uint64_t times_full = 0;
  std::uint64_t written_bytes = 0;  // of records
  std::string full_because;
  OperationCounts commit_time;
  std::uint64_t recovered_inputs = 0;
  std::uint64_t recovery_ms = 0;
  std::uint64_t snapshots = 0;  // made while the manager runs
  std::uint64_t snapshots_failed = 0;
  std::uint64_t snapshot_bytes = 0;
  std::uint64_t snapshot_pause_us = 0;  // for which the last one stopped the engine
  std::uint64_t snapshot_pause_us_max = 0;
};

class View {
 public:
  virtual const Engine& engine() const = 0;
  /// The time, of the engine's clock.
  virtual std::uint64_t now_ns() const = 0;
  virtual std::uint64_t sessions_count() const = 0;
  /// At most `limit` sessions with ids above `after`, in the order of ids.
  virtual std::vector<ClientInfo> sessions(std::uint64_t after, std::size_t limit) const = 0;
  /// Counters of Engine::operations()[index].
  virtual OperationCounts operation(std::size_t index) const = 0;
  /// Counters of requests for objects or operations that do not exist.
  virtual OperationCounts unresolved() const = 0;
  virtual std::vector<Metric> metrics() const = 0;
  /// None if there is no journal.
  virtual std::optional<JournalInfo> journal() const { return std::nullopt; }

 protected:
  ~View() = default;
};

}  // namespace tandem::server
