#include "client/handover.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "tandem/error.hpp"
#include "tandem/function.hpp"
#include "tandem/ops/op.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::client {
namespace {

constexpr int none = -1;

template <std::size_t N>
void write_array(wire::Writer& to, const std::array<std::uint8_t, N>& bytes) {
  to.bytes(bytes);
}

[[noreturn]] void throw_unreadable() {
  throw ProtocolError("what a spawned process was given cannot be read");
}

bool read_boolean(wire::Reader& from) {
  bool value = false;
  if (!from.boolean(value)) throw_unreadable();
  return value;
}

std::uint64_t read_number(wire::Reader& from) {
  std::uint64_t number = 0;
  if (!from.uint64(number)) throw_unreadable();
  return number;
}

std::string read_bytes(wire::Reader& from) {
  wire::Bytes bytes;
  if (!from.bytes(bytes)) throw_unreadable();
  return std::string(wire::as_text(bytes));
}

template <std::size_t N>
void read_array(wire::Reader& from, std::array<std::uint8_t, N>& into) {
  wire::Bytes bytes;
  if (!from.bytes(bytes) || bytes.size() != N) throw_unreadable();
  std::copy(bytes.begin(), bytes.end(), into.begin());
}

// A session is array(12): address, authkey, busy_poll in µs, ring, connect_timeout and call_timeout in ms,
// incarnation, session, secret, limits as array(3), lease in ms, place of its channel among the descriptors.
constexpr std::uint32_t session_fields = 12;

void write(wire::Writer& to, const OfferedSession& session, std::size_t descriptor) {
  to.array(session_fields);
  to.bytes(wire::as_bytes(session.reach.address));
  to.bytes(wire::as_bytes(session.reach.authkey));
  to.unsigned_integer(static_cast<std::uint64_t>(session.reach.stream.busy_poll.count()));
  to.boolean(session.reach.stream.ring);
  to.unsigned_integer(static_cast<std::uint64_t>(session.options.connect_timeout.count()));
  to.unsigned_integer(static_cast<std::uint64_t>(session.options.call_timeout.count()));
  write_array(to, session.incarnation);
  to.unsigned_integer(session.welcome.session);
  write_array(to, session.welcome.secret);
  to.array(3);
  to.unsigned_integer(session.welcome.frame_bytes_max);
  to.unsigned_integer(session.welcome.message_bytes_max);
  to.unsigned_integer(session.welcome.value_depth_max);
  to.unsigned_integer(session.welcome.lease_ms);
  to.unsigned_integer(descriptor);
}

/// All but the place of its channel, before which the reader stands afterwards.
OfferedSession read(wire::Reader& from) {
  OfferedSession session;
  std::uint32_t count = 0;
  if (!from.array(count) || count != session_fields) throw_unreadable();
  session.reach.address = read_bytes(from);
  session.reach.authkey = read_bytes(from);
  session.reach.stream.busy_poll = std::chrono::microseconds(read_number(from));
  session.reach.stream.ring = read_boolean(from);
  session.options.connect_timeout = std::chrono::milliseconds(read_number(from));
  session.options.call_timeout = std::chrono::milliseconds(read_number(from));
  read_array(from, session.incarnation);
  session.welcome.session = read_number(from);
  read_array(from, session.welcome.secret);
  if (!from.array(count) || count != 3) throw_unreadable();
  session.welcome.frame_bytes_max = read_number(from);
  session.welcome.message_bytes_max = read_number(from);
  session.welcome.value_depth_max = read_number(from);
  session.welcome.lease_ms = read_number(from);
  return session;
}

}  // namespace

// ---- the parent's side ------------------------------------------------------------------------------------

Handover::Handover() {
  listen_to_forks(*this);
}

Handover::~Handover() {
  {
    InsideGate inside(adding_);
    for (std::atomic<int>& descriptor : descriptors_)
      if (int taken = descriptor.exchange(none); taken != none) close(taken);
  }
  ignore_forks(*this);
}

void Handover::after_fork_in_child() noexcept {
  for (std::atomic<int>& descriptor : descriptors_)
    if (int copied = descriptor.exchange(none); copied != none) close(copied);
  adding_.open();
}

std::size_t Handover::add_descriptor(const std::function<int()>& make, const char* what) {
  InsideGate inside(adding_);
  std::atomic<int>& place = descriptors_.emplace_back(none);
  place = make();
  if (place == none)
    throw std::system_error(errno, std::generic_category(),
                            std::string("a process cannot be started: no ") + what);
  return descriptors_.size() - 1;
}

std::size_t Handover::copy_descriptor(int descriptor) {
  return add_descriptor([=] { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }, "copy of a descriptor");
}

Handover::Manager& Handover::manager(const ConnectionPtr& connection, Connection*& manager_of_argument) {
  if (manager_of_argument == nullptr) manager_of_argument = connection.get();
  for (Manager& each : managers_)
    if (each.connection == connection) return each;
  return managers_.emplace_back(Manager{connection, {}});
}

void Handover::note_reference(const RemoteObject& object, Connection*& manager_of_argument) {
  if (manager_of_argument != nullptr && !belongs_to(object, manager_of_argument))
    throw ValueError("an argument of a process holds proxies of two managers; pass them as two arguments");
  if (manager_of_argument == nullptr) manager_of_argument = object.connection().get();
  for (const Manager& each : managers_)
    if (each.connection.get() == manager_of_argument)
      return manager(each.connection, manager_of_argument).references.push_back(object.reference());
  manager(object.connection(), manager_of_argument).references.push_back(object.reference());
}

void Handover::note_manager(const ConnectionPtr& connection, Connection*& manager_of_argument) {
  if (manager_of_argument != nullptr && manager_of_argument != connection.get())
    throw ValueError("an argument of a process holds handles of two managers; pass them as two arguments");
  manager(connection, manager_of_argument);
}

std::size_t Handover::index_of(const Connection& wanted) const {
  std::size_t index = 0;
  while (managers_[index].connection.get() != &wanted) ++index;
  return index;
}

void Handover::write_managers(wire::Writer& to) {
  to.array(managers_.size());
  for (const Manager& manager : managers_) {
    std::size_t place = 0;
    {
      InsideGate inside(adding_);
      descriptors_.emplace_back(none);
      place = descriptors_.size() - 1;
    }
    write(to, manager.connection->offer_session(manager.references, descriptors_[place]), place);
  }
}

std::vector<int> Handover::lay_out(int first) {
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

Takeover::Takeover(int first_descriptor, std::size_t descriptors_count) {
  for (std::size_t i = 0; i < descriptors_count; ++i) {
    const int descriptor = first_descriptor + static_cast<int>(i);
    if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) throw_unreadable();
    descriptors_.push_back(descriptor);
  }
}

Takeover::~Takeover() {
  for (int descriptor : descriptors_)
    if (descriptor != none) close(descriptor);
}

void Takeover::read_managers(wire::Reader& from) {
  std::uint32_t count = 0;
  if (!from.array(count)) throw_unreadable();
  for (; count != 0; --count) {
    const OfferedSession session = read(from);
    managers_.push_back(Connection::adopt(session, take_descriptor(read_number(from))));
  }
}

const ConnectionPtr& Takeover::manager(std::size_t index) const {
  if (index >= managers_.size()) throw_unreadable();
  return managers_[index];
}

int Takeover::take_descriptor(std::size_t index) {
  if (index >= descriptors_.size() || descriptors_[index] == none) throw_unreadable();
  return std::exchange(descriptors_[index], none);
}

// ---- an argument's manager --------------------------------------------------------------------------------

void encode_with_manager(Encoder& to, Encoder& argument, wire::Bytes value) {
  if (argument.connection == nullptr) to.writer.nil();
  else to.writer.unsigned_integer(to.handover->index_of(*argument.connection));
  to.writer.raw(value);
}

void decode_manager(Decoder& from) {
  from.connection = from.reader.nil() ? nullptr : from.takeover->manager(read_number(from.reader));
}

}  // namespace tandem::client
