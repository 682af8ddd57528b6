// are_equal() and is_less(). Both walk through their two values side by side and read each byte a bounded number
// of times, however deep it is nested.

#include <algorithm>
#include <cmath>
#include <vector>

#include "server/values/parsed.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {
namespace {

using wire::Bytes;
using wire::Extension;
using wire::Kind;
using wire::Reader;

bool same_bytes(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

std::strong_ordering order_of_bytes(Bytes a, Bytes b) {
  const std::size_t common = std::min(a.size(), b.size());
  const int order = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common);
  return order != 0 ? order <=> 0 : a.size() <=> b.size();
}

/// The bytes from one position to another.
Bytes between(const Reader& from, const Reader& to) {
  return {from.position(), static_cast<std::size_t>(to.position() - from.position())};
}

// ---- hashable values --------------------------------------------------------------------------------------

bool is_nan(const Number& number) {
  return number.form == Number::Form::floating && std::isnan(number.floating);
}

/// A total order of hashable values, in which exactly the equal ones are equal; where Python has an order, it is
/// that. Takes a value from each reader.
std::strong_ordering order_of_keys(Reader& a, Reader& b) {
  const Reader begin_a = a;
  const Reader begin_b = b;
  const Parsed x = parse_head(a);
  const Parsed y = parse_head(b);
  if (x.type_class != y.type_class) return x.type_class <=> y.type_class;
  switch (x.type_class) {
    case TypeClass::none: return std::strong_ordering::equal;
    case TypeClass::number: {
      // NaNs come after all numbers, in the order of their bytes.
      if (is_nan(x.number) && is_nan(y.number))
        return order_of_bytes(between(begin_a, a), between(begin_b, b));
      if (is_nan(x.number) || is_nan(y.number)) return is_nan(x.number) <=> is_nan(y.number);
      const std::partial_ordering order = compare(x.number, y.number);
      return order < 0   ? std::strong_ordering::less
             : order > 0 ? std::strong_ordering::greater
                         : std::strong_ordering::equal;
    }
    case TypeClass::timestamp: return instant(x.body) <=> instant(y.body);
    case TypeClass::tuple: {
      Reader left = x.inside;
      Reader right = y.inside;
      while (!left.at_end() && !right.at_end())
        if (auto order = order_of_keys(left, right); order != 0) return order;
      return right.at_end() <=> left.at_end();
    }
    default: return order_of_bytes(x.body, y.body);
  }
}

// ---- positions --------------------------------------------------------------------------------------------

bool is_container(Reader at) {
  std::int8_t type = 0;
  Bytes body;
  switch (at.peek()) {
    case Kind::array:
    case Kind::map: return true;
    case Kind::extension:
      (void)at.extension(type, body);
      return type == static_cast<std::int8_t>(Extension::tuple) ||
             type == static_cast<std::int8_t>(Extension::set);
    default: return false;
  }
}

/// Where each container in a value ends, in the order in which they begin. Lists and dicts do not say it, and a
/// dict's index skips its values: without this, values in nested dicts would be read again for each level.
class Outline {
 public:
  explicit Outline(Reader value) { add(value); }
  const std::uint8_t* end_of(std::size_t container) const { return all_[container].end; }
  /// The first container after this one that is not inside it.
  std::size_t after(std::size_t container) const { return all_[container].after; }

 private:
  struct Container {
    const std::uint8_t* end;
    std::size_t after;
  };

  void add(Reader& at) {
    if (!is_container(at)) return (void)at.skip();
    const std::size_t container = all_.size();
    all_.emplace_back();
    const Parsed p = parse_head(at);
    if (p.type_class == TypeClass::tuple || p.type_class == TypeClass::set) {
      for (Reader inside = p.inside; !inside.at_end();) add(inside);
    } else {
      const std::uint64_t count = std::uint64_t{p.count} * (p.type_class == TypeClass::dict ? 2 : 1);
      for (std::uint64_t i = 0; i < count; ++i) add(at);
    }
    all_[container] = {at.position(), all_.size()};
  }

  std::vector<Container> all_;
};

/// A position in a value. Inside dicts it has the outline of the outermost one.
struct Cursor {
  Reader at;
  const Outline* outline = nullptr;
  std::size_t container = 0;  // the next one in the outline

  /// At the first element of a container `p` that begins here.
  Cursor inside(const Parsed& p) const { return {p.inside, outline, container + 1}; }
  /// Skips a value. Lists and dicts without an outline are read for it.
  void skip() {
    if (outline == nullptr || !is_container(at)) return (void)at.skip();
    const std::uint8_t* const end = outline->end_of(container);
    at = Reader(at.rest().subspan(static_cast<std::size_t>(end - at.position())));
    container = outline->after(container);
  }
};

/// A position at a dict, with an outline: its own if there was none.
class Outlined {
 public:
  explicit Outlined(const Cursor& at) : cursor_(at) {
    if (at.outline == nullptr) cursor_ = {at.at, &own_.emplace(at.at), 0};
  }
  Outlined(const Outlined&) = delete;
  Outlined& operator=(const Outlined&) = delete;
  const Cursor& cursor() const { return cursor_; }

 private:
  std::optional<Outline> own_;
  Cursor cursor_;
};

// ---- sets and dicts ---------------------------------------------------------------------------------------

bool equal(Cursor& a, Cursor& b);

/// The elements of a set or the entries of a dict, sorted by hash, those with the same hash by order_of_keys: keys
/// crafted to share a hash are no worse than others. Of equal ones the last counts, as in Python's displays.
class Index {
 public:
  Index(const Cursor& at, const Parsed& p) : outline_(at.outline) {
    const bool dict = p.type_class == TypeClass::dict;
    Cursor next = at.inside(p);
    end_ = next.at;
    if (dict) entries_.reserve(p.count);
    while (dict ? entries_.size() != p.count : !next.at.at_end()) {
      const Cursor key = next;
      next.skip();
      entries_.push_back({hash_of({between(key.at, next.at), true}), key.at.position(), key.container});
      if (dict) next.skip();
    }
    auto less = [this](const Entry& a, const Entry& b) { return order(a, *this, b) < 0; };
    std::stable_sort(entries_.begin(), entries_.end(), less);
    std::size_t kept = 0;
    for (const Entry& entry : entries_) {
      if (kept == 0 || less(entries_[kept - 1], entry)) ++kept;
      entries_[kept - 1] = entry;
    }
    entries_.resize(kept);
  }

  std::size_t size() const { return entries_.size(); }
  /// Whether `other` has all keys of this one and, if `mapped`, equal values for them.
  bool is_within(const Index& other, bool mapped) const {
    return std::all_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      const auto found =
          std::partition_point(other.entries_.begin(), other.entries_.end(),
                               [&](const Entry& theirs) { return order(entry, other, theirs) > 0; });
      if (found == other.entries_.end() || order(entry, other, *found) != 0) return false;
      if (!mapped) return true;
      Cursor here = cursor(entry);
      Cursor there = other.cursor(*found);
      here.skip();
      there.skip();
      return equal(here, there);
    });
  }

 private:
  struct Entry {
    std::uint64_t hash;
    const std::uint8_t* key;  // followed by a dict's value
    std::size_t container;    // of a cursor at the key
  };

  static std::uint64_t hash_of(ValueView key) {
    Result<std::uint64_t> hash = hash_parsed(parse(key), key, 0);
    TANDEM_ASSERT(hash);  // validate() admits hashable keys only
    return *hash;
  }
  Reader reader(const Entry& entry) const {
    return Reader(end_.rest().subspan(static_cast<std::size_t>(entry.key - end_.position())));
  }
  Cursor cursor(const Entry& entry) const { return {reader(entry), outline_, entry.container}; }
  std::strong_ordering order(const Entry& mine, const Index& other, const Entry& theirs) const {
    if (mine.hash != theirs.hash) return mine.hash <=> theirs.hash;
    Reader here = reader(mine);
    Reader there = other.reader(theirs);
    return order_of_keys(here, there);
  }

  std::vector<Entry> entries_;
  Reader end_;
  const Outline* outline_;
};

/// Whether both have equal keys, a dict equal values too.
bool equal_indexed(const Cursor& a, const Parsed& x, const Cursor& b, const Parsed& y) {
  const Index left(a, x);
  const Index right(b, y);
  return left.size() == right.size() && left.is_within(right, x.type_class == TypeClass::dict);
}

// ---- equality ---------------------------------------------------------------------------------------------

/// If two values are equal, both positions are then after them.
bool equal(Cursor& a, Cursor& b) {
  const Cursor begin_a = a;
  const Cursor begin_b = b;
  const Parsed x = parse_head(a.at);
  const Parsed y = parse_head(b.at);
  if (x.type_class != y.type_class) return false;
  switch (x.type_class) {
    case TypeClass::none: return true;
    case TypeClass::number:
      return compare(x.number, y.number) == std::partial_ordering::equivalent ||
             same_bytes(between(begin_a.at, a.at), between(begin_b.at, b.at));
    case TypeClass::text:
    case TypeClass::bytes:
    case TypeClass::foreign:
    case TypeClass::reference: return same_bytes(x.body, y.body);
    case TypeClass::timestamp: return instant(x.body) == instant(y.body);
    case TypeClass::list:
      if (x.count != y.count) return false;
      a.container = begin_a.container + 1;
      b.container = begin_b.container + 1;
      for (std::uint32_t i = 0; i < x.count; ++i)
        if (!equal(a, b)) return false;
      return true;
    case TypeClass::tuple: {
      Cursor left = begin_a.inside(x);
      Cursor right = begin_b.inside(y);
      while (!left.at.at_end() && !right.at.at_end())
        if (!equal(left, right)) return false;
      a.container = left.container;
      b.container = right.container;
      return left.at.at_end() && right.at.at_end();
    }
    case TypeClass::set:
      if (!equal_indexed(begin_a, x, begin_b, y)) return false;
      (a = begin_a).skip();
      (b = begin_b).skip();
      return true;
    case TypeClass::dict: {
      const Outlined left(begin_a);
      const Outlined right(begin_b);
      if (!equal_indexed(left.cursor(), x, right.cursor(), y)) return false;
      Cursor end_a = left.cursor();
      Cursor end_b = right.cursor();
      end_a.skip();
      end_b.skip();
      a = {end_a.at, begin_a.outline, end_a.container};
      b = {end_b.at, begin_b.outline, end_b.container};
      return true;
    }
  }
  return false;
}

// ---- order ------------------------------------------------------------------------------------------------

enum class Order : std::uint8_t { less, equal, not_less };

Failure not_ordered(ValueView a, ValueView b) {
  return {Code::type_error,
          "'<' not supported between instances of '" + type_name(a) + "' and '" + type_name(b) + "'"};
}

Order order_from(std::strong_ordering order) {
  return order < 0 ? Order::less : order == 0 ? Order::equal : Order::not_less;
}

/// If two values are equal, both positions are then after them. Equal values have an order inside of sequences,
/// whatever their type.
Result<Order> order_of(Cursor& a, Cursor& b) {
  const Cursor begin_a = a;
  const Cursor begin_b = b;
  const Parsed x = parse_head(a.at);
  const Parsed y = parse_head(b.at);
  auto no_order = [&] { return not_ordered({begin_a.at.rest(), true}, {begin_b.at.rest(), true}); };
  if (x.type_class != y.type_class) return no_order();
  switch (x.type_class) {
    case TypeClass::number: {
      const std::partial_ordering order = compare(x.number, y.number);
      if (order == std::partial_ordering::less) return Order::less;
      return order == std::partial_ordering::equivalent ||
                     same_bytes(between(begin_a.at, a.at), between(begin_b.at, b.at))
                 ? Order::equal
                 : Order::not_less;
    }
    case TypeClass::text:
    case TypeClass::bytes: return order_from(order_of_bytes(x.body, y.body));
    case TypeClass::timestamp: return order_from(instant(x.body) <=> instant(y.body));
    case TypeClass::list: {
      a.container = begin_a.container + 1;
      b.container = begin_b.container + 1;
      for (std::uint32_t i = 0; i < std::min(x.count, y.count); ++i) {
        Result<Order> order = order_of(a, b);
        if (!order || *order != Order::equal) return order;
      }
      return order_from(x.count <=> y.count);
    }
    case TypeClass::tuple: {
      Cursor left = begin_a.inside(x);
      Cursor right = begin_b.inside(y);
      while (!left.at.at_end() && !right.at.at_end()) {
        Result<Order> order = order_of(left, right);
        if (!order || *order != Order::equal) return order;
      }
      a.container = left.container;
      b.container = right.container;
      return order_from(right.at.at_end() <=> left.at.at_end());
    }
    case TypeClass::set: {
      const Index some(begin_a, x);
      const Index all(begin_b, y);
      if (some.size() > all.size() || !some.is_within(all, false)) return Order::not_less;
      (a = begin_a).skip();
      (b = begin_b).skip();
      return order_from(some.size() <=> all.size());
    }
    default:
      a = begin_a;
      b = begin_b;
      if (!equal(a, b)) return no_order();
      return Order::equal;
  }
}

bool has_order(TypeClass type_class) {
  switch (type_class) {
    case TypeClass::number:
    case TypeClass::text:
    case TypeClass::bytes:
    case TypeClass::timestamp:
    case TypeClass::list:
    case TypeClass::tuple:
    case TypeClass::set: return true;
    default: return false;
  }
}

}  // namespace

bool are_equal_otherwise(ValueView a, ValueView b) {
  Cursor left{a.reader()};
  Cursor right{b.reader()};
  return equal(left, right);
}

Result<bool> is_less(ValueView a, ValueView b) {
  Cursor left{a.reader()};
  Cursor right{b.reader()};
  Result<Order> order = order_of(left, right);
  if (!order) return std::move(order.failure());
  if (*order == Order::equal && !has_order(parse(a).type_class)) return not_ordered(a, b);
  return *order == Order::less;
}

}  // namespace tandem::server
