// Human-readable text of values: to_text().

#include <cxxabi.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "client/common/hex.hpp"
#include "client/common/value_text.hpp"
#include "tandem/ops/all.hpp"
#include "tandem/text.hpp"

namespace tandem {
namespace {

using wire::Extension;
using wire::Kind;

class TextWriter {
 public:
  explicit TextWriter(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Malformed bytes may nest to any depth; values nested deeper than this are not shown.
  static constexpr int depth_max = 1000;

  void one(wire::Reader& reader, int depth) {
    bool boolean = false;
    wire::Integer integer;
    double floating = 0;
    std::string_view text;
    wire::Bytes bytes;
    std::uint32_t count = 0;
    if (full()) return;
    switch (reader.peek()) {
      case Kind::nil: return (void)reader.nil(), put("null");
      case Kind::boolean: return (void)reader.boolean(boolean), put(boolean ? "true" : "false");
      case Kind::integer:
        if (!reader.integer(integer)) break;
        return put(integer.negative ? std::to_string(integer.as_int64()) : std::to_string(integer.bits));
      case Kind::floating:
        if (!reader.floating(floating)) break;
        return number(floating);
      case Kind::text:
        if (!reader.text(text)) break;
        return quoted(text, false);
      case Kind::bytes:
        if (!reader.bytes(bytes)) break;
        put("b");
        return quoted(wire::as_text(bytes), true);
      case Kind::array:
        if (depth == depth_max || !reader.array(count)) break;
        return array(reader, count, depth);
      case Kind::map:
        if (depth == depth_max || !reader.map(count)) break;
        return map(reader, count, depth);
      case Kind::extension: return extension(reader, depth);
      case Kind::invalid: break;
    }
    malformed(reader);
  }

  std::string take() {
    if (cut_) {
      text_.resize(whole_characters(std::min(text_.size(), bytes_max_)));
      text_ += "…";
    }
    return std::move(text_);
  }

 private:
  /// Returns how many of the first `size` bytes form whole UTF-8 characters.
  std::size_t whole_characters(std::size_t size) const {
    std::size_t lead = size;  // after the first byte of the last character
    while (lead > 0 && (byte_at(lead - 1) & 0xc0) == 0x80) --lead;
    if (lead == 0) return size;
    const unsigned byte = byte_at(lead - 1);
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size - (lead - 1) < length ? lead - 1 : size;
  }
  unsigned byte_at(std::size_t at) const { return static_cast<unsigned char>(text_[at]); }

  bool full() {
    if (text_.size() >= bytes_max_) cut_ = true;
    return cut_;
  }
  void put(std::string_view text) {
    if (full()) return;
    text_ += text;
    if (text_.size() > bytes_max_) cut_ = true;
  }
  void malformed(wire::Reader& reader) {
    put("<malformed>");
    reader = wire::Reader();
    broken_ = true;
  }

  void number(double value) {
    if (std::isnan(value)) return put("nan");
    if (std::isinf(value)) return put(value > 0 ? "inf" : "-inf");
    std::array<char, 32> digits{};
    auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
    put(text);
    if (text.find_first_of(".e") == text.npos) put(".0");  // a float is not an integer, as in Python
  }

  void quoted(std::string_view text, bool bytes) {
    put("\"");
    for (const char c : text) {
      if (full()) return;
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') text_ += '\\', text_ += c;
      else if (c == '\n') text_ += "\\n";
      else if (c == '\t') text_ += "\\t";
      else if (c == '\r') text_ += "\\r";
      else if (byte >= 0x20 && byte != 0x7f && (byte < 0x80 || !bytes)) text_ += c;
      else client::append_hex(text_ += bytes ? "\\x" : "\\u00", byte);
    }
    put("\"");
  }

  void array(wire::Reader& reader, std::uint32_t count, int depth) {
    put("[");
    for (std::uint32_t i = 0; i < count && !stopped(); ++i) {
      if (i != 0) put(", ");
      one(reader, depth + 1);
    }
    put("]");
  }

  void map(wire::Reader& reader, std::uint32_t count, int depth) {
    put("{");
    for (std::uint32_t i = 0; i < count && !stopped(); ++i) {
      if (i != 0) put(", ");
      one(reader, depth + 1);
      put(": ");
      if (!stopped()) one(reader, depth + 1);
    }
    put("}");
  }

  void extension(wire::Reader& reader, int depth) {
    wire::Reader before = reader;
    std::int8_t type = 0;
    wire::Bytes body;
    if (!reader.extension(type, body)) return malformed(reader);
    wire::Reference reference;
    client::Timestamp instant;
    switch (static_cast<Extension>(type)) {
      case Extension::tuple: return elements(body, "(", ")", depth);
      case Extension::set: return body.empty() ? put("set()") : elements(body, "{", "}", depth);
      case Extension::integer: return put(client::integer_text(body));
      case Extension::reference:
        if (!before.reference(reference)) break;
        return put("<" + name_of(reference.type) + " " + std::to_string(reference.id) + ">");
      case Extension::foreign:
        if (body.empty()) break;
        put("<foreign ");
        quoted(wire::as_text(body.first(1)), true);
        return put(", " + std::to_string(body.size() - 1) + " bytes>");
      case Extension::timestamp:
        if (!client::read_timestamp(before, instant)) break;
        return put(client::timestamp_text(instant).value_or("<" + std::to_string(instant.seconds) +
                                                            " s and " + std::to_string(instant.nanoseconds) +
                                                            " ns since 1970>"));
    }
    put("<extension " + std::to_string(type) + ", " + std::to_string(body.size()) + " bytes>");
  }

  static std::string name_of(std::uint8_t type) {
    const std::string_view name = hosted_type_name(type);
    return name.empty() ? "object of type " + std::to_string(type) + "," : std::string(name);
  }

  void elements(wire::Bytes body, std::string_view open, std::string_view close, int depth) {
    if (depth == depth_max) return put("<malformed>");
    put(open);
    wire::Reader inside(body);
    std::size_t count = 0;
    for (; !inside.at_end() && !stopped(); ++count) {
      if (count != 0) put(", ");
      one(inside, depth + 1);
    }
    if (count == 1 && open == "(") put(",");  // as in Python: (1,)
    put(close);
  }

  bool stopped() { return broken_ || full(); }

  std::string text_;
  std::size_t bytes_max_;
  bool cut_ = false;
  bool broken_ = false;
};

}  // namespace

std::string to_text(wire::Bytes value, std::size_t bytes_max) {
  TextWriter writer(bytes_max);
  wire::Reader reader(value);
  writer.one(reader, 0);
  return writer.take();
}

std::string_view hosted_type_name(std::uint8_t number) {
  return ops::AllTypes::with_types([number]<class... O>() {
    std::string_view name;
    ((O::number == number ? void(name = O::type) : void()), ...);
    return name;
  });
}

std::string class_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : type.name();
}

}  // namespace tandem
