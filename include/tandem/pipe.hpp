#pragma once
// Pipe: a message channel between two processes on one machine, as Python's multiprocessing.Pipe.
//
//   Python                                    here
//   a, b = Pipe()                             auto [a, b] = tandem::Pipe();         both send and receive
//   r, s = Pipe(duplex=False)                 auto [r, s] = tandem::Pipe(false);    r receives, s sends
//   Process(target=f, args=(b,))              tandem::Process p(f, std::move(b));   closed here, open there
//   a.send(obj), a.recv()                     a.send(value), a.recv<T>()            any type with a Codec
//   a.send_bytes(b), a.recv_bytes()           the same
//   a.poll(), a.poll(timeout), a.poll(None)   a.poll(), a.poll(200ms), a.poll(std::nullopt)
//   a.fileno(), a.closed, a.close()           a.fileno(), a.closed(), a.close()
//   EOFError                                  tandem::EndOfFile
//
// A message arrives whole or not at all, in the order of sending. End of file is reported once every copy of
// the other end is closed. A fork copies all ends; a Process that receives ends as arguments keeps only
// those.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tandem/codec.hpp"
#include "tandem/codec/argument.hpp"

namespace tandem {

namespace client {
struct PipeEnd;  // client/process/pipe_end.hpp
}

/// One end of a pipe. Movable, not copyable; closed on destruction. One thread may send while another
/// receives; two threads or processes may not do the same at once. Signals do not interrupt calls.
///
/// All calls but closed() and close() throw ValueError on a closed end; so do sending on an end that only
/// receives, and the reverse. A truncated message throws ConnectionError, malformed bytes throw
/// ProtocolError; every later receive then throws ConnectionError, since message boundaries are lost.
class Connection {
 public:
  /// Maximum size of one message. It also bounds the memory that malformed bytes make the receiver hold.
  static constexpr std::uint64_t message_bytes_max = std::uint64_t{1} << 30;

  Connection() noexcept;  // closed
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  /// Waits until the system has taken the message; one larger than the system's buffer waits for the
  /// receiver. ConnectionError: the other end is closed. ResourceExhausted: larger than message_bytes_max.
  /// ValueError: a text is not UTF-8.
  void send(const client::AnyValue& value);
  void send_bytes(std::span<const std::byte> bytes);
  void send_bytes(std::string_view text) { send_bytes(std::as_bytes(std::span(text))); }

  /// Waits for a message. EndOfFile: the other end is closed, and no message is left. TypeError: the message
  /// has another type; it is consumed.
  template <class T = nlohmann::json>
  T recv() {
    return recv_as<T>(receive());
  }
  Bytes recv_bytes();

  /// Whether recv() has a message or the end of file to report. Waits for that at most `limit`; nullopt:
  /// without limit.
  bool poll(std::optional<std::chrono::milliseconds> limit = std::chrono::milliseconds{0}) const;

  bool readable() const;
  bool writable() const;
  bool closed() const noexcept;
  void close() noexcept;
  /// The socket descriptor, for poll() and the like.
  int fileno() const;

 private:
  friend struct Pipe;
  friend struct Codec<Connection>;
  explicit Connection(std::unique_ptr<client::PipeEnd> end) noexcept;

  client::PipeEnd& end() const;
  wire::Bytes receive();
  template <class T>
  static T recv_as(wire::Bytes message) {
    Decoder from{wire::Reader(message), nullptr};
    T value = client::decode_value<T>(from);
    if (!from.reader.at_end())
      throw TypeError("asked for " + client::name_of_type<T>() + ", found more than one value");
    return value;
  }

  std::unique_ptr<client::PipeEnd> end_;
};

/// Two connected ends. std::system_error: no more descriptors are available.
struct Pipe {
  explicit Pipe(bool duplex = true);

  Connection first;   // receives only, if the pipe is not duplex
  Connection second;  // sends only, if the pipe is not duplex
};

/// An end can be an argument of a spawned process; any other encoding throws TypeError.
template <>
struct Codec<Connection> {
  static void encode(Encoder& to, const Connection& connection);
  static Connection decode(Decoder& from);
  static std::string name() { return "an end of a pipe"; }
};

namespace client {

using End = tandem::Connection;  // one end of a pipe

/// Appends the descriptor of `argument` if it is an end, or those of the ends in a container.
template <class A>
void append_pipe_ends(const A& argument, std::vector<int>& ends) {
  if constexpr (std::same_as<A, End>) {
    if (!argument.closed()) ends.push_back(argument.fileno());
  } else if constexpr (requires { requires std::same_as<typename A::value_type, End>; }) {
    for (const End& each : argument) append_pipe_ends(each, ends);
  }
}

}  // namespace client
}  // namespace tandem
