#pragma once
// The shared-memory channel: the same frames as on a socket, in two rings of bytes, one for each direction. The manager
// makes the memory: a file without a name, sealed so that nobody can change its size, which it passes over the unix
// socket on which the handshake was made (one byte, ring_passed, with the file's descriptor) right after its Welcome. From
// then on all frames go through the rings. The socket stays open, as the sign of life of either side, and as the bell
// that wakes a reader who sleeps (one byte each time, of any value).
//
//   at 0        RingDirection to_server, then RingDirection to_client; 256 bytes each
//   at 4096     bytes of the ring to the server; their count is the Welcome's ring_bytes, a power of two, 4096 or more
//   behind it   bytes of the ring to the client; as many
//
//   written, taken   bytes that ever went in and out; byte n is at n modulo ring_bytes. Only the writer changes the one,
//                    only the reader the other, each after the bytes themselves
//   reader_sleeps    the reader found nothing and sleeps: whoever writes next clears it and rings the bell
//   writer_sleeps    the writer found no room and sleeps: whoever reads next clears it and wakes the writer: the manager by
//                    the bell; a client by a futex on this word, since one thread of it may await room while another
//                    awaits bytes
//   crowd            (to_client) how many channels the manager is serving without sleep, of which a client that waits
//                    without sleep makes its choices
//
// No wake-up is lost: a sleeper first sets its word and then looks once more at the other side's count; the other side
// first changes its count and then looks at the word. All four are sequentially consistent, so in the one order of all
// of them either the look at the word comes after the setting, and the sleeper is woken, or the setting comes after the
// look and with it after the change, which the sleeper then sees and does not sleep (Dekker's argument).
//
// Neither side believes the other: each keeps its own count for itself and only tells it, and a count of the other side
// that cannot be (more bytes than the ring has, or fewer than before) breaks the channel. Bytes are copied out before
// anything looks at them.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "tandem/wire/buffer.hpp"

namespace tandem::wire {

struct RingDirection {
  alignas(64) std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint32_t> busy_channel_count{0};
  alignas(64) std::atomic<std::uint64_t> taken{0};
  alignas(64) std::atomic<std::uint32_t> reader_sleeps{0};
  alignas(64) std::atomic<std::uint32_t> writer_sleeps{0};
};
static_assert(sizeof(RingDirection) == 256);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

struct RingDirections {
  RingDirection to_server;
  RingDirection to_client;
};

inline constexpr std::size_t ring_header_bytes = 4096;
inline constexpr std::uint64_t ring_bytes_least = 4096;
inline constexpr std::uint64_t ring_bytes_most = std::uint64_t{1} << 30;
inline constexpr std::uint8_t ring_passed = 'R';

inline constexpr std::size_t ring_file_bytes(std::size_t ring_bytes) {
  return ring_header_bytes + 2 * ring_bytes;
}

/// What a look at the other side's count says where that cannot be.
inline constexpr std::size_t ring_broken = static_cast<std::size_t>(-1);

/// Whether the other side sleeps, which then is to be woken. After a count was changed.
inline bool sleeps(std::atomic<std::uint32_t>& word) {
  return word.load(std::memory_order_seq_cst) != 0 && word.exchange(0, std::memory_order_seq_cst) != 0;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TANDEM_TELL_ORDER
#endif
#endif
/// Two ends in one process have the memory at two addresses, by which ThreadSanitizer cannot tell that what one did before it
/// wrote comes before what the other does after it read. It is told here, by one count that all ends change.
inline void tell_order() {
#if defined(TANDEM_TELL_ORDER) || defined(__SANITIZE_THREAD__)
  static std::atomic<std::uint32_t> order{0};
  order.fetch_add(1, std::memory_order_acq_rel);
#endif
}

/// The writing end of one direction. Used by one thread at a time.
class RingWriter {
 public:
  RingWriter(RingDirection& shared, std::uint8_t* bytes, std::size_t size)
      : shared_(&shared), bytes_(bytes), size_(size) {}

  RingDirection& shared() const { return *shared_; }
  /// Free bytes, or ring_broken.
  std::size_t room() const {
    const std::uint64_t under_way = written_ - shared_->taken.load(std::memory_order_seq_cst);
    return under_way <= size_ ? size_ - static_cast<std::size_t>(under_way) : ring_broken;
  }
  /// Writes as many as there is room for and gives how many, or ring_broken. Then the reader is to be looked after.
  std::size_t write(Bytes from) {
    if (room_ < from.size()) room_ = room();
    if (room_ == ring_broken) [[unlikely]]
      return room_ = 0, ring_broken;
    const std::size_t count = std::min(room_, from.size());
    const std::size_t at = static_cast<std::size_t>(written_) & (size_ - 1);
    const std::size_t first = std::min(count, size_ - at);
    std::memcpy(bytes_ + at, from.data(), first);
    if (first < count) [[unlikely]]
      std::memcpy(bytes_, from.data() + first, count - first);
    room_ -= count;
    written_ += count;
    tell_order();
    if (count != 0) shared_->written.store(written_, std::memory_order_seq_cst);
    return count;
  }

 private:
  RingDirection* shared_;
  std::uint8_t* bytes_;
  std::size_t size_;
  std::uint64_t written_ = 0;
  std::size_t room_ = 0;  // as of the last look; there may be more
};

/// The reading end of one direction. Used by one thread at a time.
class RingReader {
 public:
  RingReader(RingDirection& shared, const std::uint8_t* bytes, std::size_t size)
      : shared_(&shared), bytes_(bytes), size_(size) {}

  RingDirection& shared() const { return *shared_; }
  /// Bytes to be had, or ring_broken.
  std::size_t available() const {
    const std::uint64_t count = shared_->written.load(std::memory_order_seq_cst) - taken_;
    return count <= size_ ? static_cast<std::size_t>(count) : ring_broken;
  }
  /// Takes as many as there are and fit, and gives how many, or ring_broken. Then the writer is to be looked after.
  std::size_t read(std::span<std::uint8_t> to) {
    const std::size_t there = available();
    if (there == 0 || there == ring_broken) return there;
    const std::size_t count = std::min(there, to.size());
    const std::size_t at = static_cast<std::size_t>(taken_) & (size_ - 1);
    const std::size_t first = std::min(count, size_ - at);
    std::memcpy(to.data(), bytes_ + at, first);
    if (first < count) [[unlikely]]
      std::memcpy(to.data() + first, bytes_, count - first);
    tell_order();
    taken_ += count;
    shared_->taken.store(taken_, std::memory_order_seq_cst);
    return count;
  }

 private:
  RingDirection* shared_;
  const std::uint8_t* bytes_;
  std::size_t size_;
  std::uint64_t taken_ = 0;
};

}  // namespace tandem::wire
