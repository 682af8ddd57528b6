#pragma once
// Dict<K, V>: a dict in a manager. Semantics are those of Python's dict: insertion order, and 1, 1.0 and true
// are the same key. Dict<> takes keys and values of any kind, as nlohmann::json.
//
//   Python                      here
//   d[k]                        d.at(k), d[k] read                 KeyError
//   d.get(k), d.get(k, x)       d.find(k) → optional, d.get(k, x)
//   d[k] = v                    d[k] = v, d.insert_or_assign(k, v)
//   d[k] += x, d[k] -= x        d[k] += x, d[k] -= x               atomic; an absent key counts as zero
//   d.setdefault(k, v)          d.get_or_insert(k, v)
//   -                           d.insert(k, v)                     only if absent
//   -                           d.add(k, delta, initial)           += that starts from `initial`
//   -                           d.compare_exchange(k, old, new)
//   del d[k]                    d.erase(k) → whether it was there
//   d.pop(k), d.pop(k, x)       d.pop(k), d.pop(k, x)              KeyError without x
//   d.popitem()                 d.popitem()                        KeyError when empty
//   k in d, len(d), not d       d.contains(k), d.size(), d.empty()
//   d.clear()                   d.clear()
//   d.update(other)             d.update(range, map, JSON object, Dict or Namespace)
//   d.keys(), .values(),        d.keys(), .values(), .items()      vectors in insertion order, one consistent
//     .items()                                                     round trip each
//   d.copy()                    d.snapshot() → std::map            the same, ordered by key (KeyOrder)
//   -                           d.assign(…)                        clear and update in one step
//   for k, v in d.items()       for (auto& [k, v] : d)             by pages (page.hpp); not one snapshot
//   d == {…}                    d == std::map, vector of pairs, JSON
//   print(d)                    out << d                           {"a": 1, 0.25: null}
//
// Keys are numbers, text, bytes, null, proxies, and tuples of these; others throw TypeError. A proxy stored
// as a value is a reference and keeps its object alive; an untyped dict returns it through
// d.at<List<int>>("k") or d["k"].get<List<int>>(). Its JSON form, {"$ref": …}, keeps nothing alive.

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "tandem/ops/dict.hpp"
#include "tandem/proxy/element.hpp"
#include "tandem/proxy/page.hpp"

namespace tandem {

template <class K, class V>
class DictElement;

template <class K = nlohmann::json, class V = nlohmann::json>
class Dict : public Container {
 public:
  using Operations = ops::Dict;
  static constexpr std::uint8_t type_number = Operations::number;
  using key_type = K;
  using mapped_type = V;
  using value_type = std::pair<K, V>;
  using Pages = client::PageOf<Operations::Page, value_type>;
  using iterator = PageIterator<Pages>;
  /// For internal use.
  static constexpr std::string_view sum_typecode = client::sum_typecode_of<V>();

  Dict() = default;
  using Container::Container;

  /// Throws KeyError. `R`: another type to read the value as.
  template <class R = V>
  R at(client::In<K> key) const {
    return call<Operations::At, R>(key);
  }
  template <class R = V>
  std::optional<R> find(client::In<K> key) const {
    return call<Operations::Find, std::optional<R>>(key);
  }
  /// Returns the value, or `otherwise`; stores nothing.
  template <class R = V>
  R get(client::In<K> key, const std::type_identity_t<R>& otherwise) const {
    return find<R>(key).value_or(otherwise);
  }
  /// Returns an element handle (element.hpp). Reading an absent key throws KeyError; assigning inserts it.
  DictElement<K, V> operator[](client::In<K> key) const { return {client::ElementTag(), *this, key}; }

  /// Stores only if the key is absent; returns whether it did.
  bool insert(client::In<K> key, client::In<V> value) const {
    return call<Operations::Insert, bool>(key, value);
  }
  /// Returns whether the key is new.
  bool insert_or_assign(client::In<K> key, client::In<V> value) const {
    return call<Operations::Set, bool>(key, value);
  }
  /// Returns the stored value; stores `value` first if the key is absent.
  V get_or_insert(client::In<K> key, client::In<V> value) const {
    return call<Operations::GetOrInsert, V>(key, value);
  }
  /// Adds to the stored value as Python's `+` does; returns the new value. An absent key counts as delta's
  /// zero ("" for text), or as `initial`. Throws TypeError for operands that Python cannot add, OverflowError
  /// for a sum that is not a V (of JSON: beyond 64 bits); nothing has changed then.
  V add(client::In<K> key, client::In<V> delta) const { return sum(key, delta, std::nullopt); }
  V add(client::In<K> key, client::In<V> delta, client::In<V> initial) const {
    return sum(key, delta, client::PresentArgument(initial));
  }
  /// Stores `desired` if the stored value equals `expected` (Python's ==); nullopt means absent, for both.
  /// Returns whether it did; if not, sets `expected` to the stored value, as std::atomic does.
  bool compare_exchange(client::In<K> key, std::optional<V>& expected,
                        const std::optional<V>& desired) const {
    auto [exchanged, found] = call<Operations::CompareExchange, Exchanged>(key, expected, desired);
    if (!exchanged) expected = std::move(found);
    return exchanged;
  }
  bool compare_exchange(client::In<K> key, const std::optional<V>& expected,
                        const std::optional<V>& desired) const {
    return call<Operations::CompareExchange, Exchanged>(key, expected, desired).first;
  }
  /// Returns whether the key was there.
  bool erase(client::In<K> key) const { return call<Operations::Erase, bool>(key); }
  /// Removes the entry and returns its value. Throws KeyError.
  template <class R = V>
  R pop(client::In<K> key) const {
    return call<Operations::Pop, R>(key);
  }
  template <class R = V>
  R pop(client::In<K> key, const std::type_identity_t<R>& otherwise) const {
    return call<Operations::PopIfThere, std::optional<R>>(key).value_or(otherwise);
  }
  /// Removes and returns the newest entry, or the oldest if `last` is false. Throws KeyError when empty.
  std::pair<K, V> popitem(bool last = true) const { return call<Operations::PopItem, std::pair<K, V>>(last); }

  bool contains(client::In<K> key) const { return call<Operations::Contains, bool>(key); }
  std::size_t size() const { return call<Operations::Size, std::size_t>(); }
  bool empty() const { return size() == 0; }
  void clear() const { call<Operations::Clear>(); }

  /// Stores every entry of a map, a range of pairs, a JSON object, or another dict or namespace of the same
  /// manager.
  void update(client::EntriesIn<K, V> entries) const { call<Operations::Update>(entries); }
  /// Replaces all entries.
  void assign(client::EntriesIn<K, V> entries) const { call<Operations::Assign>(entries); }

  std::vector<K> keys() const { return call<Operations::Keys, std::vector<K>>(); }
  std::vector<V> values() const { return call<Operations::Values, std::vector<V>>(); }
  std::vector<std::pair<K, V>> items() const {
    return call<Operations::Snapshot, std::vector<std::pair<K, V>>>();
  }
  /// Returns the whole dict as of one moment. K needs `<`; items() does not. Throws TypeError if two keys
  /// become equal as a K.
  std::map<K, V, KeyOrder<K>> snapshot() const {
    return call<Operations::Snapshot, std::map<K, V, KeyOrder<K>>>();
  }

  /// Reads pages of page_items_max entries: each page is consistent, the whole need not be. An entry that
  /// stays in the dict throughout is seen exactly once, whatever else changes.
  iterator begin() const { return iterator(Pages(*this)); }
  iterator end() const { return {}; }

  /// Same entries in any order, by the manager's equality (key_order.hpp); compares one snapshot. Of entries
  /// with one key the last counts.
  template <class R>
  requires client::EntryRange<R, K, V> || client::Untyped<R>
  friend bool operator==(const Dict& dict, const R& entries) {
    if constexpr (client::Untyped<R>) {
      return client::is_same_value(dict.template call<Operations::Snapshot, nlohmann::json>(), entries);
    } else {
      using Second = std::remove_cvref_t<decltype((*std::ranges::begin(entries)).second)>;
      std::map<K, Second, KeyOrder<K>> wanted;
      for (const auto& [key, value] : entries) {
        std::optional<K> same = client::equal_key<K>(key);
        if (!same) return false;
        wanted.insert_or_assign(std::move(*same), value);
      }
      const KeyOrder<K> less;
      const auto found = dict.snapshot();
      return std::equal(found.begin(), found.end(), wanted.begin(), wanted.end(),
                        [&](const auto& a, const auto& b) {
                          return !less(a.first, b.first) && !less(b.first, a.first) &&
                                 client::is_same_value(a.second, b.second);
                        });
    }
  }
  friend std::ostream& operator<<(std::ostream& out, const Dict& dict) {
    return out << dict.template call<Operations::Snapshot, client::Rendering>().text;
  }

 private:
  friend DictElement<K, V>;
  using Exchanged = std::pair<bool, std::optional<V>>;  // whether it was exchanged, and the value before

  template <class Key, class Delta, class Initial>
  V sum(const Key& key, const Delta& delta, const Initial& initial) const {
    client::check_addable<V>();
    if constexpr (sum_typecode.empty()) return call<Operations::Add, V>(key, delta, initial);
    else return call<Operations::Add, V>(key, delta, initial, sum_typecode);
  }
};

/// d[k]
template <class K, class V>
class DictElement : public Element<DictElement<K, V>, V> {
 public:
  DictElement(client::ElementTag, const Dict<K, V>& dict, client::In<K> key)
      : dict_(dict), key_(kept(dict, key)) {}
  DictElement(const DictElement&) = default;

  const DictElement& operator=(client::In<V> value) const {
    write(value);
    return *this;
  }
  /// Copies the other element's value: two round trips.
  DictElement& operator=(const DictElement& other) {
    write(other.get());
    return *this;
  }

 private:
  friend Element<DictElement, V>;
  using Operations = ops::Dict;
  using Key = std::conditional_t<client::Untyped<K>, client::EncodedValue, K>;

  static Key kept(const Dict<K, V>& dict, client::In<K> key) {
    if constexpr (client::Untyped<K>) return Key(key, dict.remote().get());
    else return key;
  }
  template <class R>
  R read() const {
    return dict_.template call<Operations::At, R>(key_);
  }
  template <class A>
  void write(const A& value) const {
    dict_.template call<Operations::Set>(key_, value);
  }
  template <class D>
  V add(const D& delta) const {
    return dict_.sum(key_, delta, std::nullopt);
  }

  Dict<K, V> dict_;
  Key key_;
};

}  // namespace tandem
