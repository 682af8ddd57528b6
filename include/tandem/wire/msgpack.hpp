#pragma once
// MessagePack, reading and writing. The layout is that of the MessagePack specification (2013, with the str,
// bin and ext families), big-endian as the format demands. Extension types of tandem:
//
//   type  name       body
//   -1    timestamp  MessagePack's own: 4, 8 or 12 bytes
//    1    reference  hosted type number (1 byte), object id (8 bytes, little-endian): a proxy
//    2    tuple      the elements' MessagePack bytes, one after the other
//    3    set        the elements' MessagePack bytes, one after the other
//    4    integer    two's complement, big-endian, at least 1 byte: an integer beyond 64 bits
//    5    foreign    language tag (1 byte: 'p' Python, 'j' Java…), then bytes only for that language
//
// The writer always uses the shortest form. The reader does not trust its input: every function checks the
// bounds; if the next value is of another kind or truncated, it returns false and does not move. It never
// allocates.

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <string_view>

#include "tandem/wire/buffer.hpp"

namespace tandem::wire {

enum class Kind : std::uint8_t {
  nil,
  boolean,
  integer,
  floating,
  text,
  bytes,
  array,
  map,
  extension,
  invalid
};

enum class Extension : std::int8_t {
  timestamp = -1,
  reference = 1,
  tuple = 2,
  set = 3,
  integer = 4,
  foreign = 5
};

inline constexpr std::size_t reference_bytes = 12;  // of an encoded Reference

struct Reference {
  std::uint8_t type = 0;  // number of the hosted type
  std::uint64_t id = 0;
  bool operator==(const Reference&) const = default;
};

/// An integer in the range of MessagePack: -2^63 … 2^64-1.
struct Integer {
  bool negative = false;  // if so, `bits` is the two's complement of an int64
  std::uint64_t bits = 0;
  static constexpr Integer of(std::int64_t v) { return {v < 0, static_cast<std::uint64_t>(v)}; }
  static constexpr Integer of_unsigned(std::uint64_t v) { return {false, v}; }
  constexpr bool fits_int64() const { return negative || bits <= std::uint64_t{0x7fffffffffffffff}; }
  constexpr std::int64_t as_int64() const { return static_cast<std::int64_t>(bits); }
  bool operator==(const Integer&) const = default;
};

template <class U>
inline void store_big(std::uint8_t* at, U value) {
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof(U) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(U) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(U) == 8) value = __builtin_bswap64(value);
  }
  std::memcpy(at, &value, sizeof value);
}
template <class U>
inline U load_big(const std::uint8_t* at) {
  U value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof(U) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(U) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(U) == 8) value = __builtin_bswap64(value);
  }
  return value;
}

/// Appends values to a Buffer.
class Writer {
 public:
  explicit Writer(Buffer& out) : out_(&out) {}
  Buffer& buffer() { return *out_; }

  void nil() { out_->push(0xc0); }
  void boolean(bool v) { out_->push(v ? 0xc3 : 0xc2); }
  void integer(std::int64_t v) {
    if (v >= 0) return unsigned_integer(static_cast<std::uint64_t>(v));
    if (v >= -32) return out_->push(static_cast<std::uint8_t>(v));
    if (v >= std::numeric_limits<std::int8_t>::min()) return tagged(0xd0, static_cast<std::uint8_t>(v));
    if (v >= std::numeric_limits<std::int16_t>::min()) return tagged(0xd1, static_cast<std::uint16_t>(v));
    if (v >= std::numeric_limits<std::int32_t>::min()) return tagged(0xd2, static_cast<std::uint32_t>(v));
    tagged(0xd3, static_cast<std::uint64_t>(v));
  }
  void unsigned_integer(std::uint64_t v) {
    if (v < 0x80) return out_->push(static_cast<std::uint8_t>(v));
    if (v <= 0xff) return tagged(0xcc, static_cast<std::uint8_t>(v));
    if (v <= 0xffff) return tagged(0xcd, static_cast<std::uint16_t>(v));
    if (v <= 0xffffffff) return tagged(0xce, static_cast<std::uint32_t>(v));
    tagged(0xcf, v);
  }
  void integer(Integer v) { v.negative ? integer(v.as_int64()) : unsigned_integer(v.bits); }
  void floating(double v) { tagged(0xcb, std::bit_cast<std::uint64_t>(v)); }
  void floating32(float v) { tagged(0xca, std::bit_cast<std::uint32_t>(v)); }
  void text(std::string_view v) {
    text_header(v.size());
    out_->append(v.data(), v.size());
  }
  void text_header(std::size_t size) {
    if (size < 32) out_->push(static_cast<std::uint8_t>(0xa0 | size));
    else sized(size, 0xd9, 0xda, 0xdb);
  }
  void bytes(Bytes v) {
    bytes_header(v.size());
    out_->append(v);
  }
  void bytes_header(std::size_t size) { sized(size, 0xc4, 0xc5, 0xc6); }
  void array(std::size_t count) { container(count, 0x90, 0xdc, 0xdd); }
  void map(std::size_t count) { container(count, 0x80, 0xde, 0xdf); }
  void extension(Extension type, Bytes body) {
    extension_header(type, body.size());
    out_->append(body);
  }
  void extension_header(Extension type, std::size_t size) {
    switch (size) {
      case 1: out_->push(0xd4); break;
      case 2: out_->push(0xd5); break;
      case 4: out_->push(0xd6); break;
      case 8: out_->push(0xd7); break;
      case 16: out_->push(0xd8); break;
      default: sized(size, 0xc7, 0xc8, 0xc9);
    }
    out_->push(static_cast<std::uint8_t>(type));
  }
  void reference(Reference v) {
    std::uint8_t body[9];
    body[0] = v.type;
    std::memcpy(body + 1, &v.id, 8);
    extension(Extension::reference, {body, sizeof body});
  }
  /// Appends bytes that already are MessagePack.
  void raw(Bytes encoded) { out_->append(encoded); }

 private:
  template <class U>
  void tagged(std::uint8_t tag, U v) {
    std::uint8_t* at = out_->extend(1 + sizeof v);
    *at = tag;
    if constexpr (sizeof v == 1) at[1] = v;
    else store_big(at + 1, v);
  }
  void sized(std::size_t size, std::uint8_t tag8, std::uint8_t tag16, std::uint8_t tag32) {
    if (size <= 0xff) return tagged(tag8, static_cast<std::uint8_t>(size));
    if (size <= 0xffff) return tagged(tag16, static_cast<std::uint16_t>(size));
    tagged(tag32, static_cast<std::uint32_t>(size));
  }
  void container(std::size_t count, std::uint8_t fixed, std::uint8_t tag16, std::uint8_t tag32) {
    if (count < 16) return out_->push(static_cast<std::uint8_t>(fixed | count));
    if (count <= 0xffff) return tagged(tag16, static_cast<std::uint16_t>(count));
    tagged(tag32, static_cast<std::uint32_t>(count));
  }

  Buffer* out_;
};

/// Reads MessagePack bytes that it does not own.
class Reader {
 public:
  Reader() = default;
  explicit Reader(Bytes bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool at_end() const { return at_ == end_; }
  const std::uint8_t* position() const { return at_; }
  Bytes rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }

  /// Returns the kind of the next value; `invalid` at the end and for the one byte that MessagePack never
  /// uses.
  Kind peek() const {
    if (at_ == end_) return Kind::invalid;
    std::uint8_t tag = *at_;
    if (tag < 0x80 || tag >= 0xe0) return Kind::integer;
    if (tag < 0x90) return Kind::map;
    if (tag < 0xa0) return Kind::array;
    if (tag < 0xc0) return Kind::text;
    return kind_of_tag(tag);
  }

  bool nil() { return literal(0xc0); }
  bool boolean(bool& v) {
    if (at_ == end_ || (*at_ & 0xfe) != 0xc2) return false;
    v = *at_++ == 0xc3;
    return true;
  }
  bool integer(Integer& v);
  /// Reads an integer that fits an int64.
  bool int64(std::int64_t& v) {
    Reader before = *this;
    Integer wide;
    if (!integer(wide)) return false;
    if (!wide.fits_int64()) return *this = before, false;
    v = wide.as_int64();
    return true;
  }
  bool uint64(std::uint64_t& v) {
    Reader before = *this;
    Integer wide;
    if (!integer(wide)) return false;
    if (wide.negative) return *this = before, false;
    v = wide.bits;
    return true;
  }
  /// Reads a float32 or float64; integers are not floats here.
  bool floating(double& v);
  bool text(std::string_view& v) {
    Bytes body;
    if (!body_of(Kind::text, body)) return false;
    v = as_text(body);
    return true;
  }
  bool bytes(Bytes& v) { return body_of(Kind::bytes, v); }
  [[gnu::always_inline]] bool array(std::uint32_t& count) {
    if (at_ != end_ && (*at_ & 0xf0) == 0x90) [[likely]]
      return count = *at_++ & 0x0f, true;
    return header_of(0x90, 0x0f, 0xdc, count);
  }
  bool map(std::uint32_t& count) { return header_of(0x80, 0x0f, 0xde, count); }
  bool extension(std::int8_t& type, Bytes& body);
  bool extension(Extension wanted, Bytes& body) {
    Reader before = *this;
    std::int8_t type = 0;
    if (!extension(type, body)) return false;
    if (type != static_cast<std::int8_t>(wanted)) return *this = before, false;
    return true;
  }
  bool reference(Reference& v) {
    Reader before = *this;
    Bytes body;
    if (!extension(Extension::reference, body)) return false;
    if (body.size() != 9) return *this = before, false;
    v.type = body[0];
    std::memcpy(&v.id, body.data() + 1, 8);
    return true;
  }
  /// Takes a value of which the first byte says how long it is and nothing else can be wrong: nil, a boolean, a number.
  [[gnu::always_inline]] bool scalar(Bytes& v) {
    if (at_ == end_) return false;
    const std::size_t length = scalar_bytes[*at_];
    if (length == 0 || !has(length)) return false;
    v = {at_, length};
    at_ += length;
    return true;
  }
  /// Takes a text of at most 31 bytes which is ASCII.
  [[gnu::always_inline]] bool short_ascii(Bytes& v) {
    if (at_ == end_ || (*at_ & 0xe0) != 0xa0) return false;
    const std::size_t length = *at_ & 0x1f;
    if (!has(1 + length)) return false;
    const std::uint8_t* text = at_ + 1;
    std::uint64_t bits = 0;
    if (length >= 8) {
      for (std::size_t i = 0; i + 8 <= length; i += 8) bits |= load_big<std::uint64_t>(text + i);
      bits |= load_big<std::uint64_t>(text + length - 8);
    } else {
      for (std::size_t i = 0; i < length; ++i) bits |= text[i];
    }
    if ((bits & 0x8080808080808080) != 0) return false;
    v = {at_, 1 + length};
    at_ += 1 + length;
    return true;
  }
  /// Skips one value of any kind and depth, without recursion. Extension bodies are not examined.
  bool skip();
  /// Skips one value and returns its bytes in `v`.
  bool value(Bytes& v) {
    const std::uint8_t* begin = at_;
    if (!skip()) return false;
    v = {begin, static_cast<std::size_t>(at_ - begin)};
    return true;
  }

 private:
  static Kind kind_of_tag(std::uint8_t tag);
  /// By first byte: the length of a value that scalar() takes; 0: another value.
  static constexpr std::array<std::uint8_t, 256> scalar_bytes = [] {
    std::array<std::uint8_t, 256> bytes{};
    for (std::size_t tag = 0; tag < bytes.size(); ++tag) bytes[tag] = tag < 0x80 || tag >= 0xe0 ? 1 : 0;
    for (const std::size_t tag : {0xc0, 0xc2, 0xc3}) bytes[tag] = 1;
    for (const std::size_t tag : {0xcc, 0xd0}) bytes[tag] = 2;
    for (const std::size_t tag : {0xcd, 0xd1}) bytes[tag] = 3;
    for (const std::size_t tag : {0xca, 0xce, 0xd2}) bytes[tag] = 5;
    for (const std::size_t tag : {0xcb, 0xcf, 0xd3}) bytes[tag] = 9;
    return bytes;
  }();
  bool has(std::size_t count) const { return static_cast<std::size_t>(end_ - at_) >= count; }
  bool literal(std::uint8_t tag) {
    if (at_ == end_ || *at_ != tag) return false;
    ++at_;
    return true;
  }
  bool body_of(Kind kind, Bytes& body);
  bool header_of(std::uint8_t fixed, std::uint8_t mask, std::uint8_t tag16, std::uint32_t& count);
  /// Reads the length in the `width` bytes after the tag; false if truncated.
  bool length_at(std::size_t width, std::size_t& length) const {
    if (!has(1 + width)) return false;
    length = width == 1   ? at_[1]
             : width == 2 ? load_big<std::uint16_t>(at_ + 1)
                          : load_big<std::uint32_t>(at_ + 1);
    return true;
  }

  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
};

inline Kind Reader::kind_of_tag(std::uint8_t tag) {
  constexpr Kind kinds[32] = {
      Kind::nil,       Kind::invalid,   Kind::boolean,   Kind::boolean,   Kind::bytes,     Kind::bytes,
      Kind::bytes,     Kind::extension, Kind::extension, Kind::extension, Kind::floating,  Kind::floating,
      Kind::integer,   Kind::integer,   Kind::integer,   Kind::integer,   Kind::integer,   Kind::integer,
      Kind::integer,   Kind::integer,   Kind::extension, Kind::extension, Kind::extension, Kind::extension,
      Kind::extension, Kind::text,      Kind::text,      Kind::text,      Kind::array,     Kind::array,
      Kind::map,       Kind::map};
  return kinds[tag - 0xc0];
}

inline bool Reader::integer(Integer& v) {
  if (at_ == end_) return false;
  std::uint8_t tag = *at_;
  if (tag < 0x80) return v = Integer::of_unsigned(tag), ++at_, true;
  if (tag >= 0xe0) return v = Integer::of(static_cast<std::int8_t>(tag)), ++at_, true;
  if (tag < 0xcc || tag > 0xd3) return false;
  std::size_t width = std::size_t{1} << ((tag - 0xcc) & 3);
  if (!has(1 + width)) return false;
  switch (tag) {
    case 0xcc: v = Integer::of_unsigned(at_[1]); break;
    case 0xcd: v = Integer::of_unsigned(load_big<std::uint16_t>(at_ + 1)); break;
    case 0xce: v = Integer::of_unsigned(load_big<std::uint32_t>(at_ + 1)); break;
    case 0xcf: v = Integer::of_unsigned(load_big<std::uint64_t>(at_ + 1)); break;
    case 0xd0: v = Integer::of(static_cast<std::int8_t>(at_[1])); break;
    case 0xd1: v = Integer::of(static_cast<std::int16_t>(load_big<std::uint16_t>(at_ + 1))); break;
    case 0xd2: v = Integer::of(static_cast<std::int32_t>(load_big<std::uint32_t>(at_ + 1))); break;
    case 0xd3: v = Integer::of(static_cast<std::int64_t>(load_big<std::uint64_t>(at_ + 1))); break;
  }
  at_ += 1 + width;
  return true;
}

inline bool Reader::floating(double& v) {
  if (at_ == end_) return false;
  if (*at_ == 0xcb && has(9)) {
    v = std::bit_cast<double>(load_big<std::uint64_t>(at_ + 1));
    at_ += 9;
    return true;
  }
  if (*at_ == 0xca && has(5)) {
    v = static_cast<double>(std::bit_cast<float>(load_big<std::uint32_t>(at_ + 1)));
    at_ += 5;
    return true;
  }
  return false;
}

inline bool Reader::body_of(Kind kind, Bytes& body) {
  if (at_ == end_) return false;
  std::uint8_t tag = *at_;
  std::size_t header = 1;
  std::size_t length = 0;
  if (kind == Kind::text && (tag & 0xe0) == 0xa0) {
    length = tag & 0x1f;
  } else {
    std::uint8_t first = kind == Kind::text ? 0xd9 : 0xc4;
    if (tag < first || tag > first + 2) return false;
    std::size_t width = std::size_t{1} << (tag - first);
    if (!length_at(width, length)) return false;
    header += width;
  }
  if (!has(header + length)) return false;
  body = {at_ + header, length};
  at_ += header + length;
  return true;
}

inline bool Reader::header_of(std::uint8_t fixed, std::uint8_t mask, std::uint8_t tag16,
                              std::uint32_t& count) {
  if (at_ == end_) return false;
  std::uint8_t tag = *at_;
  if ((tag & static_cast<std::uint8_t>(~mask)) == fixed) {
    count = tag & mask;
    ++at_;
    return true;
  }
  if (tag != tag16 && tag != tag16 + 1) return false;
  std::size_t width = tag == tag16 ? 2 : 4;
  std::size_t length = 0;
  if (!length_at(width, length)) return false;
  count = static_cast<std::uint32_t>(length);
  at_ += 1 + width;
  return true;
}

inline bool Reader::extension(std::int8_t& type, Bytes& body) {
  if (at_ == end_) return false;
  std::uint8_t tag = *at_;
  std::size_t header = 2;
  std::size_t length = 0;
  if (tag >= 0xd4 && tag <= 0xd8) {
    length = std::size_t{1} << (tag - 0xd4);
  } else if (tag >= 0xc7 && tag <= 0xc9) {
    std::size_t width = std::size_t{1} << (tag - 0xc7);
    if (!length_at(width, length)) return false;
    header += width;
  } else {
    return false;
  }
  if (!has(header + length)) return false;
  type = static_cast<std::int8_t>(at_[header - 1]);
  body = {at_ + header, length};
  at_ += header + length;
  return true;
}

inline bool Reader::skip() {
  const std::uint8_t* begin = at_;
  std::uint64_t remaining = 1;
  while (remaining != 0) {
    --remaining;
    bool good = false;
    std::uint32_t count = 0;
    Bytes body;
    switch (peek()) {
      case Kind::nil:
      case Kind::boolean:
        ++at_;
        good = true;
        break;
      case Kind::integer: {
        Integer v;
        good = integer(v);
        break;
      }
      case Kind::floating: {
        double v;
        good = floating(v);
        break;
      }
      case Kind::text: good = body_of(Kind::text, body); break;
      case Kind::bytes: good = body_of(Kind::bytes, body); break;
      case Kind::array:
        good = array(count);
        remaining += count;
        break;
      case Kind::map:
        good = map(count);
        remaining += std::uint64_t{2} * count;
        break;
      case Kind::extension: {
        std::int8_t type;
        good = extension(type, body);
        break;
      }
      case Kind::invalid: break;
    }
    if (!good) {
      at_ = begin;
      return false;
    }
  }
  return true;
}

}  // namespace tandem::wire
