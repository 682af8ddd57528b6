#pragma once
// An engine in this process, and calls packed for it.

#include <stdexcept>
#include <string>

#include "server/engine/engine.hpp"
#include "server/objects/all.hpp"
#include "tandem/ops/all.hpp"

namespace bench {

class BareEngine {
 public:
  BareEngine() : engine_(limits_, {"bench", "00", 1, 0, 0x5eed}, tandem::server::hosted_types()) {
    engine_.step(tandem::server::SessionOpened{1, 0, 0});
  }

  /// `write(wire::Writer&)` writes the arguments.
  template <class Op, class F>
  void call(tandem::server::ObjectId object, std::size_t arguments, F&& write) {
    arguments_.truncate(0);
    reply_.truncate(0);
    tandem::wire::Writer to(arguments_);
    to.array(arguments);
    write(to);
    run(object, Op::description.number);
  }
  template <class Op>
  void call(tandem::server::ObjectId object) {
    call<Op>(object, 0, [](tandem::wire::Writer&) {});
  }
  /// The same again, without packing it anew.
  void run(tandem::server::ObjectId object, std::uint16_t op) {
    const tandem::server::Outcome outcome =
        engine_.step(tandem::server::Call{1, 1, object, op, arguments_.view(), 0, 0}, reply_);
    if (outcome.code != tandem::Code::ok) throw std::runtime_error("a call of the engine failed");
  }
  template <class Ops>
  tandem::server::ObjectId make() {
    using tandem::ops::Manager;
    const tandem::server::ObjectId id = engine_.registry().next_id();
    call<Manager::Create>(Manager::id, 3, [](tandem::wire::Writer& to) {
      to.text(Ops::type);
      to.array(0);
      to.array(0);
    });
    return id;
  }
  void release(tandem::server::ObjectId object) {
    using tandem::ops::Manager;
    call<Manager::Release>(Manager::id, 2, [&](tandem::wire::Writer& to) {
      to.unsigned_integer(object);
      to.unsigned_integer(1);
    });
  }
  bool is_clean() const { return engine_.registry().is_clean(); }
  void tick() { engine_.step(tandem::server::Tick{}); }

 private:
  tandem::Limits limits_;
  tandem::server::Engine engine_;
  tandem::wire::Buffer arguments_;
  tandem::wire::Buffer reply_;
};

}  // namespace bench
