#pragma once
// Memory shared by two processes: an anonymous file whose size is sealed, so that neither can truncate it
// while the other uses it, and passing its descriptor over a unix socket.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "client/os/unshared_descriptor.hpp"

namespace tandem::os {

/// A mapping of such a file, unmapped on destruction. A forked child inherits the mapping of a received file,
/// and neither mapping nor descriptor of one created here.
class SharedMemory {
 public:
  /// Creates a zero-filled file of this size and maps it. On failure, returns nullopt and the reason in
  /// `error`.
  static std::optional<SharedMemory> make(std::size_t bytes, std::string& error);
  /// Maps a received file if it has this size and is sealed. Closes the descriptor.
  static std::optional<SharedMemory> map(int descriptor, std::size_t bytes, std::string& error);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  /// The descriptor of a file created here; -1 once it is closed.
  int descriptor() const { return descriptor_.get(); }
  void close_descriptor() noexcept { descriptor_.close(); }

 private:
  SharedMemory(std::uint8_t* data, std::size_t size, UnsharedDescriptor descriptor)
      : data_(data), size_(size), descriptor_(std::move(descriptor)) {}

  std::uint8_t* data_;
  std::size_t size_;
  UnsharedDescriptor descriptor_;
};

/// Sends one byte and a descriptor. Returns false if that would block or fails.
bool send_descriptor(int socket, std::uint8_t byte, int descriptor);
/// Receives one byte and the descriptor sent with it, -1 if there was none. Returns false if nothing was
/// received, with errno set, or 0 at the end of the stream.
bool receive_descriptor(int socket, std::uint8_t& byte, int& descriptor);

}  // namespace tandem::os
