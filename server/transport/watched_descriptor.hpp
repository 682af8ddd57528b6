#pragma once
// A descriptor that the engine's thread waits for. Forked children close their copies of it.

#include <asio/posix/stream_descriptor.hpp>

#include <utility>

#include "client/os/unshared_descriptor.hpp"

namespace tandem::server {

class WatchedDescriptor {
 public:
  WatchedDescriptor(asio::io_context& io, os::UnsharedDescriptor descriptor)
      : descriptor_(std::move(descriptor)), stream_(io, descriptor_.get()) {}
  ~WatchedDescriptor() { close(); }
  WatchedDescriptor(const WatchedDescriptor&) = delete;
  WatchedDescriptor& operator=(const WatchedDescriptor&) = delete;

  int get() const { return descriptor_.get(); }
  bool is_open() const { return static_cast<bool>(descriptor_); }

  /// Ends all waits. Asio must not close it: it relies on that to remove the descriptor from its epoll set,
  /// which does not happen while a child that was forked just now still has its copy.
  void close() {
    if (!is_open()) return;
    stream_.release();
    descriptor_.close();
  }

  /// Both call `done(asio::error_code)`.
  template <class Done>
  void wait_readable(Done done) {
    stream_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(done));
  }
  template <class Done>
  void wait_writable(Done done) {
    stream_.async_wait(asio::posix::stream_descriptor::wait_write, std::move(done));
  }

 private:
  os::UnsharedDescriptor descriptor_;
  asio::posix::stream_descriptor stream_;
};

}  // namespace tandem::server
