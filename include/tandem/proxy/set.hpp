#pragma once
// Set<T>: a set in a manager. Semantics are those of Python's set (1, 1.0 and true are the same element), but
// elements keep their order of insertion. Set<> takes elements of any kind, as nlohmann::json.
//
//   Python                              here
//   s.add(x)                            s.insert(x) → whether it is new
//   s.discard(x)                        s.erase(x) → whether it was there, s.discard(x)
//   s.remove(x)                         s.remove(x)                        KeyError
//   s.pop()                             s.pop()                            the oldest; KeyError when empty
//   x in s, len(s), not s, s.clear()    s.contains(x), s.size(), s.empty(), s.clear()
//   s |= y, s.update(y)                 s |= y, s.update(y)
//   s &= y, s.intersection_update(y)    s &= y, s.intersection_update(y)
//   s -= y, s.difference_update(y)      s -= y, s.difference_update(y)
//   s ^= y, s.symmetric_…_update(y)     s ^= y, s.symmetric_difference_update(y)
//   s | y, s.union(y)                   s | y, s.set_union(y) → std::set
//   s & y, s.intersection(y)            s & y, s.set_intersection(y)
//   s - y, s.difference(y)              s - y, s.set_difference(y)
//   s ^ y, s.symmetric_difference(y)    s ^ y, s.set_symmetric_difference(y)
//   s <= y, s >= y, s.isdisjoint(y)     s.is_subset(y), s.is_superset(y), s.is_disjoint(y)
//   s.copy()                            s.snapshot() → std::set            one consistent round trip
//   -                                   s.items() → std::vector            the same, in order of insertion
//   for x in s                          for (const auto& x : s)            by pages (page.hpp)
//   s == {…}                            s == std::set or another range
//   print(s)                            out << s                           {1, "a"}, set()
//
// `y` is a range, a braced list, a JSON array, or a set, list or dict (its keys) of the same manager; in each
// case the operation is one atomic round trip. Elements are those that can be a key of a Dict; others throw
// TypeError.

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "tandem/codec/key_order.hpp"
#include "tandem/ops/set.hpp"
#include "tandem/proxy/container.hpp"
#include "tandem/proxy/page.hpp"

namespace tandem {

template <class T = nlohmann::json>
class Set : public Container {
 public:
  using Operations = ops::Set;
  static constexpr std::uint8_t type_number = Operations::number;
  using key_type = T;
  using value_type = T;
  using Pages = client::PageOf<Operations::Page, T>;
  using iterator = PageIterator<Pages>;
  using Operand = client::ItemsIn<T>;
  using StdSet = std::set<T, KeyOrder<T>>;

  Set() = default;
  using Container::Container;

  bool insert(client::In<T> item) const { return call<Operations::Insert, bool>(item); }
  bool erase(client::In<T> item) const { return call<Operations::Erase, bool>(item); }
  void discard(client::In<T> item) const { erase(item); }
  /// Throws KeyError if it is absent.
  void remove(client::In<T> item) const { call<Operations::Remove>(item); }
  /// Removes and returns the oldest element. Throws KeyError when empty.
  T pop() const { return call<Operations::Pop, T>(); }
  bool contains(client::In<T> item) const { return call<Operations::Contains, bool>(item); }
  std::size_t size() const { return call<Operations::Size, std::size_t>(); }
  bool empty() const { return size() == 0; }
  void clear() const { call<Operations::Clear>(); }

  void update(Operand items) const { call<Operations::Update>(items); }
  void intersection_update(Operand items) const { call<Operations::IntersectionUpdate>(items); }
  void difference_update(Operand items) const { call<Operations::DifferenceUpdate>(items); }
  void symmetric_difference_update(Operand items) const {
    call<Operations::SymmetricDifferenceUpdate>(items);
  }

  StdSet set_union(Operand items) const { return call<Operations::Union, StdSet>(items); }
  StdSet set_intersection(Operand items) const { return call<Operations::Intersection, StdSet>(items); }
  StdSet set_difference(Operand items) const { return call<Operations::Difference, StdSet>(items); }
  StdSet set_symmetric_difference(Operand items) const {
    return call<Operations::SymmetricDifference, StdSet>(items);
  }

  /// Returns whether every element is in `items`.
  bool is_subset(Operand items) const { return call<Operations::IsSubset, bool>(items); }
  /// Returns whether all of `items` are elements.
  bool is_superset(Operand items) const { return call<Operations::IsSuperset, bool>(items); }
  bool is_disjoint(Operand items) const { return call<Operations::IsDisjoint, bool>(items); }

  const Set& operator|=(Operand items) const { return update(items), *this; }
  const Set& operator&=(Operand items) const { return intersection_update(items), *this; }
  const Set& operator-=(Operand items) const { return difference_update(items), *this; }
  const Set& operator^=(Operand items) const { return symmetric_difference_update(items), *this; }
  friend StdSet operator|(const Set& set, Operand items) { return set.set_union(items); }
  friend StdSet operator&(const Set& set, Operand items) { return set.set_intersection(items); }
  friend StdSet operator-(const Set& set, Operand items) { return set.set_difference(items); }
  friend StdSet operator^(const Set& set, Operand items) { return set.set_symmetric_difference(items); }

  /// Returns the whole set as of one moment. T needs `<`; items() does not. Throws TypeError if two elements
  /// become equal as a T.
  StdSet snapshot() const { return call<Operations::Snapshot, StdSet>(); }
  std::vector<T> items() const { return call<Operations::Snapshot, std::vector<T>>(); }
  /// Reads pages of page_items_max elements: each page is consistent, the whole need not be. An element that
  /// stays in the set throughout is seen exactly once, whatever else changes.
  iterator begin() const { return iterator(Pages(*this)); }
  iterator end() const { return {}; }

  /// Same elements in any order, by the manager's equality (key_order.hpp); compares one snapshot.
  template <class R>
  requires client::ItemRange<R, T>
  friend bool operator==(const Set& set, const R& items) {
    StdSet wanted;
    for (const std::ranges::range_value_t<const R>& item : items) {
      std::optional<T> same = client::equal_key<T>(item);
      if (!same) return false;
      wanted.insert(std::move(*same));
    }
    const KeyOrder<T> less;
    const StdSet found = set.snapshot();
    return std::equal(found.begin(), found.end(), wanted.begin(), wanted.end(),
                      [&](const T& a, const T& b) { return !less(a, b) && !less(b, a); });
  }
  friend std::ostream& operator<<(std::ostream& out, const Set& set) {
    std::string text = set.template call<Operations::Snapshot, client::Rendering>().text;
    if (text == "[]") return out << "set()";
    text.front() = '{';
    text.back() = '}';
    return out << text;
  }
};

}  // namespace tandem
