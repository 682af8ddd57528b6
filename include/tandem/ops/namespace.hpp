#pragma once
// Operations of the hosted namespace: attributes by name, as Python's multiprocessing.managers.Namespace.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Namespace {
  static constexpr std::string_view type = "namespace";
  static constexpr std::uint8_t number = 5;

  using Create = Op<0, "create(entries=None)", Effect::writes, void(Optional<Entries>)>;
  using Set = Op<1, "set(name, value)", Effect::writes, void(Text, Any)>;
  using Get = Op<2, "get(name)", Effect::reads, Any(Text)>;               // key_error
  using Add = Op<3, "add(name, delta)", Effect::writes, Any(Text, Any)>;  // as Dict::Add without initial
  using Contains = Op<4, "contains(name)", Effect::reads, Bool(Text)>;
  using Erase = Op<5, "erase(name)", Effect::frees, Bool(Text)>;
  using Snapshot = Op<6, "items()", Effect::reads, Entries()>;
  using Size = Op<7, "size()", Effect::reads, Int()>;

  using All = OpList<Create, Set, Get, Add, Contains, Erase, Snapshot, Size>;
};

}  // namespace tandem::ops
