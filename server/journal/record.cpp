#include "server/journal/record.hpp"

#include <algorithm>
#include <limits>

namespace tandem::server {
namespace {

enum Kind : unsigned {
  call_kind = 1,
  cancel_kind = 2,
  tick_kind = 3,
  opened_kind = 4,
  identified_kind = 5,
  closed_kind = 6,
  lane_opened_kind = 7,
  started_kind = 8,
  checked_kind = 10,
  stopped_kind = 11,
  acknowledged_kind = 12,
  lane_ended_kind = 13,
};

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

bool is_input(const Record& record) {
  return !std::holds_alternative<StopRecord>(record) && !std::holds_alternative<CheckRecord>(record);
}

std::string to_text(const Record& record) {
  auto session = [](SessionId id) { return "session " + std::to_string(id); };
  auto of_lane = [](LaneRequest sent_as) {
    return "request " + std::to_string(sent_as.request) + " of lane " + std::to_string(sent_as.lane);
  };
  return std::visit(
      Overloaded{
          [&](const Call& call) {
            return session(call.session) + " thread " + std::to_string(call.actor) + " calls operation " +
                   std::to_string(call.op) + " of object " + std::to_string(call.object) +
                   (call.token == 0 ? "" : " with token " + std::to_string(call.token)) + ", " +
                   std::to_string(call.arguments.size()) + " bytes of arguments" +
                   (call.sent_as.lane == 0 ? "" : ", " + of_lane(call.sent_as)) +
                   (call.is_again() ? ", sent again" : "") + (call.is_one_way() ? ", one way" : "");
          },
          [](const Cancel& input) {
            return "waiting request " + std::to_string(input.ticket) + " is cancelled";
          },
          [](const Tick&) { return std::string("the time advances"); },
          [&](const SessionOpened& input) {
            return session(input.session) + " of process " + std::to_string(input.client.pid) + " on " +
                   input.client.address + " opens" +
                   (input.inherits_from == 0 ? "" : ", from " + session(input.inherits_from));
          },
          [&](const SessionIdentified& input) {
            return session(input.session) + " is that of process " + std::to_string(input.pid);
          },
          [&](const SessionClosed& input) { return session(input.session) + " ends"; },
          [&](const LaneOpened& input) { return session(input.session) + " opens a lane"; },
          [&](const LaneEnded& input) {
            return session(input.session) + " lane " + std::to_string(input.lane) + " ends";
          },
          [&](const Acknowledged& input) {
            return session(input.session) + " has read the reply to " + of_lane(input.sent_as);
          },
          [](const StartRecord& record) {
            return "start " + std::to_string(record.start) + ": tandem " + record.input.server_info.version +
                   ", semantics " + std::to_string(record.semantics) + ", process " +
                   std::to_string(record.input.server_info.pid) + ", level " +
                   std::string(name_of(record.level)) +
                   (record.input.skip == 0 ? "" : ", ids raised by " + std::to_string(record.input.skip));
          },
          [](const StopRecord&) { return std::string("stopped in order"); },
          [](const CheckRecord& record) { return "effects " + std::to_string(record.effects); },
      },
      record);
}

// ---- writing ----------------------------------------------------------------------------------------------

wire::Writer RecordWriter::begin(wire::Buffer& out, std::size_t fields, unsigned kind, std::uint64_t now_ns) {
  wire::Writer writer(out);
  writer.array(2 + fields);
  writer.unsigned_integer(kind);
  now_ns = std::max(now_ns, before_ns_);
  writer.unsigned_integer(now_ns - before_ns_);
  before_ns_ = now_ns;
  return writer;
}

void RecordWriter::write(wire::Buffer& out, const Call& input) {
  wire::Writer writer = begin(out, 9, call_kind, input.now_ns);
  for (const std::uint64_t field :
       {input.session, std::uint64_t{input.actor}, input.object, std::uint64_t{input.op}, input.token,
        std::uint64_t{input.sent_as.lane}, std::uint64_t{input.sent_as.request}, std::uint64_t{input.flags}})
    writer.unsigned_integer(field);
  writer.bytes(input.arguments);
}

void RecordWriter::write(wire::Buffer& out, const Cancel& input) {
  begin(out, 1, cancel_kind, input.now_ns).unsigned_integer(input.ticket);
}

void RecordWriter::write(wire::Buffer& out, const Tick& input) {
  begin(out, 0, tick_kind, input.now_ns);
}

void RecordWriter::write(wire::Buffer& out, const SessionOpened& input) {
  wire::Writer writer = begin(out, 8, opened_kind, input.now_ns);
  writer.unsigned_integer(input.session);
  writer.unsigned_integer(input.inherits_from);
  writer.boolean(input.has_lanes);
  const SessionClient& client = input.client;
  writer.unsigned_integer(client.pid);
  writer.bytes(client.secret_hash);
  writer.text(client.address);
  writer.integer(client.uid ? std::int64_t{*client.uid} : -1);
  writer.text(client.process);
}

void RecordWriter::write(wire::Buffer& out, const SessionIdentified& input) {
  wire::Writer writer = begin(out, 3, identified_kind, input.now_ns);
  writer.unsigned_integer(input.session);
  writer.unsigned_integer(input.pid);
  writer.text(input.process);
}

void RecordWriter::write(wire::Buffer& out, const SessionClosed& input) {
  begin(out, 1, closed_kind, input.now_ns).unsigned_integer(input.session);
}

void RecordWriter::write(wire::Buffer& out, const LaneOpened& input) {
  begin(out, 1, lane_opened_kind, input.now_ns).unsigned_integer(input.session);
}

void RecordWriter::write(wire::Buffer& out, const LaneEnded& input) {
  wire::Writer writer = begin(out, 2, lane_ended_kind, input.now_ns);
  writer.unsigned_integer(input.session);
  writer.unsigned_integer(input.lane);
}

void RecordWriter::write(wire::Buffer& out, const Acknowledged& input) {
  wire::Writer writer = begin(out, 3, acknowledged_kind, input.now_ns);
  for (const std::uint64_t field :
       {input.session, std::uint64_t{input.sent_as.lane}, std::uint64_t{input.sent_as.request}})
    writer.unsigned_integer(field);
}

void RecordWriter::write(wire::Buffer& out, const StartRecord& record) {
  wire::Writer writer = begin(out, 12, started_kind, record.input.now_ns);
  const ServerInfo& info = record.input.server_info;
  for (const std::uint64_t field : {record.start, std::uint64_t{record.semantics},
                                    static_cast<std::uint64_t>(record.level), record.input.skip})
    writer.unsigned_integer(field);
  writer.text(info.version);
  writer.text(info.incarnation_hex);
  writer.text(info.boot_id);
  writer.unsigned_integer(info.pid);
  writer.integer(info.started_ms);
  writer.boolean(info.refuse_deadlocks);
  writer.map(limit_descriptions.size());
  for (const LimitDescription& limit : limit_descriptions) {
    writer.text(limit.name);
    writer.unsigned_integer(record.input.limits.*limit.member);
  }
  writer.array(record.types.size());
  for (const std::string& type : record.types) writer.text(type);
}

void RecordWriter::write(wire::Buffer& out, const StopRecord& record) {
  begin(out, 0, stopped_kind, record.now_ns);
}

void RecordWriter::write(wire::Buffer& out, const CheckRecord& record) {
  wire::Writer writer(out);
  writer.array(2);
  writer.unsigned_integer(checked_kind);
  writer.unsigned_integer(record.effects);
}

// ---- reading ----------------------------------------------------------------------------------------------

bool RecordReader::next(Record& record) {
  if (reader_.at_end() || !failure_.empty()) return false;
  const std::size_t left = reader_.rest().size();
  if (read(record) && left_ == 0) return true;
  failure_ = "no record that is known " + std::to_string(left) + " bytes before its end";
  return false;
}

bool RecordReader::number(std::uint32_t& v) {
  std::uint64_t wide = 0;
  if (!number(wide) || wide > std::numeric_limits<std::uint32_t>::max()) return false;
  v = static_cast<std::uint32_t>(wide);
  return true;
}

bool RecordReader::time(std::uint64_t& v) {
  std::uint64_t passed_ns = 0;
  if (!number(passed_ns) || passed_ns > ~before_ns_) return false;
  v = before_ns_ += passed_ns;
  return true;
}

bool RecordReader::text(std::string& v) {
  std::string_view read;
  if (left_ == 0 || !reader_.text(read)) return false;
  --left_;
  v = read;
  return true;
}

bool RecordReader::read(Record& record) {
  std::uint64_t kind = 0;
  if (!reader_.array(left_) || !number(kind)) return false;
  switch (kind) {
    case call_kind: return call(record);
    case cancel_kind: {
      auto& input = record.emplace<Cancel>();
      return time(input.now_ns) && number(input.ticket);
    }
    case tick_kind: return time(record.emplace<Tick>().now_ns);
    case opened_kind: return opened(record);
    case identified_kind: {
      auto& input = record.emplace<SessionIdentified>();
      return time(input.now_ns) && number(input.session) && number(input.pid) && text(input.process);
    }
    case lane_opened_kind: {
      auto& input = record.emplace<LaneOpened>();
      return time(input.now_ns) && number(input.session);
    }
    case lane_ended_kind: {
      auto& input = record.emplace<LaneEnded>();
      return time(input.now_ns) && number(input.session) && number(input.lane);
    }
    case acknowledged_kind: {
      auto& input = record.emplace<Acknowledged>();
      return time(input.now_ns) && number(input.session) && number(input.sent_as.lane) &&
             number(input.sent_as.request);
    }
    case closed_kind: {
      auto& input = record.emplace<SessionClosed>();
      return time(input.now_ns) && number(input.session);
    }
    case started_kind: return started(record);
    case checked_kind: return number(record.emplace<CheckRecord>().effects);
    case stopped_kind: return time(record.emplace<StopRecord>().now_ns);
    default: return false;
  }
}

bool RecordReader::boolean(bool& v) {
  return left_ != 0 && (--left_, reader_.boolean(v));
}

bool RecordReader::call(Record& record) {
  auto& input = record.emplace<Call>();
  std::uint64_t op = 0;
  std::uint64_t flags = 0;
  if (!time(input.now_ns) || !number(input.session) || !number(input.actor) || !number(input.object) ||
      !number(op) || op > std::numeric_limits<std::uint16_t>::max() || !number(input.token) ||
      !number(input.sent_as.lane) || !number(input.sent_as.request) || !number(flags) || left_ == 0)
    return false;
  input.op = static_cast<std::uint16_t>(op);
  input.flags = static_cast<std::uint8_t>(flags);
  --left_;
  return flags <= 0xff && reader_.bytes(input.arguments);
}

bool RecordReader::opened(Record& record) {
  auto& input = record.emplace<SessionOpened>();
  SessionClient& client = input.client;
  if (!time(input.now_ns) || !number(input.session) || !number(input.inherits_from) ||
      !boolean(input.has_lanes) || !number(client.pid) || left_ < 2)
    return false;
  wire::Bytes hash;
  std::int64_t uid = 0;
  left_ -= 2;
  if (!reader_.bytes(hash) || hash.size() != client.secret_hash.size() || !text(client.address) ||
      !reader_.int64(uid) || uid < -1 || uid > std::numeric_limits<std::uint32_t>::max() ||
      !text(client.process))
    return false;
  std::copy(hash.begin(), hash.end(), client.secret_hash.begin());
  if (uid >= 0) client.uid = static_cast<std::uint32_t>(uid);
  return true;
}

bool RecordReader::started(Record& record) {
  auto& start = record.emplace<StartRecord>();
  ServerInfo& info = start.input.server_info;
  std::uint64_t level = 0;
  if (!time(start.input.now_ns) || !number(start.start) || !number(start.semantics) || !number(level) ||
      level > static_cast<std::uint64_t>(JournalLevel::disk) || !number(start.input.skip) ||
      !text(info.version) || !text(info.incarnation_hex) || !text(info.boot_id) || !number(info.pid) ||
      left_ != 4)
    return false;
  start.level = static_cast<JournalLevel>(level);
  left_ = 0;
  return reader_.int64(info.started_ms) && reader_.boolean(info.refuse_deadlocks) &&
         limits(start.input.limits) && types(start.types);
}

bool RecordReader::limits(Limits& limits) {
  std::uint32_t count = 0;
  if (!reader_.map(count)) return false;
  for (; count != 0; --count) {
    std::string_view name;
    std::uint64_t value = 0;
    if (!reader_.text(name) || !reader_.uint64(value)) return false;
    const LimitDescription* found = find_limit(name);
    if (found == nullptr) return false;
    limits.*(found->member) = value;
  }
  return true;
}

bool RecordReader::types(std::vector<std::string>& types) {
  std::uint32_t count = 0;
  if (!reader_.array(count)) return false;
  for (; count != 0; --count) {
    std::string_view name;
    if (!reader_.text(name)) return false;
    types.emplace_back(name);
  }
  return true;
}

}  // namespace tandem::server
