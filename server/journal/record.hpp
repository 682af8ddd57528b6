#pragma once
// The records of a journal. Each is one MessagePack array that begins with its kind:
//
//   call        [1, dt, session, actor, object, op, token, lane, request, flags, arguments:bin]
//                                                        flags: those of its frame (wire/frame.hpp)
//   cancel      [2, dt, ticket]
//   tick        [3, dt]
//   opened      [4, dt, session, inherits_from, has_lanes, pid, secret_hash:bin32, address, uid (-1: none), process]
//   identified  [5, dt, session, pid, process]
//   closed      [6, dt, session]
//   lane opened [7, dt, session]
//   started     [8, dt, start, semantics, level, skip, version, incarnation, boot, pid, started_ms, refuse_deadlocks,
//                {limit: value, …}, [name of a hosted type of the program's own, …]]
//   checked     [10, effects]
//   stopped     [11, dt]
//   read        [12, dt, session, lane, request]        the client has read the reply to it
//   lane ended  [13, dt, session, lane]
//
// dt: nanoseconds of the engine's clock since the record before; in the first of a batch, the time itself.
// All but `checked` and `stopped` are inputs of the engine, and have an index each. `checked` ends every batch.
// `stopped` says that the manager ended in order, and everything before it was safe.

#include <string>
#include <variant>

#include "server/engine/engine.hpp"
#include "tandem/server_options.hpp"

namespace tandem::server {

/// The manager has started with this journal, for the first time or again.
struct StartRecord {
  Started input;
  std::uint64_t start = 0;      // 1, 2, 3, …
  std::uint32_t semantics = 0;  // ops::semantics of the manager that wrote what follows
  JournalLevel level = JournalLevel::disk;
  std::vector<std::string> types;  // the hosted types of the program's own
};

struct StopRecord {
  std::uint64_t now_ns = 0;
};

struct CheckRecord {
  std::uint64_t effects = 0;  // EffectsHash of the batch
};

/// A call's arguments are in the bytes that were read.
using Record = std::variant<Call, Cancel, Tick, SessionOpened, SessionIdentified, SessionClosed, LaneOpened,
                            LaneEnded, Acknowledged, StartRecord, StopRecord, CheckRecord>;

/// Whether the engine takes it, so that it has an index.
bool is_input(const Record& record);
/// One line for people.
std::string to_text(const Record& record);

/// Appends records to a batch.
class RecordWriter {
 public:
  /// The next record is the first of a batch.
  void begin_batch() { before_ns_ = 0; }
  /// The time of the record written last; 0: none in this batch.
  std::uint64_t last_ns() const { return before_ns_; }
  /// The record written last was taken back.
  void continue_from(std::uint64_t last_ns) { before_ns_ = last_ns; }

  void write(wire::Buffer& out, const Call& input);
  void write(wire::Buffer& out, const Cancel& input);
  void write(wire::Buffer& out, const Tick& input);
  void write(wire::Buffer& out, const SessionOpened& input);
  void write(wire::Buffer& out, const SessionIdentified& input);
  void write(wire::Buffer& out, const SessionClosed& input);
  void write(wire::Buffer& out, const LaneOpened& input);
  void write(wire::Buffer& out, const LaneEnded& input);
  void write(wire::Buffer& out, const Acknowledged& input);
  void write(wire::Buffer& out, const StartRecord& record);
  void write(wire::Buffer& out, const StopRecord& record);
  void write(wire::Buffer& out, const CheckRecord& record);

 private:
  wire::Writer begin(wire::Buffer& out, std::size_t fields, unsigned kind, std::uint64_t now_ns);

  std::uint64_t before_ns_ = 0;
};

/// Reads the records of one batch.
class RecordReader {
 public:
  explicit RecordReader(wire::Bytes batch) : reader_(batch) {}
  /// Returns false at the end, and if what follows is no record; then failure() says why.
  bool next(Record& record);
  const std::string& failure() const { return failure_; }

 private:
  bool read(Record& record);
  bool number(std::uint64_t& v) { return left_ != 0 && (--left_, reader_.uint64(v)); }
  bool number(std::uint32_t& v);
  bool time(std::uint64_t& v);
  bool text(std::string& v);
  bool boolean(bool& v);
  bool call(Record& record);
  bool opened(Record& record);
  bool started(Record& record);
  bool limits(Limits& limits);
  bool types(std::vector<std::string>& types);

  wire::Reader reader_;
  std::uint32_t left_ = 0;  // fields of the record
  std::uint64_t before_ns_ = 0;
  std::string failure_;
};

}  // namespace tandem::server
