#include "server/debug/pages.hpp"

#include "server/debug/exposition.hpp"
#include "server/engine/deadlocks.hpp"
#include "server/engine/overview.hpp"

namespace tandem::server {
namespace {

using Json = nlohmann::ordered_json;

Answer answer_index(const Target&, const StartupInfo&, EngineQuery&);

Answer answer_health(const Target& target, const StartupInfo&, EngineQuery& ask) {
  target.allow_only({});
  query_or_refuse(ask, [](const View&) {});
  return {.body = dump({{"status", "ok"}})};
}

Answer answer_info(const Target& target, const StartupInfo& startup_info, EngineQuery& ask) {
  target.allow_only({});
  ServerInfo server_info;
  Limits limits;
  std::uint64_t objects = 0, sessions = 0, memory_bytes = 0;
  query_or_refuse(ask, [&](const View& view) {
    const Engine& engine = view.engine();
    server_info = engine.server_info();
    limits = engine.limits();
    objects = engine.registry().size();
    memory_bytes = engine.registry().memory_bytes();
    sessions = view.sessions_count();
  });
  std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - startup_info.started;
  Json limits_json = Json::object();
  for (const LimitDescription& limit : limit_descriptions)
    limits_json[std::string(limit.name)] = limits.*limit.member;
  return {.body = dump({{"version", server_info.version},
                        {"pid", server_info.pid},
                        {"incarnation", server_info.incarnation_hex},
                        {"started_ms", server_info.started_ms},
                        {"uptime_s", uptime.count()},
                        {"objects", objects},
                        {"sessions", sessions},
                        {"memory_bytes", memory_bytes},
                        {"flags", startup_info.flags},
                        {"limits", std::move(limits_json)}})};
}

Json json_of(const ClientInfo& session) {
  return {{"id", session.id},
          {"pid", session.pid},
          {"uid", session.uid ? Json(*session.uid) : Json(nullptr)},
          {"peer", session.peer},
          {"channels", session.channels},
          {"paths", session.paths},
          {"threads", session.threads},
          {"requests_under_way", session.requests_under_way},
          {"references", session.references},
          {"outbox_bytes", session.outbox_bytes},
          {"lanes_left", session.lanes_left}};
}

Answer answer_sessions(const Target& target, const StartupInfo&, EngineQuery& ask) {
  target.allow_only({"limit", "cursor"});
  auto limit = static_cast<std::size_t>(target.number("limit", page_limit_default, 1, page_limit_max));
  std::uint64_t after = target.number("cursor", 0, 0, ~std::uint64_t{0});
  std::vector<ClientInfo> found;
  query_or_refuse(ask, [&](const View& view) { found = view.sessions(after, limit + 1); });
  Json next = nullptr;
  if (found.size() > limit) {
    found.resize(limit);
    next = found.back().id;
  }
  Json sessions = Json::array();
  for (const ClientInfo& session : found) sessions.push_back(json_of(session));
  return {.body = dump({{"sessions", std::move(sessions)}, {"next_cursor", std::move(next)}})};
}

Json json_of(const ObjectLabel& object, Owner owner, std::uint32_t pid) {
  return {{"object", object.id},
          {"type", object.type},
          {"name", object.name.empty() ? Json(nullptr) : Json(object.name)},
          {"session", owner.session},
          {"pid", pid},
          {"actor", owner.actor}};
}
Json json_of(const WaitInfo& wait) {
  Json json = json_of(wait.object, wait.owner, wait.pid);
  json["ticket"] = wait.ticket;
  json["operation"] = wait.operation;
  json["waited_ms"] = static_cast<double>(wait.waited_ns) / 1e6;
  json["left_ms"] = wait.left_ns == never_ns ? Json(nullptr) : Json(static_cast<double>(wait.left_ns) / 1e6);
  return json;
}
Json json_of(const HoldingInfo& holding) {
  Json json = json_of(holding.object, holding.owner, holding.pid);
  json["mode"] = holding.mode;
  json["key"] = holding.key.empty() ? Json(nullptr) : Json(holding.key);
  json["count"] = holding.count;
  json["token"] = holding.token == 0 ? Json(nullptr) : Json(holding.token);
  json["held_ms"] = static_cast<double>(holding.held_ns) / 1e6;
  return json;
}

// ---- deadlocks: the graph is copied by many short questions, and searched on this thread ----

constexpr std::size_t edges_per_question_max = 4'096;
constexpr std::size_t edges_max = 1'000'000;  // in all; a larger graph is searched in part
constexpr std::size_t links_per_question_max = 200;

/// Returns whether `edges` are all of those that there were at the beginning.
bool copy_wait_graph(EngineQuery& ask, std::vector<WaitEdge>& edges) {
  Ticket after = 0;
  Ticket end = 0;
  do {
    query_or_refuse(ask, [&](const View& view) {
      const Waits& waits = view.engine().waits();
      if (end == 0) end = waits.next_ticket();
      after = copy_edges(waits, after, edges_per_question_max, edges);
    });
    if (edges.size() >= edges_max) return after == 0;
  } while (after != 0 && after + 1 < end);
  return true;
}

/// Returns the text of a cycle that was found in a copy, empty if it is over. All its links were there when
/// they were copied, and are there when they are looked at again here; no request waits twice under one ticket.
/// So there is a moment between at which all of them were there.
std::string describe_cycle(EngineQuery& ask, std::span<const WaitEdge> cycle) {
  std::string text;
  bool is_over = false;
  for (std::size_t begin = 0; begin < cycle.size() && !is_over; begin += links_per_question_max) {
    const auto part = cycle.subspan(begin, std::min(links_per_question_max, cycle.size() - begin));
    query_or_refuse(ask, [&](const View& view) {
      const EngineState& state = view.engine().state();
      WaitCycle links;
      for (const WaitEdge& edge : part) {
        const std::optional<WaitCycle::Link> link = find_link(state.waits, edge);
        if (!link) return void(is_over = true);
        links.links.push_back(*link);
      }
      if (begin == 0)
        text = describe(
            links, [&](SessionId session) { return state.pid_of(session); }, cycle.size() - part.size());
    });
  }
  return is_over ? std::string() : text;
}

struct DeadlocksPage {
  std::vector<std::string> texts;
  Json next = nullptr;
  bool complete = true;
};

/// Cycles whose first tickets are above `after`, at most `limit`.
DeadlocksPage find_deadlocks(EngineQuery& ask, Ticket after, std::size_t limit) {
  DeadlocksPage page;
  std::vector<WaitEdge> edges;
  page.complete = copy_wait_graph(ask, edges);
  std::size_t bytes = 0;
  for (const std::vector<WaitEdge>& cycle : find_cycles(edges)) {
    const Ticket first = cycle.front().ticket;
    if (first <= after) continue;
    if (page.texts.size() == limit || bytes > page_bytes_max) {
      page.next = after;
      break;
    }
    after = first;
    std::string text = describe_cycle(ask, cycle);
    if (text.empty()) continue;
    bytes += text.size();
    page.texts.push_back(std::move(text));
  }
  return page;
}

/// Puts small pages together. Returns the cursor to continue from.
Json collect_holdings(EngineQuery& ask, HoldingsCursor after, std::size_t limit, Json& owned) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(search_ms_max);
  for (;;) {
    HoldingsPage page;
    query_or_refuse(ask, [&](const View& view) {
      page = holdings(view.engine().state(), view.now_ns(), after, limit - owned.size());
    });
    for (const HoldingInfo& holding : page.holdings) owned.push_back(json_of(holding));
    if (!page.next) return nullptr;
    after = *page.next;
    if (owned.size() == limit || std::chrono::steady_clock::now() > deadline) return to_text(after);
  }
}

Answer answer_waits(const Target& target, const StartupInfo&, EngineQuery& ask) {
  target.allow_only({"limit", "cursor", "holdings_cursor", "deadlocks_cursor"});
  auto limit = static_cast<std::size_t>(target.number("limit", page_limit_default, 1, page_limit_max));
  std::uint64_t after = target.number("cursor", 0, 0, ~std::uint64_t{0});
  std::uint64_t deadlocks_after = target.number("deadlocks_cursor", 0, 0, ~std::uint64_t{0});
  const auto held_after = parse_holdings_cursor(target.text("holdings_cursor").value_or(""));
  if (!held_after) throw Refused{400, "holdings_cursor is no value of next_holdings_cursor"};
  std::vector<WaitInfo> waiting;
  std::uint64_t next = 0;
  query_or_refuse(ask, [&](const View& view) {
    waiting = waits(view.engine().state(), view.now_ns(), after, limit, next);
  });
  Json waiters = Json::array(), owned = Json::array();
  for (const WaitInfo& wait : waiting) waiters.push_back(json_of(wait));
  Json held_next = collect_holdings(ask, *held_after, limit, owned);
  DeadlocksPage deadlocks = find_deadlocks(ask, deadlocks_after, limit);
  return {.body = dump({{"waiters", std::move(waiters)},
                        {"next_cursor", next == 0 ? Json(nullptr) : Json(next)},
                        {"deadlocks", std::move(deadlocks.texts)},
                        {"deadlocks_complete", deadlocks.complete},
                        {"next_deadlocks_cursor", std::move(deadlocks.next)},
                        {"holdings", std::move(owned)},
                        {"next_holdings_cursor", std::move(held_next)}})};
}

/// Returns a bound below which at least `share` of the durations lie; null if none were counted.
Json quantile(const OperationCounts& counts, double share) {
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < OperationCounts::bucket_count; ++bucket) {
    seen += counts.latency_counts[bucket];
    if (seen != 0 && static_cast<double>(seen) >= share * static_cast<double>(counts.count))
      return std::uint64_t{1} << bucket;
  }
  return nullptr;
}

Json json_of(const OperationCounts& counts) {
  Json buckets = Json::array();
  for (std::size_t bucket = 0; bucket < OperationCounts::bucket_count; ++bucket) {
    if (counts.latency_counts[bucket] == 0) continue;
    bool last = bucket + 1 == OperationCounts::bucket_count;
    buckets.push_back({{"below_ns", last ? Json(nullptr) : Json(std::uint64_t{1} << bucket)},
                       {"count", counts.latency_counts[bucket]}});
  }
  return {{"count", counts.count},
          {"errors", counts.errors},
          {"latency",
           {{"sum_ns", counts.latency_sum_ns},
            {"p50_below_ns", quantile(counts, 0.5)},
            {"p90_below_ns", quantile(counts, 0.9)},
            {"p99_below_ns", quantile(counts, 0.99)},
            {"buckets", std::move(buckets)}}}};
}

Answer answer_operations(const Target& target, const StartupInfo&, EngineQuery& ask) {
  target.allow_only({"type"});
  std::optional<std::string> type = target.text("type");
  std::vector<CountedOperation> all;
  OperationCounts unresolved;
  query_or_refuse(ask, [&](const View& view) {
    all = copy_operations(view);
    unresolved = view.unresolved();
  });
  Json operations = Json::array();
  for (const CountedOperation& one : all) {
    if (type && one.operation.type->name != *type) continue;
    const ops::OpDescription& op = *one.operation.op;
    Json json = {{"type", one.operation.type->name},
                 {"name", op.name},
                 {"number", op.number},
                 {"signature", op.signature},
                 {"effect", ops::name_of(op.effect)}};
    json.update(json_of(one.counts));
    operations.push_back(std::move(json));
  }
  if (type && operations.empty()) throw Refused{400, "there is no hosted type '" + *type + "'"};
  return {.body = dump({{"operations", std::move(operations)}, {"unresolved", json_of(unresolved)}})};
}

Json json_of(const JournalInfo& journal) {
  Json commits = json_of(journal.commit_time)["latency"];
  return {{"folder", journal.folder},
          {"level", journal.level},
          {"start", journal.start},
          {"index", journal.index},
          {"written_index", journal.written_index},
          {"synced_index", journal.synced_index},
          {"safe_index", journal.safe_index},
          {"pending_bytes", journal.pending_bytes},
          {"log_bytes", journal.log_bytes},
          {"free_bytes", journal.free_bytes},
          {"written_bytes", journal.written_bytes},
          {"commits", journal.commits},
          {"syncs", journal.syncs},
          {"times_full", journal.times_full},
          {"full_because", journal.full_because.empty() ? Json(nullptr) : Json(journal.full_because)},
          {"commit_time", std::move(commits)},
          {"recovered_inputs", journal.recovered_inputs},
          {"recovery_ms", journal.recovery_ms},
          {"snapshots", journal.snapshots},
          {"snapshots_failed", journal.snapshots_failed},
          {"snapshot_bytes", journal.snapshot_bytes},
          {"snapshot_pause_us", journal.snapshot_pause_us},
          {"snapshot_pause_us_max", journal.snapshot_pause_us_max}};
}

Answer answer_journal(const Target& target, const StartupInfo&, EngineQuery& ask) {
  target.allow_only({});
  std::optional<JournalInfo> journal;
  query_or_refuse(ask, [&](const View& view) { journal = view.journal(); });
  return {.body = dump({{"journal", journal ? json_of(*journal) : Json(nullptr)}})};
}

Answer answer_metrics(const Target& target, const StartupInfo& startup_info, EngineQuery& ask) {
  target.allow_only({});
  MetricsSnapshot snapshot;
  query_or_refuse(ask, [&](const View& view) { snapshot = copy_metrics(view); });
  std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - startup_info.started;
  return {.content_type = std::string(exposition_content_type),
          .body = to_exposition(snapshot, uptime.count())};
}

// ---- the table -------------------------------------------------------------------------------------------

struct Route {
  std::string_view path;  // as shown; one with '{' stands for every path that begins with the text before it
  std::string_view parameters;  // as shown
  std::string_view description;
  Answer (*answer)(const Target&, const StartupInfo&, EngineQuery&);
};

constexpr Route routes[] = {
    {"/", "", "this list", answer_index},
    {"/healthz", "", "200 when the manager answers, 503 when it does not in time or is starting",
     answer_health},
    {"/info", "", "version, process, uptime, incarnation, flags and limits", answer_info},
    {"/objects", "type, name, limit, cursor",
     "hosted objects in the order of their ids; name is a glob: * any characters, ? one, \\ before a "
     "character to take it as it is. next_cursor goes on from here, null at the end; a long search may "
     "give a short page",
     [](const Target& target, const StartupInfo&, EngineQuery& ask) { return answer_objects(target, ask); }},
    {"/objects/{name or id:ID}", "offset, cursor, limit, by",
     "one object and a page of its contents: items, or entries as [key, value]. next_offset and "
     "next_cursor go on from here, null at the end; by cursor an entry that stays is seen exactly once, "
     "whatever is changed meanwhile. by=name takes the path as a name even if it looks like id:7, by=id "
     "takes it as a bare id. What JSON cannot say is an object with one of the keys $bytes (base64), "
     "$tuple, $set, $map, $int, $float, $ref, $foreign, $timestamp, $extension; a value too long for a "
     "page is {\"$truncated\": its bytes, \"$kind\": …}",
     [](const Target& target, const StartupInfo&, EngineQuery& ask) { return answer_object(target, ask); }},
    {"/sessions", "limit, cursor", "client processes in the order of their ids", answer_sessions},
    {"/waits", "limit, cursor, holdings_cursor, deadlocks_cursor",
     "requests that wait, oldest first; cycles of owners who wait for each other; and what sessions own: "
     "locks with their "
     "fencing tokens, permits, leased items",
     answer_waits},
    {"/ops", "type", "every operation: what it is, how often it was called, how long it took",
     answer_operations},
    {"/journal", "",
     "the journal, null if there is none: its level, the index of the last input and of the last that is "
     "safe, bytes, "
     "commits and how long they took, why a batch finds no room, what the last start recovered, the "
     "snapshots "
     "made since and how long they stopped the engine",
     answer_journal},
    {"/metrics", "", "counters, gauges and histograms in the text format of Prometheus", answer_metrics},
};

Answer answer_index(const Target& target, const StartupInfo&, EngineQuery&) {
  target.allow_only({});
  Json endpoints = Json::array();
  for (const Route& route : routes) {
    Json parameters = Json::array();
    for (std::string_view left = route.parameters; !left.empty();) {
      std::size_t comma = left.find(", ");
      parameters.push_back(left.substr(0, comma));
      left = comma == left.npos ? std::string_view() : left.substr(comma + 2);
    }
    endpoints.push_back(
        {{"path", route.path}, {"parameters", std::move(parameters)}, {"description", route.description}});
  }
  return {.body = dump(
              {{"service", "tandem"}, {"methods", {"GET", "HEAD"}}, {"endpoints", std::move(endpoints)}})};
}

const Route* route_of(const std::string& path) {
  for (const Route& route : routes) {
    std::size_t brace = route.path.find('{');
    if (brace == route.path.npos ? path == route.path : path.starts_with(route.path.substr(0, brace)))
      return &route;
  }
  return nullptr;
}

Answer answer_or_throw(const Request& request, const StartupInfo& startup_info, EngineQuery& ask) {
  if (request.method != "GET" && request.method != "HEAD") {
    Answer answer =
        error_answer(405, "the debug endpoint is for reading: GET and HEAD only, not " + request.method);
    answer.headers.emplace_back("Allow", "GET, HEAD");
    return answer;
  }
  Target target = Target::parse(request.target);
  const Route* route = route_of(target.path());
  if (route == nullptr) throw Refused{404, "there is no " + target.path() + " here; / lists what there is"};
  return route->answer(target, startup_info, ask);
}

}  // namespace

Answer answer_request(const Request& request, const StartupInfo& startup_info, EngineQuery& ask) {
  try {
    return answer_or_throw(request, startup_info, ask);
  } catch (const Refused& refused) {
    return error_answer(refused.status, refused.message);
  } catch (const std::exception& error) {
    return error_answer(500, error.what());
  }
}

}  // namespace tandem::server
