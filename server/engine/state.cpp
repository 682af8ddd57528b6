#include "server/engine/state.hpp"

#include "server/values/validate.hpp"

namespace tandem::server {
namespace {

constexpr std::size_t part_bytes = std::size_t{1} << 20;

}  // namespace

// ---- writing ----------------------------------------------------------------------------------------------

void StateWriter::bytes(wire::Bytes v) {
  number(v.size());
  for (; !v.empty(); v = v.subspan(std::min(v.size(), part_bytes))) {
    out_.bytes(v.first(std::min(v.size(), part_bytes)));
    pass_on();
  }
}

void StateWriter::maybe(const Value& v) {
  boolean(!v.absent());
  if (!v.absent()) value(v);
}

void StateWriter::maybe(const std::optional<std::int64_t>& v) {
  boolean(v.has_value());
  if (v) integer(*v);
}

void StateWriter::finish() {
  if (!sink_ || buffer_.empty()) return;
  sink_(buffer_.view());
  buffer_.clear();
  buffer_.shrink(4 * piece_bytes);
}

// ---- reading ----------------------------------------------------------------------------------------------

void StateReader::fail(std::string text) {
  if (std::exchange(failed_, true)) return;
  failure_ = std::move(text);
}

/// Gets about as many bytes as are there already, so that a long value is not looked at too often.
bool StateReader::more() {
  buffer_.drop_front(taken_);
  taken_ = 0;
  const std::size_t before = buffer_.size();
  do {
    const wire::Bytes piece = source_();
    if (piece.empty()) break;
    buffer_.append(piece);
  } while (buffer_.size() < 2 * before);
  return buffer_.size() > before;
}

/// Returns the bytes of the next value, valid until the next call; empty after a failure.
wire::Bytes StateReader::next() {
  while (!failed_) {
    wire::Reader reader(buffer_.view_from(taken_));
    if (wire::Bytes found; reader.value(found)) {
      taken_ += found.size();
      return found;
    }
    if (!more()) fail("it ends in the middle");
  }
  return {};
}

template <class F>
void StateReader::read(std::string_view wanted, F&& take) {
  const wire::Bytes found = next();
  wire::Reader reader(found);
  if (!failed_ && !take(reader)) fail("there is something else where " + std::string(wanted) + " should be");
}

std::uint64_t StateReader::number() {
  std::uint64_t v = 0;
  read("a number", [&](wire::Reader& at) { return at.uint64(v); });
  return v;
}

std::uint64_t StateReader::number_up_to(std::uint64_t most, std::string_view of_what) {
  const std::uint64_t v = number();
  if (v <= most) return v;
  fail(std::string(of_what) + " " + std::to_string(v) + " is above " + std::to_string(most));
  return 0;
}

std::int64_t StateReader::integer() {
  std::int64_t v = 0;
  read("an integer", [&](wire::Reader& at) { return at.int64(v); });
  return v;
}

bool StateReader::boolean() {
  bool v = false;
  read("a boolean", [&](wire::Reader& at) { return at.boolean(v); });
  return v;
}

std::string StateReader::text() {
  std::string_view v;
  read("a text", [&](wire::Reader& at) { return at.text(v); });
  return std::string(v);
}

std::uint64_t StateReader::bytes(std::uint64_t most,
                                 const std::function<std::uint8_t*(std::uint64_t)>& room) {
  const std::uint64_t size = number_up_to(most, "a number of bytes");
  if (size == 0) return 0;
  std::uint8_t* at = room(size);
  if (at == nullptr) return fail("there is no memory for " + std::to_string(size) + " bytes"), 0;
  for (std::uint64_t left = size; left != 0 && !failed_;) {
    wire::Bytes part;
    read("bytes",
         [&](wire::Reader& reader) { return reader.bytes(part) && !part.empty() && part.size() <= left; });
    if (failed_) break;
    at = std::copy(part.begin(), part.end(), at);
    left -= part.size();
  }
  return failed_ ? 0 : size;
}

Value StateReader::value() {
  const wire::Bytes found = next();
  if (failed_) return Value();
  wire::Reader reader(found);
  // The depth was within the limit of that time. A reference may be to an object that was removed while it was held.
  Result<ValueView> valid = validate(reader, value_depth_most, AnyReference());
  if (!valid) return fail("a value: " + valid.failure().text), Value();
  return Value(*valid, registry_);
}

Value StateReader::maybe_value() {
  return boolean() ? value() : Value();
}

std::optional<std::int64_t> StateReader::maybe_integer() {
  return boolean() ? std::optional(integer()) : std::nullopt;
}

Owner StateReader::owner() {
  const SessionId session = number();
  return {session, static_cast<std::uint32_t>(number_up_to(~std::uint32_t{0}, "a thread's number"))};
}

bool StateReader::at_end() {
  return taken_ == buffer_.size() && !more();
}

std::uint32_t StateReader::hash(ValueView key) {
  if (failed_) return 0;
  Result<std::uint32_t> hash = hash_key(key, hash_seed_);
  if (hash) return *hash;
  fail("a key: " + hash.failure().text);
  return 0;
}

}  // namespace tandem::server
