#include "tandem/codec/key_order.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <functional>

namespace tandem::client {
namespace {

using nlohmann::json;

enum class Rank : std::uint8_t { null, number, text, bytes, array, object };

/// The content of an object that stands for a value that JSON does not have; null if it is none with `tag`.
const json* tagged(const json& value, const char* tag) {
  if (!value.is_object() || value.size() != 1) return nullptr;
  const auto found = value.find(tag);
  return found == value.end() ? nullptr : &*found;
}

/// The text of an integer beyond 64 bits.
const std::string* big_integer(const json& value) {
  const json* content = tagged(value, "$int");
  return content == nullptr ? nullptr : content->get_ptr<const std::string*>();
}

Rank rank_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
    case json::value_t::discarded: return Rank::null;
    case json::value_t::boolean:
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float: return Rank::number;
    case json::value_t::string: return Rank::text;
    case json::value_t::binary: return Rank::bytes;
    case json::value_t::array: return Rank::array;
    case json::value_t::object: break;
  }
  return big_integer(value) != nullptr ? Rank::number : Rank::object;
}

wire::Integer word_of(const json& value) {
  if (value.is_number_unsigned()) return wire::Integer::of_unsigned(value.get<std::uint64_t>());
  if (value.is_boolean()) return wire::Integer::of(value.get<bool>() ? 1 : 0);
  return wire::Integer::of(value.get<std::int64_t>());
}

/// Orders texts of integers (integer_text).
std::weak_ordering order_integers(std::string_view a, std::string_view b) {
  const bool negative = a.starts_with('-');
  if (negative != b.starts_with('-'))
    return negative ? std::weak_ordering::less : std::weak_ordering::greater;
  if (negative) return order_integers(b.substr(1), a.substr(1));
  const bool long_a = a.starts_with("0x");  // longer than any that is decimal
  const bool long_b = b.starts_with("0x");
  if (long_a != long_b) return long_a <=> long_b;
  return a.size() != b.size() ? a.size() <=> b.size() : a <=> b;
}

/// The text of a number's integer part.
std::string integer_text(const json& number) {
  if (const std::string* big = big_integer(number)) return *big;
  if (!number.is_number_float()) {
    const wire::Integer word = word_of(number);
    return word.negative ? std::to_string(word.as_int64()) : std::to_string(word.bits);
  }
  char text[400];  // the largest double has 309 digits
  std::snprintf(text, sizeof text, "%.0f", std::floor(number.get<double>()));
  return text;
}

std::weak_ordering order_json_numbers(const json& a, const json& b) {
  const bool big_a = big_integer(a) != nullptr;
  const bool big_b = big_integer(b) != nullptr;
  if (big_a || big_b) {
    const json& other = big_a ? b : a;
    if (!other.is_number_float() || std::isfinite(other.get<double>()))
      return order_integers(integer_text(a), integer_text(b));
    const bool above = !(other.get<double>() < 0);  // infinity or NaN
    return above == big_a ? std::weak_ordering::less : std::weak_ordering::greater;
  }
  if (!a.is_number_float() && !b.is_number_float()) return order_numbers(word_of(a), word_of(b));
  if (!a.is_number_float()) return order_numbers(word_of(a), b.get<double>());
  if (!b.is_number_float()) return order_numbers(a.get<double>(), word_of(b));
  return order_numbers(a.get<double>(), b.get<double>());
}

std::weak_ordering order_arrays(const json& a, const json& b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
    if (const std::weak_ordering order = order_json(a[i], b[i]); order != 0) return order;
  return a.size() <=> b.size();
}

/// A set's elements or a map's pairs, whose order does not matter.
json sorted(const json& array) {
  json copied = array;
  std::sort(copied.begin(), copied.end(), [](const json& a, const json& b) { return order_json(a, b) < 0; });
  return copied;
}

std::weak_ordering order_objects(const json& a, const json& b) {
  for (const char* tag : {"$set", "$map"}) {
    const json* x = tagged(a, tag);
    const json* y = tagged(b, tag);
    if (x != nullptr && y != nullptr && x->is_array() && y->is_array())
      return order_arrays(sorted(*x), sorted(*y));
  }
  if (a.size() != b.size()) return a.size() <=> b.size();
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    if (x.key() != y.key()) return x.key() <=> y.key();
    if (const std::weak_ordering order = order_json(*x, *y); order != 0) return order;
  }
  return std::weak_ordering::equivalent;
}

}  // namespace

std::weak_ordering order_numbers(wire::Integer a, wire::Integer b) {
  if (a.negative != b.negative) return a.negative ? std::weak_ordering::less : std::weak_ordering::greater;
  return a.bits <=> b.bits;
}

std::weak_ordering order_numbers(wire::Integer a, double b) {
  if (!(b < 0x1p64)) return std::weak_ordering::less;  // NaN too
  if (b < -0x1p63) return std::weak_ordering::greater;
  const double whole = std::floor(b);
  const wire::Integer word = whole < 0 ? wire::Integer::of(static_cast<std::int64_t>(whole))
                                       : wire::Integer::of_unsigned(static_cast<std::uint64_t>(whole));
  const std::weak_ordering order = order_numbers(a, word);
  return order == 0 && whole != b ? std::weak_ordering::less : order;
}

std::weak_ordering order_numbers(double a, double b) {
  if (a < b) return std::weak_ordering::less;
  if (a > b) return std::weak_ordering::greater;
  if (a == b) return std::weak_ordering::equivalent;
  if (std::isnan(a) && std::isnan(b))
    return std::bit_cast<std::uint64_t>(a) <=> std::bit_cast<std::uint64_t>(b);
  return std::isnan(a) <=> std::isnan(b);
}

std::weak_ordering order_json(const json& a, const json& b) {
  const Rank rank = rank_of(a);
  if (const Rank other = rank_of(b); rank != other) return rank <=> other;
  switch (rank) {
    case Rank::null: break;
    case Rank::number: return order_json_numbers(a, b);
    case Rank::text: return a.get_ref<const std::string&>() <=> b.get_ref<const std::string&>();
    case Rank::bytes: {
      const std::vector<std::uint8_t>& x = a.get_binary();
      const std::vector<std::uint8_t>& y = b.get_binary();
      return x <=> y;
    }
    case Rank::array: return order_arrays(a, b);
    case Rank::object: return order_objects(a, b);
  }
  return std::weak_ordering::equivalent;
}

}  // namespace tandem::client
