#pragma once
// An engine with all hosted types, and the sessions that talk to it.

#include <gtest/gtest.h>

#include <optional>

#include "server/engine/engine.hpp"
#include "server/objects/all.hpp"
#include "tandem/ops/all.hpp"
#include "tests/server/engine/pack.hpp"
#include "tests/server/engine/saved.hpp"

namespace tandem::test {

using server::ObjectId;
using server::SessionId;

/// What a call came to. Failures are compared by their code; their texts are for people.
struct Reply {
  Code code = Code::ok;
  Packed value;
  bool operator==(const Reply& other) const {
    return code == other.code && (code != Code::ok || value == other.value);
  }
  std::string text() const {
    std::string_view found;
    wire::Reader reader(value.bytes());
    return reader.text(found) ? std::string(found) : std::string();
  }
};
inline void PrintTo(const Reply& reply, std::ostream* out) {
  *out << name_of(reply.code) << ' ';
  PrintTo(reply.value, out);
}
template <class T>
Reply gives(const T& value) {
  return {Code::ok, pack(value)};
}
inline Reply gives_nothing() {
  return gives(nullptr);
}
inline Reply fails(Code code) {
  return {code, {}};
}

class Host {
 public:
  static server::ServerInfo server_info() { return {"1.2.3", "00ff", 4711, 1'700'000'000'000, 0x5eed}; }

  explicit Host(const Limits& limits = {}, const server::ServerInfo& server_info = Host::server_info())
      : limits_(limits), engine_(limits_, server_info, server::hosted_types()) {
    open(1);
  }

  void open(SessionId session, SessionId inherits_from = 0) {
    engine_.step(server::SessionOpened{session, inherits_from, 0});
  }
  void close(SessionId session) { engine_.step(server::SessionClosed{session}); }
  /// Whose calls follow; session 1's from the start.
  Host& as(SessionId session) {
    session_ = session;
    return *this;
  }

  Reply step(ObjectId object, std::uint16_t op, const Packed& arguments) {
    wire::Buffer out;
    const server::Outcome outcome =
        engine_.step(server::Call{session_, 1, object, op, arguments.bytes()}, out);
    return {outcome.code, {std::string(wire::as_text(out.view()))}};
  }
  template <class Op, class... T>
  Reply call(ObjectId object, const T&... arguments) {
    return step(object, Op::description.number, list(arguments...));
  }

  /// Makes an object and gives its id; `name` nullptr: none.
  template <class Ops, class... T>
  ObjectId make_named(const char* name, const T&... arguments) {
    const Reply made = call<ops::Manager::Create>(ops::Manager::id, Ops::type,
                                                  name == nullptr ? list() : list(name), list(arguments...));
    EXPECT_EQ(made.code, Code::ok) << made.text();
    return id_in(made);
  }
  template <class Ops, class... T>
  ObjectId make(const T&... arguments) {
    return make_named<Ops>(nullptr, arguments...);
  }
  /// Gives back one reference of the calling session.
  void release(ObjectId object, std::int64_t count = 1) {
    EXPECT_EQ((call<ops::Manager::Release>(ops::Manager::id, object, count)), gives_nothing());
  }
  /// The id in the first reference that a reply holds; 0 if there is none.
  static ObjectId id_in(const Reply& reply) {
    ObjectId found = 0;
    server::for_each_reference(reply.value.bytes(),
                               [&](wire::Reference r) { found = found == 0 ? r.id : found; });
    return found;
  }

  bool exists(ObjectId object) const { return engine_.registry().find(object) != nullptr; }
  /// Of sessions and containers together; none when the object is gone.
  std::optional<std::uint64_t> references(ObjectId object) const {
    const server::Object* found = engine_.registry().find(object);
    return found == nullptr ? std::nullopt : std::optional(found->references());
  }
  /// Until there is nothing left to free.
  void tick_until_clean() {
    while (!engine_.registry().is_clean()) engine_.step(server::Tick{});
  }
  std::uint64_t memory_bytes() const { return engine_.registry().memory_bytes(); }
  /// Objects there, without the manager itself.
  std::uint64_t objects() const { return engine_.registry().size(); }
  Packed saved() const { return test::saved(engine_); }
  server::Engine& engine() { return engine_; }

 private:
  Limits limits_;
  server::Engine engine_;
  SessionId session_ = 1;
};

}  // namespace tandem::test
