#pragma once
// TaskPool: the proxy of the hosted pool, for Pool and its workers. Users need only pool.hpp.

#include <cstdint>
#include <optional>
#include <string_view>

#include "tandem/call/wait.hpp"
#include "tandem/ops/pool.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

/// Numbers of calls, and of workers.
struct PoolProgress {
  std::int64_t queued = 0;   // waiting for a worker
  std::int64_t running = 0;  // taken by a worker
  std::int64_t done = 0;
  std::int64_t failed = 0;   // with an exception, or because their worker died
  std::int64_t retried = 0;  // delivered again after their worker died
  std::int64_t workers = 0;
};

namespace client {

/// Values that are already encoded.
struct EncodedItems : Argument {
  std::size_t count = 0;
  wire::Bytes bytes;  // the items, one after the other
  EncodedItems(std::size_t how_many, wire::Bytes encoded) : count(how_many), bytes(encoded) {}
  void encode(Encoder& to) const {
    to.writer.array(count);
    to.writer.raw(bytes);
  }
};

/// A result as received; its holder owns the references in it.
struct EncodedResult {
  wire::Buffer bytes;
};
template <class Tag>
struct ResultOf<Tag, EncodedResult> {
  static EncodedResult decode(Decoder& from) {
    EncodedResult result;
    wire::Bytes value;
    if (!from.reader.value(value)) throw_mismatch(from.reader, "a value");
    result.bytes.append(value);
    return result;
  }
};

class TaskPool : public Proxy {
  using Do = ops::Pool;

 public:
  using Operations = ops::Pool;
  static constexpr std::uint8_t type_number = Operations::number;

  TaskPool() = default;
  using Proxy::Proxy;

  std::int64_t enter() const { return call<Do::Enter, std::int64_t>(); }
  void submit(std::int64_t submitter, std::int64_t retries, const EncodedItems& tasks) const {
    call<Do::Submit>(submitter, retries, tasks);
  }
  EncodedResult collect(std::int64_t submitter, WaitLimit limit, const std::stop_token& stop = {}) const {
    return call_and_wait<Do::Collect, EncodedResult>(limit, stop, submitter);
  }
  void exit(std::int64_t submitter) const { call<Do::Exit>(submitter); }

  /// `initializer`: one encoded value, or empty for none.
  std::int64_t supervise(std::int64_t submitter, wire::Bytes initializer) const {
    struct Encoded : Argument {
      explicit Encoded(wire::Bytes from) : bytes(from) {}
      wire::Bytes bytes;
      void encode(Encoder& to) const { bytes.empty() ? to.writer.nil() : to.writer.raw(bytes); }
    };
    return call<Do::Supervise, std::int64_t>(submitter, Encoded(initializer));
  }
  bool reap(std::int64_t supervisor, std::int64_t pid, std::int64_t exit_code) const {
    return call<Do::Reap, bool>(supervisor, pid, exit_code);
  }
  void fail(std::int64_t supervisor, std::string_view reason) const { call<Do::Fail>(supervisor, reason); }

  EncodedResult enlist(std::optional<std::int64_t> supervisor, std::optional<std::int64_t> pid) const {
    return call<Do::Enlist, EncodedResult>(supervisor, pid);
  }
  EncodedResult work(const EncodedItems& done, WaitLimit limit, const std::stop_token& stop = {}) const {
    return call_and_wait<Do::Work, EncodedResult>(limit, stop, done);
  }
  void quit(const EncodedItems& done) const { call<Do::Quit>(done); }

  void close() const { call<Do::Close>(); }
  void terminate() const { call<Do::Terminate>(); }
  bool is_closed() const { return call<Do::IsClosed, bool>(); }
  PoolProgress progress() const {
    const auto [queued, running, done, failed, retried, workers] =
        call<Do::Progress, std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                                      std::int64_t>>();
    return {queued, running, done, failed, retried, workers};
  }
};

}  // namespace client
}  // namespace tandem
