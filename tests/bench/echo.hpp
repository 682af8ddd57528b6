#pragma once
// The bare exchange of bytes that the raw systems do, as large as tandem's requests and replies are: what a
// manager would cost that had nothing to do. raw_load.cpp has both sides.
//
//   request   size:u32 of the whole, reply:u32 (how long the answer is to be), bytes
//   reply     bytes
//
// A request for `tell_count` is answered with the number of requests since it was last asked, 8 bytes.

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "load.hpp"

namespace bench {

struct EchoHeader {
  std::uint32_t size;
  std::uint32_t reply;
};
constexpr std::uint32_t tell_count = ~std::uint32_t{0};

// Sends and receives whole messages; throws std::runtime_error when the other side is gone.
class BytePath {
 public:
  virtual ~BytePath() = default;
  virtual void send(const void* bytes, std::size_t count) = 0;
  virtual void receive(void* into, std::size_t count) = 0;
  // As much as there is, at least one byte. 0: the other side is gone.
  virtual std::size_t receive_some(void* into, std::size_t most) = 0;
};

// ---- a unix socket ----------------------------------------------------------------------------------------

class SocketPath final : public BytePath {
 public:
  explicit SocketPath(Fd fd) : fd_(std::move(fd)) {}

  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the path is too long for a socket");
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
  }
  static Fd open() {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) throw std::runtime_error("no socket");
    return fd;
  }
  static std::unique_ptr<SocketPath> connect(const std::string& path) {
    Fd fd = open();
    const sockaddr_un address = address_of(path);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("nobody listens on " + path);
    return std::make_unique<SocketPath>(std::move(fd));
  }

  void send(const void* bytes, std::size_t count) override {
    const char* at = static_cast<const char*>(bytes);
    while (count != 0) {
      const ssize_t done = ::send(fd_.get(), at, count, MSG_NOSIGNAL);
      if (done <= 0) throw std::runtime_error("the other side of the socket is gone");
      at += done;
      count -= static_cast<std::size_t>(done);
    }
  }
  void receive(void* into, std::size_t count) override {
    for (std::size_t have = 0; have != count;) {
      const std::size_t more = receive_some(static_cast<char*>(into) + have, count - have);
      if (more == 0) throw std::runtime_error("the other side of the socket is gone");
      have += more;
    }
  }
  std::size_t receive_some(void* into, std::size_t most) override {
    return static_cast<std::size_t>(std::max<ssize_t>(::recv(fd_.get(), into, most, 0), 0));
  }

 private:
  Fd fd_;
};

// ---- a ring in shared memory ------------------------------------------------------------------------------

// Bytes from one process to one other. Who waits looks for a short time and sleeps then, so that a machine
// with fewer free cores than processes goes on.
class Ring {
 public:
  // `head`: the sender's own note of what was taken out, so that it looks there only where the ring seems
  // full.
  void send(const void* bytes, std::size_t count, std::uint32_t& head) {
    const char* at = static_cast<const char*>(bytes);
    while (count != 0) {
      const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
      if (ring_bytes - (tail - head) < count) head = wait_while(head_, tail - ring_bytes);
      const std::size_t part = std::min<std::size_t>(count, ring_bytes - (tail - head));
      copy_in(tail, at, part);
      publish(tail_, tail + static_cast<std::uint32_t>(part));
      at += part;
      count -= part;
    }
  }
  std::uint32_t head() const { return head_.load(std::memory_order_acquire); }
  std::size_t receive_some(void* into, std::size_t most) {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    const std::uint32_t tail = wait_while(tail_, head);
    const std::size_t part = std::min<std::size_t>(most, tail - head);
    copy_out(head, static_cast<char*>(into), part);
    publish(head_, head + static_cast<std::uint32_t>(part));
    return part;
  }

 private:
  static constexpr std::uint32_t ring_bytes = 1 << 16;
  static constexpr int looks = 50;  // a few microseconds
  static constexpr int yields = 200;

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  // What `position` is as soon as it is not `value`.
  std::uint32_t wait_while(std::atomic<std::uint32_t>& position, std::uint32_t value) {
    for (int look = 0; look < looks; ++look) {
      if (const std::uint32_t now = position.load(std::memory_order_acquire); now != value) return now;
      pause();
    }
    // Where both are on one CPU, the other one has to run; who is seen to be runnable is moved to a CPU that
    // is free.
    for (int yield = 0; yield < yields; ++yield) {
      ::sched_yield();
      if (const std::uint32_t now = position.load(std::memory_order_acquire); now != value) return now;
    }
    for (;;) {
      // sequentially consistent with publish(): one of the two sees what the other did
      sleepers_.fetch_add(1);
      if (position.load() == value)
        ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&position), FUTEX_WAIT, value, nullptr, nullptr,
                  0);
      sleepers_.fetch_sub(1);
      if (const std::uint32_t now = position.load(std::memory_order_acquire); now != value) return now;
    }
  }
  void publish(std::atomic<std::uint32_t>& position, std::uint32_t value) {
    position.store(value);
    if (sleepers_.load() != 0)
      ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&position), FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  void copy_in(std::uint32_t at, const char* from, std::size_t count) {
    const std::size_t first = std::min<std::size_t>(count, ring_bytes - at % ring_bytes);
    std::memcpy(data_ + at % ring_bytes, from, first);
    std::memcpy(data_, from + first, count - first);
  }
  void copy_out(std::uint32_t at, char* into, std::size_t count) {
    const std::size_t first = std::min<std::size_t>(count, ring_bytes - at % ring_bytes);
    std::memcpy(into, data_ + at % ring_bytes, first);
    std::memcpy(into + first, data_, count - first);
  }

  alignas(64) std::atomic<std::uint32_t> head_{0};  // bytes ever taken out, modulo 2^32
  alignas(64) std::atomic<std::uint32_t> tail_{0};  // bytes ever put in
  alignas(64) std::atomic<std::uint32_t> sleepers_{0};
  alignas(64) char data_[ring_bytes];
};

// Two of them, in a file that both processes map.
class RingPath final : public BytePath {
 public:
  // `serves`: makes it, and answers the requests.
  RingPath(const std::string& path, bool serves) {
    const Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | (serves ? O_CREAT : 0), 0600));
    if (file.get() < 0 || (serves && ::ftruncate(file.get(), sizeof(Rings)) != 0))
      throw std::runtime_error("no ring in " + path);
    void* memory = ::mmap(nullptr, sizeof(Rings), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no memory for a ring");
    rings_ = serves ? new (memory) Rings : static_cast<Rings*>(memory);
    out_ = serves ? &rings_->replies : &rings_->requests;
    in_ = serves ? &rings_->requests : &rings_->replies;
    taken_ = out_->head();
  }
  ~RingPath() override { ::munmap(rings_, sizeof(Rings)); }
  RingPath(const RingPath&) = delete;
  RingPath& operator=(const RingPath&) = delete;

  void send(const void* bytes, std::size_t count) override { out_->send(bytes, count, taken_); }
  std::size_t receive_some(void* into, std::size_t most) override { return in_->receive_some(into, most); }
  void receive(void* into, std::size_t count) override {
    for (std::size_t have = 0; have != count;)
      have += receive_some(static_cast<char*>(into) + have, count - have);
  }

 private:
  struct Rings {
    Ring requests;
    Ring replies;
  };
  Rings* rings_;
  Ring* out_;
  Ring* in_;
  std::uint32_t taken_;  // of what was sent, as far as seen
};

}  // namespace bench
