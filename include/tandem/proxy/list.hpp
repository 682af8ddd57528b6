#pragma once
// List<T>: a list in a manager. Semantics are those of Python's list: a negative index counts from the end.
// List<> takes items of any kind, as nlohmann::json.
//
//   Python                      here
//   l[i]                        l.at(i), l[i] read                 IndexError
//   l[i] = x, l[i] += x         l[i] = x, l[i] += x, l[i] -= x     IndexError; one atomic round trip
//   l.append(x), l.extend(y)    l.push_back(x), l.extend(range or proxy), l += …
//   l.insert(i, x)              l.insert(i, x)                     an index outside is clamped, as in Python
//   del l[i], l.remove(x)       l.erase(i), l.remove(x)            IndexError; ValueError
//   l.pop(), l.pop(i)           l.pop(), l.pop(i), l.pop_front()   IndexError
//   l[-1], l[0]                 l.back(), l.front()                IndexError
//   l[a:b:c]                    l.slice(a, b, c)                   nullopt where Python leaves one out
//   l[a:b:c] = y, del l[a:b:c]  l.assign_slice(y, a, b, c), l.erase_slice(a, b, c)
//   l[:] = y                    l.assign(y)
//   l.index(x, a, b)            l.index(x, a, b)                   ValueError
//   l.count(x), x in l          l.count(x), l.contains(x)
//   l.reverse()                 l.reverse()
//   l.sort(), reverse=True      l.sort(), l.sort(tandem::descending)
//                                                                  stable; TypeError, and the list unchanged,
//                                                                  for items that Python cannot order
//   len(l), not l, l.clear()    l.size(), l.empty(), l.clear()
//   l *= 3                      l *= 3
//   l.copy()                    l.snapshot() → std::vector         one consistent round trip
//   for x in l                  for (const auto& x : l)            by pages (page.hpp)
//   l == […]                    l == std::vector or another range, JSON
//   print(l)                    out << l                           [1, "a", null]
//
// A proxy stored as an item is a reference and keeps its object alive; an untyped list returns it through
// l.at<Dict<>>(i) or l[i].get<Dict<>>(). Its JSON form, {"$ref": …}, keeps nothing alive.

#include <algorithm>
#include <optional>
#include <vector>

#include "tandem/ops/list.hpp"
#include "tandem/proxy/element.hpp"
#include "tandem/proxy/page.hpp"

namespace tandem {

/// The order of sort(): l.sort(tandem::descending).
enum class Order : bool { ascending = false, descending = true };
inline constexpr Order ascending = Order::ascending;
inline constexpr Order descending = Order::descending;

template <class T>
class ListElement;

template <class T = nlohmann::json>
class List : public Container {
 public:
  using Operations = ops::List;
  static constexpr std::uint8_t type_number = Operations::number;
  using value_type = T;
  using Index = client::AnyInteger;
  using Bound = std::optional<client::AnyInteger>;
  using Pages = client::PageOf<Operations::Page, T>;
  using iterator = PageIterator<Pages>;
  /// For internal use.
  static constexpr std::string_view sum_typecode = client::sum_typecode_of<T>();

  List() = default;
  using Container::Container;

  void push_back(client::In<T> item) const { call<Operations::Append>(item); }
  /// Appends every element of a range, a JSON array, or a list, set or dict (its keys) of the same manager.
  void extend(client::ItemsIn<T> items) const { call<Operations::Extend>(items); }
  const List& operator+=(client::ItemsIn<T> items) const {
    extend(items);
    return *this;
  }
  /// Inserts before the item at `index`; at the front or the end if the index is out of range.
  void insert(Index index, client::In<T> item) const { call<Operations::Insert>(index, item); }

  /// Throws IndexError. `R`: another type to read the item as.
  template <class R = T>
  R at(Index index) const {
    return call<Operations::At, R>(index);
  }
  T front() const { return at(0); }
  T back() const { return at(-1); }
  /// Returns an element handle (element.hpp), which throws IndexError if the index is out of range when used.
  ListElement<T> operator[](Index index) const { return {client::ElementTag(), *this, index}; }

  /// Throws IndexError.
  void erase(Index index) const { call<Operations::Erase>(index); }
  /// Erases the first item that equals `item`. Throws ValueError if there is none.
  void remove(client::In<T> item) const { call<Operations::Remove>(item); }
  /// Removes and returns an item, the last one by default. Throws IndexError.
  template <class R = T>
  R pop(Index index = -1) const {
    return call<Operations::Pop, R>(index);
  }
  template <class R = T>
  R pop_front() const {
    return pop<R>(0);
  }

  /// Python's l[start:stop:step], for every combination of signs. Throws ValueError for a step of 0.
  std::vector<T> slice(Bound start = {}, Bound stop = {}, Bound step = {}) const {
    return call<Operations::Slice, std::vector<T>>(start, stop, step);
  }
  /// With a step of 1 the slice may grow or shrink; with any other step the lengths must match (ValueError).
  void assign_slice(client::ItemsIn<T> items, Bound start = {}, Bound stop = {}, Bound step = {}) const {
    call<Operations::AssignSlice>(items, start, stop, step);
  }
  void erase_slice(Bound start = {}, Bound stop = {}, Bound step = {}) const {
    call<Operations::EraseSlice>(start, stop, step);
  }
  /// Replaces all items.
  void assign(client::ItemsIn<T> items) const { assign_slice(items); }

  /// Returns the position of the first item that equals `item`, within [start, stop) as in a slice. Throws
  /// ValueError if there is none.
  std::int64_t index(client::In<T> item, Bound start = {}, Bound stop = {}) const {
    return call<Operations::Index, std::int64_t>(item, start, stop);
  }
  std::size_t count(client::In<T> item) const { return call<Operations::Count, std::size_t>(item); }
  bool contains(client::In<T> item) const { return call<Operations::Contains, bool>(item); }

  void reverse() const { call<Operations::Reverse>(); }
  /// Sorts by Python's `<`: numbers, texts, bytes, or lists and tuples item by item. Throws TypeError for
  /// mixtures.
  void sort(Order order = ascending) const { call<Operations::Sort>(order == descending); }

  std::size_t size() const { return call<Operations::Size, std::size_t>(); }
  bool empty() const { return size() == 0; }
  void clear() const { call<Operations::Clear>(); }
  /// Repeats the items `times` times; 0 or less clears the list.
  const List& operator*=(client::AnyInteger times) const {
    call<Operations::Repeat>(times);
    return *this;
  }

  /// Returns the whole list as of one moment.
  std::vector<T> snapshot() const { return call<Operations::Snapshot, std::vector<T>>(); }
  /// Reads pages of page_items_max items: each page is consistent, the whole need not be. As in Python the
  /// loop advances by index: items moved while it runs may be seen twice or not at all.
  iterator begin() const { return iterator(Pages(*this)); }
  iterator end() const { return {}; }

  /// Same items in the same order, by the manager's equality (key_order.hpp); compares one snapshot.
  template <class R>
  requires client::ItemRange<R, T> || client::Untyped<R>
  friend bool operator==(const List& list, const R& items) {
    if constexpr (client::Untyped<R>) {
      return client::is_same_value(list.template call<Operations::Snapshot, nlohmann::json>(), items);
    } else {
      const std::vector<T> found = list.snapshot();
      return client::are_same_values(found, items);
    }
  }
  friend std::ostream& operator<<(std::ostream& out, const List& list) {
    return out << list.template call<Operations::Snapshot, client::Rendering>().text;
  }

 private:
  friend ListElement<T>;
};

/// l[i]
template <class T>
class ListElement : public Element<ListElement<T>, T> {
 public:
  ListElement(client::ElementTag, const List<T>& list, std::int64_t index) : list_(list), index_(index) {}
  ListElement(const ListElement&) = default;

  const ListElement& operator=(client::In<T> item) const {
    write(item);
    return *this;
  }
  /// Copies the other element's value: two round trips.
  ListElement& operator=(const ListElement& other) {
    write(other.get());
    return *this;
  }

 private:
  friend Element<ListElement, T>;
  using Operations = ops::List;
  template <class R>
  R read() const {
    return list_.template call<Operations::At, R>(index_);
  }
  template <class A>
  void write(const A& item) const {
    list_.template call<Operations::Set>(index_, item);
  }
  template <class D>
  T add(const D& delta) const {
    if constexpr (List<T>::sum_typecode.empty())
      return list_.template call<Operations::Add, T>(index_, delta);
    else return list_.template call<Operations::Add, T>(index_, delta, List<T>::sum_typecode);
  }

  List<T> list_;
  std::int64_t index_;
};

}  // namespace tandem
