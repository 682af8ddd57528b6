#pragma once
// Namespace: attributes by name in a manager, as Python's multiprocessing.managers.Namespace. Values are of
// any kind.
//
//   Python                      here
//   ns.x = v                    ns.set("x", v), ns["x"] = v
//   ns.x                        ns.get<int>("x"), int x = ns["x"]  KeyError; get() returns JSON by default
//   ns.x += v                   ns["x"] += v, ns["x"] -= v         atomic; an absent name counts as zero
//   hasattr(ns, "x")            ns.contains("x")
//   del ns.x                    ns.erase("x") → whether it was there
//   vars(ns)                    ns.items() → vector of pairs       insertion order, one consistent round trip
//   -                           ns.snapshot() → std::map, ns.size(), ns.empty()
//   print(ns)                   out << ns                          {"x": 1}
//
// A proxy stored as a value is a reference and keeps its object alive; ns.get<List<int>>("x") returns it.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tandem/ops/namespace.hpp"
#include "tandem/proxy/element.hpp"

namespace tandem {

class NamespaceElement;

class Namespace : public Container {
 public:
  using Operations = ops::Namespace;
  static constexpr std::uint8_t type_number = Operations::number;

  Namespace() = default;
  using Container::Container;

  void set(std::string_view name, client::AnyValue value) const { call<Operations::Set>(name, value); }
  /// Throws KeyError.
  template <class T = nlohmann::json>
  T get(std::string_view name) const {
    return call<Operations::Get, T>(name);
  }
  /// Returns an element handle (element.hpp). Reading an absent name throws KeyError; assigning inserts it.
  NamespaceElement operator[](std::string_view name) const;
  bool contains(std::string_view name) const { return call<Operations::Contains, bool>(name); }
  bool erase(std::string_view name) const { return call<Operations::Erase, bool>(name); }
  std::size_t size() const { return call<Operations::Size, std::size_t>(); }
  bool empty() const { return size() == 0; }

  std::vector<std::pair<std::string, nlohmann::json>> items() const {
    return call<Operations::Snapshot, std::vector<std::pair<std::string, nlohmann::json>>>();
  }
  std::map<std::string, nlohmann::json> snapshot() const {
    return call<Operations::Snapshot, std::map<std::string, nlohmann::json>>();
  }

  friend std::ostream& operator<<(std::ostream& out, const Namespace& space) {
    return out << space.call<Operations::Snapshot, client::Rendering>().text;
  }

 private:
  friend NamespaceElement;
};

/// ns["x"]
class NamespaceElement : public Element<NamespaceElement, nlohmann::json> {
 public:
  NamespaceElement(client::ElementTag, const Namespace& space, std::string_view name)
      : space_(space), name_(name) {}
  NamespaceElement(const NamespaceElement&) = default;

  const NamespaceElement& operator=(client::AnyValue value) const {
    space_.set(name_, value);
    return *this;
  }
  /// Copies the other element's value: two round trips.
  NamespaceElement& operator=(const NamespaceElement& other) {
    space_.set(name_, other.get());
    return *this;
  }

 private:
  friend Element<NamespaceElement, nlohmann::json>;
  template <class R>
  R read() const {
    return space_.call<ops::Namespace::Get, R>(name_);
  }
  template <class D>
  nlohmann::json add(const D& delta) const {
    return space_.call<ops::Namespace::Add, nlohmann::json>(name_, delta);
  }

  Namespace space_;
  std::string name_;
};

inline NamespaceElement Namespace::operator[](std::string_view name) const {
  return {client::ElementTag(), *this, name};
}

}  // namespace tandem
