#pragma once
// Memory shared by two processes: a file without a name whose size is sealed, so that neither can pull it away from
// under the other, and its way over a unix socket.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace tandem::os {

/// A mapping of such a file. Unmapped at the end; a forked child has it too.
class SharedMemory {
 public:
  /// Makes a file of this size, all zero, and maps it. `error` gets the reason where that fails.
  static std::optional<SharedMemory> make(std::size_t bytes, std::string& error);
  /// Maps a file that was received, if it has this size and is sealed; closes the descriptor.
  static std::optional<SharedMemory> map(int descriptor, std::size_t bytes, std::string& error);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  /// Of a file made here; -1 once it has been closed.
  int descriptor() const { return descriptor_; }
  void close_descriptor() noexcept;

 private:
  SharedMemory(std::uint8_t* data, std::size_t size, int descriptor)
      : data_(data), size_(size), descriptor_(descriptor) {}

  std::uint8_t* data_;
  std::size_t size_;
  int descriptor_;
};

/// Sends one byte and with it a descriptor. False: that did not go at once.
bool send_descriptor(int socket, std::uint8_t byte, int descriptor);
/// Receives one byte and the descriptor that came with it; -1 if none did. False with errno set where nothing came, and
/// zero if the socket has ended.
bool receive_descriptor(int socket, std::uint8_t& byte, int& descriptor);

}  // namespace tandem::os
