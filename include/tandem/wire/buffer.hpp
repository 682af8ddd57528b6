#pragma once
// A growable byte buffer. Unlike std::vector it leaves new bytes uninitialised, which matters when a read is
// about to overwrite megabytes. It keeps its memory when cleared.

#include "tandem/cxx20.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace tandem::wire {

using Bytes = std::span<const std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Where bytes go as they arrive, piece by piece.
class ByteSink {
 public:
  virtual void append(Bytes bytes) noexcept = 0;

 protected:
  ~ByteSink() = default;
};

class Buffer {
 public:
  static constexpr std::size_t kept_bytes_max = std::size_t{2}
                                                << 20;  // kept capacity of an empty long-lived buffer

  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  Bytes view() const { return {data_, size_}; }
  Bytes view_from(std::size_t offset) const { return {data_ + offset, size_ - offset}; }

  void clear() { size_ = 0; }
  /// Removes the bytes after `size`, which must not exceed size().
  void truncate(std::size_t size) { size_ = size; }
  /// Removes the first `count` bytes and moves the rest to the front.
  void drop_front(std::size_t count) {
    size_ -= count;
    if (size_ != 0) std::memmove(data_, data_ + count, size_);
  }
  void reserve(std::size_t capacity) {
    if (capacity > capacity_) reallocate(capacity);
  }
  /// Frees the memory if the buffer is empty and holds more than `bytes_kept`.
  void shrink(std::size_t bytes_kept) {
    if (capacity_ > bytes_kept && size_ == 0) {
      std::free(data_);
      data_ = nullptr;
      capacity_ = 0;
    }
  }

  /// Frees the memory that the contents do not need.
  void fit() {
    if (size_ != 0 && size_ < capacity_) reallocate(size_);
  }

  /// Adds `count` uninitialised bytes to the contents and returns where they begin.
  [[gnu::always_inline]] std::uint8_t* extend(std::size_t count) {
    if (capacity_ - size_ < count) [[unlikely]]
      grow(count);
    std::uint8_t* at = data_ + size_;
    size_ += count;
    return at;
  }
  void append(const void* bytes, std::size_t count) {
    if (count != 0) std::memcpy(extend(count), bytes, count);
  }
  void append(Bytes bytes) { append(bytes.data(), bytes.size()); }
  [[gnu::always_inline]] void push(std::uint8_t byte) { *extend(1) = byte; }

 private:
  [[gnu::noinline]] void grow(std::size_t count) {
    std::size_t wanted = size_ + count;
    std::size_t doubled = capacity_ < 256 ? 512 : capacity_ * 2;
    reallocate(wanted > doubled ? wanted : doubled);
  }
  void reallocate(std::size_t capacity) {
    void* moved = std::realloc(data_, capacity);
    if (moved == nullptr) throw std::bad_alloc();
    data_ = static_cast<std::uint8_t*>(moved);
    capacity_ = capacity;
  }

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace tandem::wire
