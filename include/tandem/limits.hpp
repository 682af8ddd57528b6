#pragma once
// The limits of a manager: each has a name (its unit last), a default, a flag of tandemd (`--NAME` with
// dashes) and an entry in the debug endpoint's /info. Beyond it there is an error, ResourceExhausted, whose text names
// the limit; orphaned_keys_max alone forgets instead.

#include "tandem/cxx20.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace tandem {

struct Limits {
  std::uint64_t frame_bytes_max = std::uint64_t{1} << 20;
  std::uint64_t message_bytes_max = std::uint64_t{256} << 20;
  std::uint64_t value_depth_max = 128;
  std::uint64_t outbox_bytes_max = std::uint64_t{512} << 20;
  std::uint64_t requests_under_way_max = 65'536;
  std::uint64_t sessions_max = 10'000;
  std::uint64_t channels_max = 20'000;
  std::uint64_t objects_max = 10'000'000;
  std::uint64_t name_bytes_max = 1'024;
  std::uint64_t memory_bytes_max = 0;
  std::uint64_t handshake_ms_max = 30'000;
  std::uint64_t session_lease_ms = 10'000;
  std::uint64_t session_resume_ms = 2'000;
  std::uint64_t session_grace_ms = 10'000;
  std::uint64_t replies_kept_bytes_max = std::uint64_t{16} << 20;
  std::uint64_t ring_bytes = std::uint64_t{64} << 10;
  std::uint64_t step_elements_max = std::uint64_t{1} << 20;
  std::uint64_t orphaned_keys_max = 65'536;
  std::uint64_t journal_sync_ms = 1'000;
  std::uint64_t journal_pending_bytes_max = std::uint64_t{64} << 20;
  std::uint64_t journal_free_bytes_min = std::uint64_t{256} << 20;
  std::uint64_t recovery_ms_max = 10'000;
};

/// The highest value_depth_max.
inline constexpr std::uint64_t value_depth_most = 1000;

struct LimitDescription {
  std::string_view name;
  std::uint64_t Limits::*member;
  std::uint64_t least;
  std::uint64_t most;
  std::string_view help;
};

inline constexpr std::array<LimitDescription, 22> limit_descriptions{{
    {"frame_bytes_max", &Limits::frame_bytes_max, 4096, std::uint64_t{1} << 30,
     "longest frame on a channel; longer messages travel in several frames"},
    {"message_bytes_max", &Limits::message_bytes_max, 4096, std::uint64_t{1} << 31,
     "longest request, and so longest value"},
    {"value_depth_max", &Limits::value_depth_max, 1, value_depth_most, "deepest nesting of a value"},
    {"outbox_bytes_max", &Limits::outbox_bytes_max, 8192, std::uint64_t{1} << 40,
     "replies of one session that its client has not read yet; also the longest reply"},
    {"requests_under_way_max", &Limits::requests_under_way_max, 1, std::uint64_t{1} << 32,
     "requests of one session whose replies its client has not read yet"},
    {"sessions_max", &Limits::sessions_max, 1, std::uint64_t{1} << 32, "client processes at once"},
    {"channels_max", &Limits::channels_max, 1, std::uint64_t{1} << 32,
     "open channels at once, all sessions together"},
    {"objects_max", &Limits::objects_max, 1, std::uint64_t{1} << 40, "hosted objects at once"},
    {"name_bytes_max", &Limits::name_bytes_max, 1, std::uint64_t{1} << 20, "longest name of an object"},
    {"memory_bytes_max", &Limits::memory_bytes_max, 0, std::uint64_t{1} << 50,
     "memory held by objects and messages; 0: three quarters of the machine's"},
    {"handshake_ms_max", &Limits::handshake_ms_max, 1, 600'000,
     "time from accepting a channel to a finished handshake"},
    {"session_lease_ms", &Limits::session_lease_ms, 0, 86'400'000,
     "silence after which the session of a client on another machine ends (its library sends something in "
     "time by itself); 0: never"},
    {"session_resume_ms", &Limits::session_resume_ms, 0, 86'400'000,
     "for how long a session whose connections broke can be resumed; 0: it ends at once, and so does every "
     "session of a "
     "client on the manager's machine, whose process has ended"},
    {"session_grace_ms", &Limits::session_grace_ms, 0, 86'400'000,
     "for how long after a start with a journal the sessions of the last one can be resumed; 0: they are "
     "ended"},
    {"replies_kept_bytes_max", &Limits::replies_kept_bytes_max, 0, std::uint64_t{1} << 40,
     "replies of one session kept until its client has read them, on top of memory_bytes_max, of which all "
     "sessions "
     "together keep a sixteenth; the results of further ones are not kept, and a client that has to ask for "
     "one again "
     "gets ReplyLost"},
    {"ring_bytes", &Limits::ring_bytes, 4096, std::uint64_t{1} << 30,
     "shared memory of a channel, each way; rounded up to a power of two"},
    {"step_elements_max", &Limits::step_elements_max, 1'000, std::uint64_t{1} << 40,
     "elements that one operation or batch may insert, copy or sort, during which no other is served; 16 "
     "times as many may be looked at"},
    {"orphaned_keys_max", &Limits::orphaned_keys_max, 0, std::uint64_t{1} << 32,
     "keys of a Locks kept only to tell their next owner that the last one died; the oldest are forgotten"},
    {"journal_sync_ms", &Limits::journal_sync_ms, 1, 86'400'000,
     "time after which what was written to the journal is on the disk, whatever its level"},
    {"journal_pending_bytes_max", &Limits::journal_pending_bytes_max, 4096, std::uint64_t{1} << 40,
     "bytes recorded and not yet written to the journal; beyond it, clients' requests are read later"},
    {"journal_free_bytes_min", &Limits::journal_free_bytes_min, 0, std::uint64_t{1} << 50,
     "room on the journal's disk; with less, operations that write are refused, and with a sixteenth of it "
     "all that "
     "change anything"},
    {"recovery_ms_max", &Limits::recovery_ms_max, 100, 86'400'000,
     "how long a start with a journal may take to recover: a snapshot is made before a replay would take "
     "longer"},
}};

/// Null if there is no limit of this name.
constexpr const LimitDescription* find_limit(std::string_view name) {
  for (const LimitDescription& limit : limit_descriptions)
    if (limit.name == name) return &limit;
  return nullptr;
}

}  // namespace tandem
