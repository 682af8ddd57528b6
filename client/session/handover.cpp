#include "client/session/handover.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "tandem/call/remote_object.hpp"
#include "tandem/error.hpp"
#include "tandem/ops/op.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::client {
namespace {

constexpr int none = -1;

[[noreturn]] void throw_unreadable() {
  throw ProtocolError("what a spawned process was given cannot be read");
}

std::uint64_t read_number(wire::Reader& from) {
  std::uint64_t number = 0;
  if (!from.uint64(number)) throw_unreadable();
  return number;
}

/// Visits all fields of a session that are passed on, in the order in which they are written. A field added
/// to one of the structures does not compile until it is handled here.
template <class Session, class F>
void each_field(Session& session, F&& f) {
  auto& [reach, options, incarnation, welcome] = session;
  auto& [address, authkey] = reach;
  auto& [no_key, no_key_file, connect_timeout, call_timeout, reconnect, start_timeout, no_journal, no_level,
         busy_poll, ring] = options;
  auto& [number, secret, frame_bytes_max, message_bytes_max, value_depth_max, requests_under_way_max,
         lease_ms, ring_bytes, lane, resume_ms, grace_ms, start, proof] = welcome;
  f(address), f(authkey), f(connect_timeout), f(call_timeout), f(reconnect), f(start_timeout), f(busy_poll);
  f(ring), f(lane), f(resume_ms), f(grace_ms), f(start);
  f(incarnation), f(number), f(secret), f(frame_bytes_max), f(message_bytes_max), f(value_depth_max);
  f(requests_under_way_max), f(lease_ms);
  // The authkey is in `reach`. The handshake is over, and a channel that is passed on is a socket. The manager has been
  // started.
  (void)no_key, (void)no_key_file, (void)no_journal, (void)no_level, (void)ring_bytes, (void)proof;
}

std::size_t fields_count(const OfferedSession& session) {
  std::size_t count = 0;
  each_field(session, [&](const auto&) { ++count; });
  return count;
}

struct FieldWriter {
  wire::Writer& to;
  void operator()(const std::string& text) const { to.bytes(wire::as_bytes(text)); }
  void operator()(bool value) const { to.boolean(value); }
  void operator()(std::uint64_t number) const { to.unsigned_integer(number); }
  void operator()(std::uint32_t number) const { to.unsigned_integer(number); }
  template <class Period>
  void operator()(std::chrono::duration<std::int64_t, Period> time) const {
    to.integer(time.count());
  }
  template <std::size_t N>
  void operator()(const std::array<std::uint8_t, N>& bytes) const {
    to.bytes(bytes);
  }
};

struct FieldReader {
  wire::Reader& from;
  void operator()(std::string& text) const {
    wire::Bytes bytes;
    if (!from.bytes(bytes)) throw_unreadable();
    text = wire::as_text(bytes);
  }
  void operator()(bool& value) const {
    if (!from.boolean(value)) throw_unreadable();
  }
  void operator()(std::uint64_t& number) const { number = read_number(from); }
  void operator()(std::uint32_t& number) const { number = static_cast<std::uint32_t>(read_number(from)); }
  template <class Period>
  void operator()(std::chrono::duration<std::int64_t, Period>& time) const {
    std::int64_t count = 0;
    if (!from.int64(count)) throw_unreadable();
    time = std::chrono::duration<std::int64_t, Period>(count);
  }
  template <std::size_t N>
  void operator()(std::array<std::uint8_t, N>& into) const {
    wire::Bytes bytes;
    if (!from.bytes(bytes) || bytes.size() != N) throw_unreadable();
    std::copy(bytes.begin(), bytes.end(), into.begin());
  }
};

// A session is an array of its fields, followed by the index of its channel's descriptor.

void write(wire::Writer& to, const OfferedSession& session, std::size_t descriptor) {
  to.array(fields_count(session) + 1);
  each_field(session, FieldWriter{to});
  to.unsigned_integer(descriptor);
}

/// Reads all but the descriptor's index, which is next.
OfferedSession read(wire::Reader& from) {
  OfferedSession session;
  std::uint32_t count = 0;
  if (!from.array(count) || count != fields_count(session) + 1) throw_unreadable();
  each_field(session, FieldReader{from});
  return session;
}

}  // namespace

// ---- the parent's side ------------------------------------------------------------------------------------

SpawnSender::SpawnSender() {
  os::listen_to_forks(*this);
}

SpawnSender::~SpawnSender() {
  {
    InsideGate inside(adding_);
    for (std::atomic<int>& descriptor : descriptors_)
      if (int taken = descriptor.exchange(none); taken != none) close(taken);
  }
  os::ignore_forks(*this);
}

void SpawnSender::after_fork_in_child() noexcept {
  for (std::atomic<int>& descriptor : descriptors_)
    if (int copied = descriptor.exchange(none); copied != none) close(copied);
  adding_.open();
}

std::size_t SpawnSender::add_descriptor(const std::function<int()>& make, const char* what) {
  InsideGate inside(adding_);
  std::atomic<int>& place = descriptors_.emplace_back(none);
  place = make();
  if (place == none)
    throw std::system_error(errno, std::generic_category(),
                            std::string("a process cannot be started: no ") + what);
  return descriptors_.size() - 1;
}

std::size_t SpawnSender::copy_descriptor(int descriptor) {
  return add_descriptor([=] { return fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); },
                        "copy of a descriptor");
}

SpawnSender::Manager& SpawnSender::manager(const SessionPtr& session, Session*& manager_of_argument) {
  if (manager_of_argument == nullptr) manager_of_argument = session.get();
  for (Manager& each : managers_)
    if (each.session == session) return each;
  return managers_.emplace_back(Manager{session, {}});
}

void SpawnSender::note_reference(const RemoteObject& object, Session*& manager_of_argument) {
  if (manager_of_argument != nullptr && !same_manager(object.session().get(), manager_of_argument))
    throw ValueError("an argument of a process holds proxies of two managers; pass them as two arguments");
  if (manager_of_argument == nullptr) manager_of_argument = object.session().get();
  for (const Manager& each : managers_)
    if (each.session.get() == manager_of_argument)
      return manager(each.session, manager_of_argument).references.push_back(object.reference());
  manager(object.session(), manager_of_argument).references.push_back(object.reference());
}

void SpawnSender::note_manager(const SessionPtr& session, Session*& manager_of_argument) {
  if (manager_of_argument != nullptr && manager_of_argument != session.get())
    throw ValueError("an argument of a process holds handles of two managers; pass them as two arguments");
  manager(session, manager_of_argument);
}

std::size_t SpawnSender::index_of(const Session& wanted) const {
  std::size_t index = 0;
  while (managers_[index].session.get() != &wanted) ++index;
  return index;
}

void SpawnSender::write_managers(wire::Writer& to) {
  to.array(managers_.size());
  for (const Manager& manager : managers_) {
    std::size_t place = 0;
    {
      InsideGate inside(adding_);
      descriptors_.emplace_back(none);
      place = descriptors_.size() - 1;
    }
    write(to, manager.session->offer_session(manager.references, descriptors_[place]), place);
  }
}

std::vector<int> SpawnSender::lay_out(int first) {
  InsideGate inside(adding_);
  const int free = first + static_cast<int>(descriptors_.size());
  std::vector<int> all;
  for (std::atomic<int>& descriptor : descriptors_) {
    if (descriptor < free) {
      int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, free);
      if (moved < 0)
        throw std::system_error(errno, std::generic_category(), "a process cannot be started: no descriptor");
      close(descriptor.exchange(moved));
    }
    all.push_back(descriptor);
  }
  return all;
}

// ---- the child's side -------------------------------------------------------------------------------------

SpawnReceiver::SpawnReceiver(int first_descriptor, std::size_t descriptors_count) {
  for (std::size_t i = 0; i < descriptors_count; ++i) {
    const int descriptor = first_descriptor + static_cast<int>(i);
    if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) throw_unreadable();
    descriptors_.push_back(descriptor);
  }
}

SpawnReceiver::~SpawnReceiver() {
  for (int descriptor : descriptors_)
    if (descriptor != none) close(descriptor);
}

void SpawnReceiver::read_managers(wire::Reader& from) {
  std::uint32_t count = 0;
  if (!from.array(count)) throw_unreadable();
  for (; count != 0; --count) {
    const OfferedSession session = read(from);
    managers_.push_back(Session::adopt(session, take_descriptor(read_number(from))));
  }
}

const SessionPtr& SpawnReceiver::manager(std::size_t index) const {
  if (index >= managers_.size()) throw_unreadable();
  return managers_[index];
}

int SpawnReceiver::take_descriptor(std::size_t index) {
  if (index >= descriptors_.size() || descriptors_[index] == none) throw_unreadable();
  return std::exchange(descriptors_[index], none);
}

// ---- an argument's manager --------------------------------------------------------------------------------

void encode_with_manager(Encoder& to, Encoder& argument, wire::Bytes value) {
  if (argument.session == nullptr) to.writer.nil();
  else to.writer.unsigned_integer(to.spawn_sender->index_of(*argument.session));
  to.writer.raw(value);
}

void decode_manager(Decoder& from) {
  from.session = from.reader.nil() ? nullptr : from.spawn_receiver->manager(read_number(from.reader)).get();
}

}  // namespace tandem::client
