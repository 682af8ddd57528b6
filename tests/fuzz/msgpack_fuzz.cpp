// The MessagePack reader on arbitrary bytes: it stays inside them, a refusal leaves it where it was, its two
// ways of going over a value agree, and what the writer makes of a value is read back as the same value.

#include "tandem/wire/msgpack.hpp"

#include <algorithm>

#include "tests/fuzz/fuzz.hpp"

using namespace tandem::wire;

namespace {

constexpr int depth_max = 200;  // this walk recurses, the reader does not

enum class Walk : std::uint8_t { good, bad, too_deep };

/// Reads one value with the typed functions and writes it again.
Walk copy(Reader& from, Writer& to, int depth);

Walk copy_items(Reader& from, Writer& to, std::uint64_t count, int depth) {
  Walk result = Walk::good;
  for (; count != 0 && result == Walk::good; --count) result = copy(from, to, depth);
  return result;
}

Walk copy(Reader& from, Writer& to, int depth) {
  if (depth > depth_max) return Walk::too_deep;
  bool flag = false;
  Integer integer;
  double floating = 0;
  std::string_view text;
  Bytes bytes;
  std::uint32_t count = 0;
  std::int8_t type = 0;
  switch (from.peek()) {
    case Kind::nil: return from.nil() ? (to.nil(), Walk::good) : Walk::bad;
    case Kind::boolean: return from.boolean(flag) ? (to.boolean(flag), Walk::good) : Walk::bad;
    case Kind::integer: return from.integer(integer) ? (to.integer(integer), Walk::good) : Walk::bad;
    case Kind::floating: return from.floating(floating) ? (to.floating(floating), Walk::good) : Walk::bad;
    case Kind::text: return from.text(text) ? (to.text(text), Walk::good) : Walk::bad;
    case Kind::bytes: return from.bytes(bytes) ? (to.bytes(bytes), Walk::good) : Walk::bad;
    case Kind::extension:
      if (!from.extension(type, bytes)) return Walk::bad;
      to.extension(static_cast<Extension>(type), bytes);
      return Walk::good;
    case Kind::array:
      if (!from.array(count)) return Walk::bad;
      to.array(count);
      return copy_items(from, to, count, depth + 1);
    case Kind::map:
      if (!from.map(count)) return Walk::bad;
      to.map(count);
      return copy_items(from, to, std::uint64_t{2} * count, depth + 1);
    case Kind::invalid: return Walk::bad;
  }
  return Walk::bad;
}

/// Every function on the same bytes: at most its own kind is read, and a refusal does not move the reader.
void check_refusals(Bytes input) {
  auto check = [&](auto function) {
    Reader reader(input);
    if (function(reader)) {
      REQUIRE(reader.position() > input.data() && reader.position() <= input.data() + input.size());
    } else {
      REQUIRE(reader.position() == input.data());
    }
  };
  check([](Reader& r) { return r.nil(); });
  check([](Reader& r) {
    bool v;
    return r.boolean(v);
  });
  check([](Reader& r) {
    Integer v;
    return r.integer(v);
  });
  check([](Reader& r) {
    std::int64_t v;
    return r.int64(v);
  });
  check([](Reader& r) {
    std::uint64_t v;
    return r.uint64(v);
  });
  check([](Reader& r) {
    double v;
    return r.floating(v);
  });
  check([](Reader& r) {
    std::string_view v;
    return r.text(v);
  });
  check([](Reader& r) {
    Bytes v;
    return r.bytes(v);
  });
  check([](Reader& r) {
    std::uint32_t v;
    return r.array(v);
  });
  check([](Reader& r) {
    std::uint32_t v;
    return r.map(v);
  });
  check([](Reader& r) {
    std::int8_t type;
    Bytes v;
    return r.extension(type, v);
  });
  check([](Reader& r) {
    Bytes v;
    return r.extension(Extension::tuple, v);
  });
  check([](Reader& r) {
    Reference v;
    return r.reference(v);
  });
  check([](Reader& r) {
    Bytes v;
    return r.value(v);
  });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes input(data, size);
  check_refusals(input);

  Reader skipping(input);
  bool whole = skipping.skip();
  Reader walking(input);
  Buffer first;
  Writer writer(first);
  Walk walk = copy(walking, writer, 0);
  if (walk == Walk::too_deep) return 0;
  REQUIRE(whole == (walk == Walk::good));
  if (!whole) return 0;
  REQUIRE(skipping.position() == walking.position());

  // The writer's form is the shortest, so writing it once more changes nothing.
  Reader again(first.view());
  Buffer second;
  Writer rewriter(second);
  REQUIRE(copy(again, rewriter, 0) == Walk::good && again.at_end());
  REQUIRE(std::ranges::equal(first.view(), second.view()));
  return 0;
}
