#pragma once
// Array<T>: a fixed number of arithmetic elements in a manager, stored contiguously, as Python's
// multiprocessing.Array. T is an integer of 8 to 64 bits, float or double.
//
//   Python                      here
//   a[i], a[i] = x              a.at(i), a[i] read, a[i] = x       IndexError; negative i counts from the end
//   a[i] += x                   a[i] += x, a[i] -= x, ++a[i]       one atomic round trip; wraps in T's width
//   -                           a.fetch_add(i, x)                  returns the old element
//   a[i:j:k]                    a.slice(i, j, k) → std::vector     one consistent round trip
//   a[i:j:k] = y                a.assign_slice(y, i, j, k)         ValueError unless the lengths match
//   a[:] = y                    a.assign(y)                        ValueError unless the lengths match
//   a[:]                        a.snapshot() → std::vector
//   -                           a.fill(x)
//   len(a)                      a.size()                           never changes
//   for x in a                  for (const auto& x : a)            by pages (page.hpp)
//   a == […]                    a == std::vector or another range
//   print(a[:])                 out << a                           [1, 2, 3]

#include <optional>
#include <vector>

#include "tandem/ops/array.hpp"
#include "tandem/proxy/element.hpp"
#include "tandem/proxy/page.hpp"
#include "tandem/proxy/typecode.hpp"

namespace tandem {

template <client::Arithmetic T>
class ArrayElement;

template <client::Arithmetic T>
class Array : public Container {
 public:
  using Operations = ops::Array;
  static constexpr std::uint8_t type_number = Operations::number;
  static constexpr std::string_view typecode = client::typecode_of<T>();
  using value_type = T;
  using Index = client::AnyInteger;
  using Bound = std::optional<client::AnyInteger>;
  struct Pages {
    using Item = T;
    Array array;
    std::pair<std::int64_t, std::vector<T>> fetch(std::int64_t cursor) const {
      std::vector<T> elements = array.slice(cursor, cursor + page_items_max);
      const bool more = static_cast<std::int64_t>(elements.size()) == page_items_max;
      return {more ? cursor + page_items_max : -1, std::move(elements)};
    }
  };
  using iterator = PageIterator<Pages>;

  Array() = default;
  using Container::Container;

  /// Throws TypeError if the elements of the hosted array are not of type T. Already called for every
  /// existing array that a program gets, by name or out of a container.
  void check_type() const {
    const std::string found = call<Operations::TypeCode, std::string>();
    if (found != typecode)
      throw TypeError("asked for array of " + client::name_of_type<T>() + " (typecode " +
                      std::string(typecode) + "), found an array of typecode " + found);
  }

  /// Throws IndexError.
  T at(Index index) const { return call<Operations::At, T>(index); }
  /// Returns an element handle (element.hpp), which throws IndexError if the index is out of range when used.
  ArrayElement<T> operator[](Index index) const { return {client::ElementTag(), *this, index}; }
  /// Returns the old element. Integers wrap, as in std::atomic.
  T fetch_add(Index index, T operand) const { return call<Operations::FetchAdd, T>(index, operand); }

  /// Python's a[start:stop:step], for every combination of signs. Throws ValueError for a step of 0.
  std::vector<T> slice(Bound start = {}, Bound stop = {}, Bound step = {}) const {
    return call<Operations::Slice, std::vector<T>>(start, stop, step);
  }
  void assign_slice(const client::ElementsIn<T>& elements, Bound start = {}, Bound stop = {},
                    Bound step = {}) const {
    call<Operations::AssignSlice>(elements, start, stop, step);
  }
  void assign(const client::ElementsIn<T>& elements) const { assign_slice(elements); }
  void fill(T value) const { call<Operations::Fill>(value); }
  std::size_t size() const { return call<Operations::Size, std::size_t>(); }
  bool empty() const { return size() == 0; }

  /// Returns the whole array as of one moment.
  std::vector<T> snapshot() const { return slice(); }
  /// Reads pages of page_items_max elements: each page is consistent, the whole need not be.
  iterator begin() const { return iterator(Pages{*this}); }
  iterator end() const { return {}; }

  /// Same elements in the same order, by the manager's equality (key_order.hpp); compares one snapshot.
  template <class R>
  requires client::ItemRange<R, T>
  friend bool operator==(const Array& array, const R& elements) {
    return client::are_same_values(array.snapshot(), elements);
  }
  friend std::ostream& operator<<(std::ostream& out, const Array& array) {
    wire::Buffer bytes;
    client::Encoder to{wire::Writer(bytes), nullptr};
    Codec<std::vector<T>>::encode(to, array.snapshot());
    return out << to_text(bytes.view());
  }

 private:
  friend ArrayElement<T>;
};

/// a[i]
template <client::Arithmetic T>
class ArrayElement : public Element<ArrayElement<T>, T> {
 public:
  ArrayElement(client::ElementTag, const Array<T>& array, std::int64_t index)
      : array_(array), index_(index) {}
  ArrayElement(const ArrayElement&) = default;

  const ArrayElement& operator=(T value) const {
    array_.template call<ops::Array::Set>(index_, value);
    return *this;
  }
  /// Copies the other element's value: two round trips.
  ArrayElement& operator=(const ArrayElement& other) {
    array_.template call<ops::Array::Set>(index_, other.get());
    return *this;
  }

  T operator+=(T operand) const { return client::wrapping_sum(array_.fetch_add(index_, operand), operand); }
  T operator-=(T operand) const { return *this += client::wrapping_difference(T(0), operand); }
  T operator++() const { return *this += T(1); }
  T operator--() const { return *this -= T(1); }
  T operator++(int) const { return array_.fetch_add(index_, T(1)); }
  T operator--(int) const { return array_.fetch_add(index_, client::wrapping_difference(T(0), T(1))); }

 private:
  friend Element<ArrayElement, T>;
  template <class R>
  R read() const {
    return array_.template call<ops::Array::At, R>(index_);
  }

  Array<T> array_;
  std::int64_t index_;
};

}  // namespace tandem
