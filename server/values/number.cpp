#include "server/values/number.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace tandem::server {
namespace {

// Exact integers: sign and magnitude, the magnitude's bytes big-endian without leading zeros.
struct Exact {
  bool negative = false;
  std::vector<std::uint8_t> magnitude;
};

Exact exact_of(wire::Integer word) {
  Exact e{word.negative, {}};
  std::uint64_t bits = word.negative ? ~word.bits + 1 : word.bits;
  for (int shift = 56; shift >= 0; shift -= 8)
    if (auto byte = static_cast<std::uint8_t>(bits >> shift); byte != 0 || !e.magnitude.empty())
      e.magnitude.push_back(byte);
  return e;
}

Exact exact_of(wire::Bytes twos_complement) {
  Exact e{(twos_complement[0] & 0x80) != 0, {twos_complement.begin(), twos_complement.end()}};
  if (e.negative) {
    for (auto& byte : e.magnitude) byte = static_cast<std::uint8_t>(~byte);
    std::size_t i = e.magnitude.size();
    while (i-- > 0 && ++e.magnitude[i] == 0) {
    }
  }
  auto first = std::find_if(e.magnitude.begin(), e.magnitude.end(), [](std::uint8_t b) { return b != 0; });
  e.magnitude.erase(e.magnitude.begin(), first);
  return e;
}

/// `whole` must be finite and integral.
Exact exact_of(double whole) {
  int exponent = 0;
  double fraction = std::frexp(std::fabs(whole), &exponent);
  auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
  int shift = exponent - 53;
  if (shift < 0) {
    mantissa >>= -shift;
    shift = 0;
  }
  // The integer is mantissa * 2^shift: shift % 8 bits are shifted here (53 + 7 bits fit a word), the others
  // are whole zero bytes, appended below.
  Exact e = exact_of(wire::Integer::of_unsigned(mantissa << (shift % 8)));
  e.negative = whole < 0;  // a negative zero equals zero
  if (!e.magnitude.empty()) e.magnitude.resize(e.magnitude.size() + static_cast<std::size_t>(shift / 8), 0);
  return e;
}

Exact exact_of(const Number& n) {
  switch (n.form) {
    case Number::Form::word: return exact_of(n.word);
    case Number::Form::big: return exact_of(n.big);
    case Number::Form::floating: break;
  }
  return exact_of(n.floating);
}

std::strong_ordering compare(const Exact& a, const Exact& b) {
  if (a.negative != b.negative)
    return a.negative ? std::strong_ordering::less : std::strong_ordering::greater;
  auto order = a.magnitude.size() <=> b.magnitude.size();
  if (order == 0 && !a.magnitude.empty())
    order = std::memcmp(a.magnitude.data(), b.magnitude.data(), a.magnitude.size()) <=> 0;
  return a.negative ? 0 <=> order : order;
}

bool integral(double v) {
  return std::isfinite(v) && v == std::trunc(v);
}

Failure too_large() {
  return {Code::overflow, "the result does not fit 64 bits"};
}

}  // namespace

Number Number::read(wire::Reader& reader) {
  Number n;
  bool truth = false;
  wire::Bytes body;
  if (reader.boolean(truth)) {
    n.word = wire::Integer::of(truth);
  } else if (reader.integer(n.word)) {
  } else if (reader.floating(n.floating)) {
    n.form = Form::floating;
  } else {
    TANDEM_ASSERT(reader.extension(wire::Extension::integer, body) && !body.empty());
    // Drop bytes that only repeat the sign; an integer that then fits 64 bits is an ordinary one.
    while (body.size() > 1 && ((body[0] == 0 && body[1] < 0x80) || (body[0] == 0xff && body[1] >= 0x80)))
      body = body.subspan(1);
    bool negative = (body[0] & 0x80) != 0;
    if (body.size() <= 8 || (body.size() == 9 && body[0] == 0)) {
      std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
      for (std::uint8_t byte : body) bits = bits << 8 | byte;
      n.word = {negative, bits};
    } else {
      n.form = Form::big;
      n.big = body;
    }
  }
  return n;
}

Result<double> Number::to_double() const {
  switch (form) {
    case Form::word:
      return word.negative ? static_cast<double>(word.as_int64()) : static_cast<double>(word.bits);
    case Form::floating: return floating;
    case Form::big: break;
  }
  Exact e = exact_of(big);  // more than eight bytes
  std::uint64_t top = 0;
  for (std::size_t i = 0; i < sizeof top; ++i) top = top << 8 | e.magnitude[i];
  // `top` has at least 57 significant bits. Its lowest bit is set if any lower bit of the integer is (sticky
  // bit), which makes the rounding exact.
  if (std::any_of(e.magnitude.begin() + sizeof top, e.magnitude.end(), [](std::uint8_t b) { return b != 0; }))
    top |= 1;
  const std::size_t shift = std::min<std::size_t>(8 * (e.magnitude.size() - sizeof top), 2048);
  double rounded = std::ldexp(static_cast<double>(top), static_cast<int>(shift));
  if (std::isinf(rounded)) return Failure{Code::overflow, to_string() + " is too large for a float"};
  return e.negative ? -rounded : rounded;
}

std::size_t Number::canonical(std::uint8_t* out) const {
  if (form == Form::word || (form == Form::floating && integral(floating) && std::fabs(floating) < 0x1p62)) {
    // The most common case, and the form that all small equal numbers share.
    std::int64_t small = form == Form::word ? word.as_int64() : static_cast<std::int64_t>(floating);
    if (form == Form::floating || is_small(word)) {
      std::memcpy(out, &small, sizeof small);
      return sizeof small;
    }
  }
  if (form == Form::floating && !integral(floating)) {
    out[0] = 'f';
    std::memcpy(out + 1, &floating, sizeof floating);
    return 1 + sizeof floating;
  }
  Exact e = exact_of(*this);
  TANDEM_ASSERT(e.magnitude.size() < canonical_bytes_max);
  out[0] = e.negative ? '-' : '+';
  std::memcpy(out + 1, e.magnitude.data(), e.magnitude.size());
  return 1 + e.magnitude.size();
}

std::string Number::to_string() const {
  switch (form) {
    case Form::word: return word.negative ? std::to_string(word.as_int64()) : std::to_string(word.bits);
    case Form::big: return "an integer of " + std::to_string(big.size()) + " bytes";
    case Form::floating: break;
  }
  if (std::isnan(floating)) return "nan";  // whose sign differs between processors
  std::array<char, 32> text{};             // printf would follow the locale of the program
  const std::to_chars_result made = std::to_chars(text.data(), text.data() + text.size(), floating);
  std::string out(text.data(), made.ptr);
  if (out.find_first_not_of("-0123456789") == out.npos) out += ".0";
  return out;
}

std::partial_ordering compare(const Number& a, const Number& b) {
  if (a.form == Number::Form::word && b.form == Number::Form::word) {
    if (a.word.negative != b.word.negative)
      return a.word.negative ? std::partial_ordering::less : std::partial_ordering::greater;
    return a.word.bits <=> b.word.bits;
  }
  bool floats = a.form == Number::Form::floating || b.form == Number::Form::floating;
  if (a.form == b.form && floats) return a.floating <=> b.floating;
  if (floats) {
    const Number& f = a.form == Number::Form::floating ? a : b;
    if (std::isnan(f.floating)) return std::partial_ordering::unordered;
    if (std::isinf(f.floating)) {
      auto order = f.floating > 0 ? std::partial_ordering::greater : std::partial_ordering::less;
      return &f == &a ? order : 0 <=> order;
    }
    // A fraction cannot equal an integer: compare with its floor; on a tie the float is the greater.
    double floor = std::floor(f.floating);
    const Number& integer = &f == &a ? b : a;
    auto order = std::strong_ordering::equal;
    if (std::fabs(floor) < 0x1p62 && integer.is_word() && integer.word.fits_int64())
      order = static_cast<std::int64_t>(floor) <=> integer.word.as_int64();  // the usual case
    else order = compare(exact_of(floor), exact_of(integer));
    std::partial_ordering exact = order;
    if (order == 0 && floor != f.floating) exact = std::partial_ordering::greater;
    return &f == &a ? exact : 0 <=> exact;
  }
  return compare(exact_of(a), exact_of(b));
}

namespace {

Result<void> sum(const Number& a, const Number& b, bool minus, wire::Buffer& out) {
  wire::Writer writer(out);
  if (a.form == Number::Form::floating || b.form == Number::Form::floating) {
    Result<double> left = a.to_double();
    if (!left) return std::move(left.failure());
    Result<double> right = b.to_double();
    if (!right) return std::move(right.failure());
    writer.floating(with_one_nan(minus ? *left - *right : *left + *right));
    return {};
  }
  // The result fits 64 bits only if both integers are much shorter than 128.
  constexpr std::size_t wide_bytes_max = 15;
  auto wide = [](const Number& n) {
    if (n.is_word()) return n.word.negative ? __int128{n.word.as_int64()} : __int128{n.word.bits};
    unsigned __int128 bits = (n.big[0] & 0x80) != 0 ? ~static_cast<unsigned __int128>(0) : 0;
    for (const std::uint8_t byte : n.big) bits = bits << 8 | byte;
    return static_cast<__int128>(bits);
  };
  for (const Number* n : {&a, &b})
    if (n->form == Number::Form::big && n->big.size() > wide_bytes_max)
      return Failure{Code::overflow, "integers beyond 64 bits are stored and compared, but not added"};
  __int128 total = minus ? wide(a) - wide(b) : wide(a) + wide(b);
  if (total < 0) {
    if (total < std::numeric_limits<std::int64_t>::min()) return too_large();
    writer.integer(static_cast<std::int64_t>(total));
  } else {
    if (total > static_cast<__int128>(~std::uint64_t{0})) return too_large();
    writer.unsigned_integer(static_cast<std::uint64_t>(total));
  }
  return {};
}

}  // namespace

Result<void> add(const Number& a, const Number& b, wire::Buffer& out) {
  return sum(a, b, false, out);
}
Result<void> subtract(const Number& a, const Number& b, wire::Buffer& out) {
  return sum(a, b, true, out);
}

}  // namespace tandem::server
