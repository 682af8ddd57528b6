// The physical limits: bytes there and back, and nothing done with them. Over a unix socket with blocking
// calls, or over rings in shared memory.
//
//   bench_raw serve unix PATH | ring PATH    answers one client after the other; prints "ready"
//   bench_raw --address unix:PATH …           one cell, as all load generators run it

#include <cstdio>

#include "echo.hpp"
#include "tandem/wire/frame.hpp"

namespace {

using bench::BytePath;
using bench::EchoHeader;

// ---- the client -------------------------------------------------------------------------------------------

// What tandem sends and gets for the operation of the same name (wire/frame.hpp, wire/msgpack.hpp).
constexpr std::size_t key_bytes = 10;
constexpr std::size_t large_key_bytes = 2;
constexpr std::size_t message_bytes_max = 2 * bench::huge_bytes;
constexpr std::size_t request_bytes(std::size_t arguments) {
  return tandem::wire::request_header_bytes + 1 + arguments;
}
constexpr std::size_t reply_bytes(std::size_t result) {
  return tandem::wire::short_header_bytes + result;
}
constexpr std::size_t text_bytes(std::size_t length) {
  return length + (length < 32 ? 1 : 2);
}

class RawClient {
 public:
  static std::vector<bench::Workload<RawClient>> workloads() {
    using bench::Leaves;
    return {
        {"dict_set", &RawClient::dict_set, nullptr, &RawClient::count, Leaves::operations},
        {"dict_get", &RawClient::dict_get, nullptr, &RawClient::count, Leaves::operations},
        {"large_put", &RawClient::large_put, nullptr, &RawClient::count, Leaves::operations},
        {"large_get", &RawClient::large_get, nullptr, &RawClient::count, Leaves::operations},
        {"huge_put", &RawClient::huge_put, nullptr, &RawClient::count, Leaves::operations},
        {"huge_get", &RawClient::huge_get, nullptr, &RawClient::count, Leaves::operations},
    };
  }

  explicit RawClient(const bench::Cell& cell) : path_(open(cell.address)), buffer_(message_bytes_max) {}

  void dict_set(const std::string&) {
    exchange(request_bytes(text_bytes(key_bytes) + text_bytes(bench::value_bytes)), reply_bytes(1));
  }
  void dict_get(const std::string&) {
    exchange(request_bytes(text_bytes(key_bytes)), reply_bytes(text_bytes(bench::value_bytes)));
  }
  void large_put(const std::string&) {
    exchange(request_bytes(large_key_bytes + bench::large_bytes), reply_bytes(1));
  }
  void large_get(const std::string&) {
    exchange(request_bytes(large_key_bytes), reply_bytes(bench::large_bytes));
  }
  void huge_put(const std::string&) {
    exchange(request_bytes(large_key_bytes + bench::huge_bytes), reply_bytes(1));
  }
  void huge_get(const std::string&) {
    exchange(request_bytes(large_key_bytes), reply_bytes(bench::huge_bytes));
  }
  std::int64_t count() {
    const EchoHeader header{sizeof header, bench::tell_count};
    std::int64_t requests = 0;
    path_->send(&header, sizeof header);
    path_->receive(&requests, sizeof requests);
    return requests;
  }
  void remove() {}

 private:
  static std::unique_ptr<BytePath> open(const std::string& address) {
    const std::string path = address.substr(address.find(':') + 1);
    if (address.starts_with("unix:")) return bench::SocketPath::connect(path);
    return std::make_unique<bench::RingPath>(path, false);
  }
  void exchange(std::size_t there, std::size_t back) {
    const EchoHeader header{static_cast<std::uint32_t>(there), static_cast<std::uint32_t>(back)};
    std::memcpy(buffer_.data(), &header, sizeof header);
    path_->send(buffer_.data(), there);
    path_->receive(buffer_.data(), back);
  }

  std::unique_ptr<BytePath> path_;
  std::vector<char> buffer_;
};

// ---- the server -------------------------------------------------------------------------------------------

// Until the client is gone.
void answer(BytePath& path, std::int64_t& requests) {
  std::vector<char> buffer(message_bytes_max);
  std::size_t have = 0;
  for (;;) {
    EchoHeader header{};
    while (have < sizeof header || (std::memcpy(&header, buffer.data(), sizeof header), have < header.size)) {
      const std::size_t more = path.receive_some(buffer.data() + have, buffer.size() - have);
      if (more == 0) return;
      have += more;
    }
    if (header.reply == bench::tell_count) {
      path.send(&requests, sizeof requests);
      requests = 0;
    } else {
      ++requests;
      path.send(buffer.data(), header.reply);
    }
    have -= header.size;
    std::memmove(buffer.data(), buffer.data() + header.size, have);
  }
}

[[noreturn]] void serve(const std::string& kind, const std::string& path) {
  std::int64_t requests = 0;
  if (kind == "ring") {
    bench::RingPath ring(path, true);
    std::puts("ready");
    std::fflush(stdout);
    for (;;) answer(ring, requests);
  }
  const bench::Fd listener = bench::SocketPath::open();
  const sockaddr_un address = bench::SocketPath::address_of(path);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 8) != 0)
    throw std::runtime_error("cannot listen on " + path);
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    bench::Fd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (accepted.get() < 0) throw std::runtime_error("no client can be taken");
    bench::SocketPath client(std::move(accepted));
    try {
      answer(client, requests);
    } catch (const std::runtime_error&) {  // it went while it was answered
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 4 && argv[1] == std::string("serve")) serve(argv[2], argv[3]);
  return bench::bench_main<RawClient>(argc, argv);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  return 1;
}
