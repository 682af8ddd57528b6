#include "server/service_view.hpp"

#include <set>

#include "server/session/channel.hpp"

namespace tandem::server {
namespace {

ClientInfo info_of(const Session& session, const Registry& registry) {
  std::set<std::uint32_t> actors;  // the last user of each channel
  std::map<std::string, std::uint64_t> paths;
  for (const Channel* channel : session.channels) {
    if (channel->last_actor()) actors.insert(*channel->last_actor());
    ++paths[std::string(channel->transport().path())];
  }
  return {session.id,
          session.pid,
          session.peer.uid,
          session.peer.address,
          session.channels.size(),
          std::move(paths),
          actors.size(),
          session.requests_under_way,
          registry.references_of(session.id),
          session.outbox_bytes,
          session.left_lanes.size()};
}

OperationCounts counts_of(std::uint64_t count, std::uint64_t errors, const LatencyHistogram& latency) {
  static_assert(LatencyHistogram::bucket_count == OperationCounts::bucket_count);
  OperationCounts counts;
  counts.count = count;
  counts.errors = errors;
  counts.latency_counts = latency.counts();
  counts.latency_sum_ns = latency.sum_ns();
  return counts;
}
OperationCounts counts_of(const OperationStatistics& statistics) {
  return counts_of(statistics.count, statistics.errors, statistics.latency);
}

}  // namespace

std::vector<ClientInfo> ServiceView::sessions(std::uint64_t after, std::size_t limit) const {
  std::vector<ClientInfo> found;
  const auto& all = service_.sessions().all();
  for (auto at = all.upper_bound(after); at != all.end() && found.size() < limit; ++at)
    found.push_back(info_of(at->second, service_.engine().registry()));
  return found;
}

OperationCounts ServiceView::operation(std::size_t index) const {
  return counts_of(service_.statistics().operations.at(index));
}

OperationCounts ServiceView::unresolved() const {
  return counts_of(service_.statistics().unresolved);
}

std::optional<JournalInfo> ServiceView::journal() const {
  const Journal* journal = service_.journal();
  if (journal == nullptr) return std::nullopt;
  const CommitStatistics counted = journal->statistics();
  JournalInfo info;
  info.folder = journal->folder();
  info.level = name_of(journal->level());
  info.start = journal->start_number();
  info.index = journal->index();
  info.written_index = journal->written_index();
  info.synced_index = journal->synced_index();
  info.safe_index = journal->safe_index();
  info.pending_bytes = journal->pending_bytes();
  info.log_bytes = journal->log_bytes();
  info.free_bytes = journal->free_bytes();
  info.commits = counted.commits;
  info.syncs = counted.syncs;
  info.times_full = counted.times_full;
  info.written_bytes = counted.body_bytes;
  info.full_because = counted.full_because;
  info.commit_time = counts_of(counted.commits, 0, counted.commit_time);
  info.recovered_inputs = journal->recovered().inputs;
  info.recovery_ms = journal->recovered().took_ms;
  const SnapshotStatistics& snapshots = journal->snapshot_statistics;
  info.snapshots = snapshots.made;
  info.snapshots_failed = snapshots.failed;
  info.snapshot_bytes = snapshots.bytes;
  info.snapshot_pause_us = snapshots.pause_us;
  info.snapshot_pause_us_max = snapshots.pause_us_max;
  return info;
}

std::vector<Metric> ServiceView::metrics() const {
  std::vector<Metric> all;
  auto add = [&](std::string_view name, std::string_view help, Metric::Kind kind, std::uint64_t value) {
    all.push_back({name, help, kind, {}, static_cast<double>(value)});
  };
  constexpr auto gauge = Metric::Kind::gauge;
  constexpr auto counter = Metric::Kind::counter;
  const Statistics& counted = service_.statistics();
  add("channels", "Open channels, those in their handshake included.", gauge, service_.channels().size());
  add("messages_memory_bytes", "Memory held by unfinished requests and unsent replies.", gauge,
      service_.messages_bytes());
  add("connections_accepted", "Connections accepted.", counter, counted.connections_accepted);
  add("sessions_opened", "Sessions opened.", counter, counted.sessions_opened);
  add("lanes_resumed", "Channels that clients have continued over another connection.", counter,
      counted.lanes_resumed);
  add("replies_kept_bytes", "Replies kept until their clients have read them.", gauge,
      service_.engine().kept().memory_bytes());
  add("sessions_lost", "Sessions ended because nothing was heard of their clients.", counter,
      counted.sessions_lost);
  add("waiters", "Requests that wait for a lock, an item, an event.", gauge,
      service_.engine().waits().size());
  add("protocol_errors", "Channels closed because the client broke the protocol.", counter,
      counted.protocol_errors);
  add("deadlocks_found", "Cycles of waits for locks, refused or not.", counter, counted.deadlocks_found);
  add("requests_refused", "Requests refused by a limit before they were carried out.", counter,
      counted.requests_refused);
  add("replies_refused", "Replies withheld by a limit after their requests were carried out.", counter,
      counted.replies_refused);
  add("received_bytes", "Bytes received from clients.", counter, counted.bytes_received);
  add("sent_bytes", "Bytes sent to clients.", counter, counted.bytes_sent);
  if (const std::optional<JournalInfo> info = journal()) {
    add("journal_index", "Inputs recorded since the journal began.", gauge, info->index);
    add("journal_safe_index", "Inputs that are safe at the journal's level.", gauge, info->safe_index);
    add("journal_synced_index", "Inputs that survive a power failure.", gauge, info->synced_index);
    add("journal_pending_bytes", "Bytes recorded and not handed to the log yet.", gauge, info->pending_bytes);
    add("journal_log_bytes", "Bytes that the journal occupies.", gauge, info->log_bytes);
    add("journal_free_bytes", "Room on the journal's disk.", gauge, info->free_bytes);
    add("journal_commits", "Batches appended to the log.", counter, info->commits);
    add("journal_syncs", "Batches for which the disk was waited for.", counter, info->syncs);
    add("journal_full", "Attempts to append that found no room.", counter, info->times_full);
    add("journal_written_bytes", "Bytes of records appended to the log.", counter, info->written_bytes);
    add("journal_snapshots", "Snapshots made.", counter, info->snapshots);
    add("journal_snapshots_failed", "Snapshots that could not be made.", counter, info->snapshots_failed);
    add("journal_snapshot_bytes", "Size of the last snapshot.", gauge, info->snapshot_bytes);
    all.push_back({"journal_snapshot_pause_max_seconds",
                   "The longest time for which a snapshot stopped the engine.",
                   gauge,
                   {},
                   static_cast<double>(info->snapshot_pause_us_max) / 1e6});
    all.push_back({"journal_commit_seconds",
                   "Time that batches took to be appended, in all.",
                   counter,
                   {},
                   static_cast<double>(info->commit_time.latency_sum_ns) / 1e9});
  }
  for (std::size_t i = 0; i < handshake_failure_count; ++i) {
    add("handshakes_failed", "Channels that did not get through their handshake, by reason.", counter,
        counted.handshakes_failed[i]);
    all.back().labels = {{"reason", std::string(name_of(static_cast<HandshakeFailure>(i)))}};
  }
  return all;
}

}  // namespace tandem::server
