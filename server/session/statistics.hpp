#pragma once
// Counters of a manager. Plain integers, written and read on the engine's thread only.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "server/structures/latency_histogram.hpp"
#include "tandem/error.hpp"

namespace tandem::server {

struct OperationStatistics {
  std::uint64_t count = 0;
  std::uint64_t errors = 0;  // outcomes other than ok; part of `count`
  LatencyHistogram latency;
};

/// Why a handshake failed.
enum class HandshakeFailure : std::uint8_t {
  garbage,        // the first bytes are not those of a tandem client
  version,        // another version of the protocol
  authkey,        // a wrong proof
  uid,            // the manager has no authkey, and the client is another user's
  session,        // the session to join or to inherit from does not exist, or its secret is wrong
  limit,          // sessions_max or channels_max
  timeout,        // handshake_ms_max
  cut_short,      // the client disconnected during the handshake
  shutting_down,  // the manager is stopping
};
inline constexpr std::size_t handshake_failure_count = 9;
std::string_view name_of(HandshakeFailure reason);

struct Statistics {
  /// `operation_count`: size of Engine::operations(), whose indices `operations` uses.
  explicit Statistics(std::size_t operation_count) : operations(operation_count) {}

  std::vector<OperationStatistics> operations;
  OperationStatistics unresolved;      // requests for objects or operations that do not exist
  std::uint64_t requests_refused = 0;  // by a limit before the engine ran them, or for lack of memory
  std::uint64_t replies_refused = 0;   // by a limit, after the engine had run the requests

  std::uint64_t connections_accepted = 0;
  std::uint64_t lanes_resumed = 0;  // channels whose clients went on over another connection
  std::uint64_t sessions_lost = 0;  // ended because their clients were silent for too long
  std::uint64_t sessions_opened = 0;
  std::uint64_t protocol_errors = 0;
  std::uint64_t deadlocks_found = 0;  // cycles of requests that wait for each other
  std::array<std::uint64_t, handshake_failure_count> handshakes_failed{};
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;

  /// `operation`: of an Outcome.
  void count_operation(std::uint16_t operation, Code code, std::uint64_t nanoseconds) {
    OperationStatistics& one = operation < operations.size() ? operations[operation] : unresolved;
    ++one.count;
    one.errors += code != Code::ok;
    one.latency.add(nanoseconds);
  }
};

}  // namespace tandem::server
