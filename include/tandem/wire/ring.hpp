#pragma once
// The shared-memory channel: the same frames as on a socket, in two rings of bytes, one for each direction.
// The manager creates the memory: an unnamed file, sealed against changes of its size. It passes the file's
// descriptor over the unix socket of the handshake (with one byte, ring_passed) right after its Welcome. From
// then on all frames go through the rings. The socket stays open: its end shows that the other side has
// ended, and it is the bell that wakes a sleeping reader (one byte each time, of any value).
//
//   at 0        RingDirection to_server, then RingDirection to_client; 256 bytes each
//   at 4096     bytes of the ring to the server: ring_bytes of the Welcome, a power of two, 4096 or more
//   after it    bytes of the ring to the client; as many
//
//   written, taken   total bytes written and taken; byte n is at n modulo ring_bytes. Only the writer changes
//                    `written`, only the reader `taken`, each after the bytes themselves; in long writes and
//                    reads after each part, so that both sides copy at the same time
//   reader_sleeps    the reader found nothing and sleeps: the next write clears it and rings the bell
//   writer_sleeps    the writer found no room and sleeps: the next read clears it and wakes the writer, the
//                    manager by the bell, a client by a futex on this word, since one of its threads may wait
//                    for room while another waits for bytes
//   busy_channel_count   (to_client) number of channels that the manager is polling; a busy-waiting client
//                    decides by it how long to wait before it yields. 0: others want the processors, so a
//                    client is to sleep at once
//   parked_count     (to_client) number of the channel's requests that wait for something to happen: a reply will
//                    take longer, so a busy-waiting client yields the processor at once
//   writer_processor (to_server) 1 + the number of the processor on which the client ran last; 0: not known. The
//                    manager yields its processor to clients that may be on the same one
//   reader_polls     (to_client) 1: the client yields the processor in a busy wait, so it takes turns with the
//                    manager and does not compete with it
//
// No wake-up is lost: a sleeper first sets its word and then checks the other side's count again; the other
// side first changes its count and then checks the word. All four accesses are sequentially consistent. So in
// their one total order either the check of the word follows its setting, and the sleeper is woken; or the
// setting follows that check, and thus the change of the count, which the sleeper then sees and does not
// sleep (Dekker's argument).
//
// Neither side trusts the other: each keeps its own count privately and only publishes it; an impossible
// count of the other side (more bytes than the ring has, or fewer than before) breaks the channel. Bytes are
// copied out before they are parsed.

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
  std::atomic<std::uint32_t> parked_count{0};
  std::atomic<std::uint32_t> writer_processor{0};
  alignas(64) std::atomic<std::uint64_t> taken{0};
  std::atomic<std::uint32_t> reader_polls{0};
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

/// Longer writes and reads publish their counts after each part of so many bytes, so that both sides copy at the same
/// time.
inline constexpr std::size_t ring_part_bytes = 8192;

/// Returned if the count of the other side is impossible.
inline constexpr std::size_t ring_broken = static_cast<std::size_t>(-1);

/// Whether the other side sleeps and must be woken now. Called after a count was changed.
inline bool sleeps(std::atomic<std::uint32_t>& word) {
  return word.load(std::memory_order_seq_cst) != 0 && word.exchange(0, std::memory_order_seq_cst) != 0;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TANDEM_TELL_ORDER
#endif
#endif
/// Two ends in one process map the memory at two addresses, so ThreadSanitizer cannot see that what one end
/// did before a write comes before what the other end does after the read. One counter that all ends change
/// shows it the order.
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
  /// Returns the number of free bytes, or ring_broken.
  std::size_t room() const {
    const std::uint64_t under_way = written_ - shared_->taken.load(std::memory_order_seq_cst);
    return under_way <= size_ ? size_ - static_cast<std::size_t>(under_way) : ring_broken;
  }
  /// Writes as many bytes as fit, at most one ringful, and returns their number, or ring_broken. The caller then
  /// wakes the reader if it sleeps.
  std::size_t write(Bytes from) {
    if (from.size() > ring_part_bytes) [[unlikely]]
      return write_long(from);
    return write_part(from);
  }

 private:
  [[gnu::noinline]] std::size_t write_long(Bytes from) {
    // The reader makes room meanwhile; others wait for their turn.
    from = from.first(std::min(from.size(), size_));
    std::size_t total = 0;
    while (total != from.size()) {
      const std::size_t count =
          write_part(from.subspan(total, std::min(ring_part_bytes, from.size() - total)));
      if (count == ring_broken) return ring_broken;
      if (count == 0) break;
      total += count;
    }
    return total;
  }
  [[gnu::always_inline]] std::size_t write_part(Bytes from) {
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

  RingDirection* shared_;
  std::uint8_t* bytes_;
  std::size_t size_;
  std::uint64_t written_ = 0;
  std::size_t room_ = 0;  // as of the last check; there may be more
};

/// The reading end of one direction. Used by one thread at a time.
class RingReader {
 public:
  RingReader(RingDirection& shared, const std::uint8_t* bytes, std::size_t size)
      : shared_(&shared), bytes_(bytes), size_(size) {}

  RingDirection& shared() const { return *shared_; }
  /// Returns the number of available bytes, or ring_broken.
  std::size_t available() const {
    const std::uint64_t count = shared_->written.load(std::memory_order_seq_cst) - taken_;
    return count <= size_ ? static_cast<std::size_t>(count) : ring_broken;
  }
  /// Takes as many bytes as are available and fit, at most one ringful, and returns their number, or ring_broken. The
  /// caller then wakes the writer if it sleeps.
  std::size_t read(std::span<std::uint8_t> to) {
    auto copy = [at = to.data()](Bytes bytes) mutable {
      std::memcpy(at, bytes.data(), bytes.size());
      at += bytes.size();
    };
    const std::size_t there = available();
    if (there == 0 || there == ring_broken) return there;
    if (std::min(there, to.size()) > ring_part_bytes) [[unlikely]]
      return take(to.size(), copy);
    return take_part(there, to.size(), copy);
  }
  /// The same for at most `most` bytes, of which each piece is passed to `copy`, which does not throw.
  template <class F>
  [[gnu::noinline]] std::size_t take(std::size_t most, F copy) {
    most = std::min(most, size_);
    std::size_t total = 0;
    while (total != most) {
      const std::size_t there = available();
      if (there == ring_broken) return ring_broken;
      if (there == 0) break;
      total += take_part(there, std::min(most - total, ring_part_bytes), copy);
    }
    return total;
  }

 private:
  template <class F>
  [[gnu::always_inline]] std::size_t take_part(std::size_t there, std::size_t most, F&& copy) {
    const std::size_t count = std::min(there, most);
    const std::size_t at = static_cast<std::size_t>(taken_) & (size_ - 1);
    const std::size_t first = std::min(count, size_ - at);
    copy(Bytes(bytes_ + at, first));
    if (first < count) [[unlikely]]
      copy(Bytes(bytes_, count - first));
    tell_order();
    taken_ += count;
    shared_->taken.store(taken_, std::memory_order_seq_cst);
    return count;
  }

  RingDirection* shared_;
  const std::uint8_t* bytes_;
  std::size_t size_;
  std::uint64_t taken_ = 0;
};

}  // namespace tandem::wire
