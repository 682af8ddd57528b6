#pragma once
// Random inputs for an engine: every operation of every hosted type, from the operations' own declarations, mostly with
// arguments of the right types, sessions that open, inherit and close, clients that give up waiting, and time. What it finds to call it takes from the
// engine as it stands, so that most calls reach something.

#include <map>
#include <optional>
#include <random>
#include <variant>

#include "server/engine/engine.hpp"
#include "tandem/ops/all.hpp"
#include "tests/server/engine/pack.hpp"

namespace tandem::test {

/// A call that owns its arguments.
struct RecordedCall {
  server::SessionId session = 0;
  std::uint32_t actor = 0;
  server::ObjectId object = 0;
  std::uint16_t op = 0;
  std::string arguments;
  std::uint64_t token = 0;
  std::uint64_t now_ns = 0;
  server::LaneRequest sent_as{};
  std::uint8_t flags = 0;

  /// Which refers to it.
  server::Call call() const {
    server::Call made{session, actor, object, op, wire::as_bytes(arguments), token, now_ns};
    made.sent_as = sent_as;
    made.flags = flags;
    return made;
  }
};
using Input = std::variant<server::SessionOpened, server::SessionIdentified, server::SessionClosed,
                           server::LaneOpened, server::LaneEnded, server::Acknowledged, server::Cancel,
                           server::Tick, server::Started, RecordedCall>;

class RandomInputs {
 public:
  RandomInputs(std::uint64_t seed, const server::Engine& engine) : random_(seed), engine_(engine) {
    ops::AllTypes::with_types([this]<class... T>() { (add_type<T>(), ...); });
  }

  Input next() {
    const std::vector<server::SessionId> open = sessions();
    if (open.empty() || (open.size() < 6 && one_in(40))) {
      const server::SessionId heir_of = open.empty() || one_in(2) ? 0 : pick(open);
      return server::SessionOpened{next_session_++, one_in(10) ? 999 : heir_of, now_ns_, client(),
                                   !one_in(3)};
    }
    now_ns_ += below(20) * 1'000;
    if (one_in(150)) return server::SessionClosed{pick(open), now_ns_};
    if (one_in(20)) return server::Tick{now_ns_};
    if (one_in(30)) return server::Cancel{below(engine_.waits().next_ticket() + 2), now_ns_};
    if (one_in(200))
      return server::SessionIdentified{pick(open), static_cast<std::uint32_t>(below(9'999)), number_text(),
                                       now_ns_};
    const server::SessionId session = pick(open);
    if (const server::LaneId lane = any_lane(session); lane != 0) {
      if (one_in(100)) return server::LaneOpened{session, now_ns_};
      if (one_in(200)) return server::LaneEnded{session, lane, now_ns_};
      if (one_in(20)) return server::Acknowledged{session, {lane, recent_request()}, now_ns_};
    }
    return on_a_lane(call(session));
  }

  /// A call of any operation of any object, by any session that is open.
  RecordedCall call() { return call(pick(sessions())); }

  Packed value(int depth = 0) {
    switch (below(depth < 3 ? 19 : 11)) {
      case 0: return pack(nullptr);
      case 1: return pack(one_in(2));
      case 2: return pack(one_in(20) ? std::string(below(2'000), 'x') : number_text());
      case 3: return pack(static_cast<double>(below(8)) + (one_in(2) ? 0.5 : 0.0));
      case 4: return pack(static_cast<float>(below(8)));
      case 5: return bytes(std::string(below(20), static_cast<char>(below(256))));
      case 6: return pack(integer());
      case 7: return one_in(4) ? pack(random_()) : pack(std::numeric_limits<double>::quiet_NaN());
      case 8: return any_reference();
      case 9: return one_in(2) ? extension(wire::Extension::timestamp, std::string(4, 't')) : foreign();
      case 10: return big(std::string(1 + below(12), static_cast<char>(below(256))));
      case 11:
      case 12:
      case 13: return items(wire::Extension::foreign, depth, false);  // a list
      case 14:
      case 15: return items(wire::Extension::tuple, depth, false);
      case 16: return items(wire::Extension::set, depth, true);
      default: return entries(depth);
    }
  }

 private:
  using Arguments = std::vector<Packed> (RandomInputs::*)();
  struct Operation {
    std::uint16_t number;
    Arguments arguments;
  };
  struct Hosted {
    std::string_view name;
    Arguments create = nullptr;
    std::vector<Operation> operations;
  };

  server::SessionClient client() {
    server::SessionClient made{1234, {}, number_text(), {}, one_in(2) ? number_text() : ""};
    made.secret_hash.fill(static_cast<std::uint8_t>(below(256)));
    if (one_in(2)) made.uid = static_cast<std::uint32_t>(random_());
    return made;
  }
  /// 0 if the session has none.
  server::LaneId any_lane(server::SessionId session) {
    std::vector<server::LaneId> lanes;
    engine_.kept().each_lane(session,
                             [&](server::LaneId lane, const server::Lane&) { lanes.push_back(lane); });
    return lanes.empty() ? 0 : pick(lanes);
  }
  std::uint32_t recent_request() { return last_request_ - static_cast<std::uint32_t>(below(12)); }
  /// Now and then the same request as before, though the call may be another.
  RecordedCall on_a_lane(RecordedCall made) {
    const server::LaneId lane = any_lane(made.session);
    if (lane == 0) return made;
    made.sent_as = {lane, ++last_request_};
    if (one_in(6)) made.flags |= wire::flag_one_way;
    if (one_in(4)) made.flags |= wire::flag_has_read_all;
    if (!one_in(6)) return made;
    made.flags |= wire::flag_again;
    if (!one_in(6)) made.sent_as.request = recent_request();
    return made;
  }

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool one_in(std::uint64_t many) { return below(many) == 0; }
  template <class T>
  T pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }
  std::vector<server::SessionId> sessions() const {
    std::vector<server::SessionId> open;
    engine_.registry().each_session([&](server::SessionId id, const auto&) { open.push_back(id); });
    return open;
  }
  /// An object that is there, if one is; half of the time one of the oldest, so that some are much used.
  const server::Object* object() {
    const std::uint64_t behind = ops::Manager::id + below(one_in(2) ? 20 : engine_.registry().next_id());
    const server::Object* found = nullptr;
    auto take = [&](const server::Object& o) { return found = &o, false; };
    engine_.registry().each(behind, take);
    if (found == nullptr) engine_.registry().each(ops::Manager::id, take);
    return found;
  }

  std::string number_text() { return std::string("k") + std::to_string(below(8)); }
  std::int64_t integer() {
    switch (below(12)) {
      case 0: return static_cast<std::int64_t>(random_());
      case 1: return one_in(2) ? INT64_MIN : INT64_MAX;
      case 2: return static_cast<std::int64_t>(below(1000)) - 500;
      default: return static_cast<std::int64_t>(below(14)) - 4;
    }
  }
  Packed foreign() { return extension(wire::Extension::foreign, std::string(1 + below(20), 'p')); }
  Packed any_reference() {
    const server::Object* found = object();
    if (found == nullptr || one_in(20)) return reference(static_cast<std::uint8_t>(below(9)), below(100));
    return reference(found->type().number, found->id());
  }
  Packed key(int depth) {
    switch (below(depth < 3 ? 8 : 7)) {
      case 0: return pack(number_text());
      case 1: return pack(static_cast<double>(below(6)));
      case 2: return pack(one_in(2));
      case 3: return any_reference();
      case 7: return items(wire::Extension::tuple, depth, true);
      default: return one_in(30) ? value(depth) : pack(below(6));  // which may be what cannot be a key
    }
  }
  /// Elements as `type`'s body; foreign stands for a plain list.
  Packed items(wire::Extension type, int depth, bool keys) {
    std::string body;
    const std::uint64_t count = below(5);
    for (std::uint64_t i = 0; i < count; ++i) body += (keys ? key(depth + 1) : value(depth + 1)).encoded;
    if (type != wire::Extension::foreign) return extension(type, body);
    return raw(packed_by([&](wire::Writer& to) { to.array(count); }).encoded + body);
  }
  Packed entries(int depth) {
    const std::uint64_t count = below(5);
    std::string body = packed_by([&](wire::Writer& to) { to.map(count); }).encoded;
    for (std::uint64_t i = 0; i < count; ++i) {
      body += key(depth + 1).encoded;
      body += value(depth + 1).encoded;
    }
    return raw(body);
  }

  // One argument of each declared type.
  Packed argument(ops::Any) { return value(); }
  Packed argument(ops::Bool) { return pack(one_in(2)); }
  Packed argument(ops::Int) {
    const server::Object* found = one_in(4) ? object() : nullptr;
    return pack(found != nullptr ? static_cast<std::int64_t>(found->id()) : integer());
  }
  Packed argument(ops::Text) {
    static const std::vector<std::string> texts{"a", "b", "c", "i", "Q", "f", "b", "list", "dict", ""};
    return pack(one_in(3) ? number_text() : pick(texts));
  }
  Packed argument(ops::Reference) { return any_reference(); }
  Packed argument(ops::Bytes) { return bytes(std::string(below(6) * 4, static_cast<char>(below(256)))); }
  Packed argument(ops::Items) {
    switch (below(5)) {
      case 0: return any_reference();
      case 1: return items(wire::Extension::tuple, 0, one_in(2));
      case 2: return items(wire::Extension::set, 0, true);
      default: return items(wire::Extension::foreign, 0, one_in(2));
    }
  }
  Packed argument(ops::Entries) { return one_in(4) ? any_reference() : entries(0); }
  Packed argument(ops::Maybe) { return one_in(3) ? list() : list(value()); }
  template <class T>
  Packed argument(ops::Optional<T>) {
    return one_in(3) ? pack(nullptr) : argument(T());
  }

  template <class O>
  std::vector<Packed> arguments() {
    std::vector<Packed> all;
    O::with_parameters([&]<class... P>() { (all.push_back(argument(P())), ...); });
    while (all.size() > O::description.parameters_min && one_in(4)) all.pop_back();
    return all;
  }
  std::vector<Packed> creation() {
    auto type = types_.begin();
    std::advance(type, 1 + below(types_.size() - 1));
    std::vector<Packed> its = (this->*type->second.create)();
    if (type->first == ops::Array::number && one_in(2))
      its = {pack(std::string(1, "bBhHiIqQfd"[below(10)])), pack(below(9))};
    return {pack(type->second.name), one_in(3) ? list(pack(number_text())) : list(), list_of(its)};
  }

  std::vector<Packed> several() {
    std::vector<Packed> steps;
    const std::uint64_t count = below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      const RecordedCall one = call();
      const Packed expected = one_in(3) ? pack(nullptr) : one_in(8) ? bytes("\xc0") : pack(false);
      steps.push_back(list(one.object, one.op, bytes(one.arguments), expected, one.token));
    }
    return {list_of(steps), pack(below(3))};
  }

  /// What a pool can make tasks of.
  std::vector<Packed> tasks() {
    std::vector<Packed> all;
    for (std::uint64_t i = below(4); i != 0; --i) all.push_back(list(integer(), 1 + below(3), value()));
    return {pack(1 + below(5)), pack(below(3)), list_of(all)};
  }
  std::vector<Packed> tasks_done() {
    std::vector<Packed> all;
    for (std::uint64_t i = below(3); i != 0; --i) all.push_back(list(1 + below(12), below(2), value()));
    return {list_of(all)};
  }

  template <class Ops>
  void add_type() {
    add_operations<Ops>(typename Ops::All());
  }
  template <class Ops, class... O>
  void add_operations(ops::OpList<O...>) {
    Hosted& type = types_[Ops::number];
    type.name = Ops::type;
    auto add = [&]<class One>() {
      Arguments its = &RandomInputs::arguments<One>;
      if (Ops::number != ops::Manager::number && One::description.number == 0) type.create = its;
      if (std::is_same_v<One, ops::Manager::Create>) its = &RandomInputs::creation;
      if (std::is_same_v<One, ops::Manager::Run>) its = &RandomInputs::several;
      if (std::is_same_v<One, ops::Pool::Submit>) its = &RandomInputs::tasks;
      if (std::is_same_v<One, ops::Pool::Work> || std::is_same_v<One, ops::Pool::Quit>)
        its = &RandomInputs::tasks_done;
      type.operations.push_back({One::description.number, its});
    };
    (add.template operator()<O>(), ...);
  }

  RecordedCall call(server::SessionId session) {
    RecordedCall made{session, static_cast<std::uint32_t>(below(3)), 0, 0, {}};
    const server::Object* target = one_in(6) ? nullptr : object();
    const bool is_manager = target == nullptr;
    const Hosted& type = types_.at(is_manager ? ops::Manager::number : target->type().number);
    Operation operation = pick(type.operations);
    if (!is_manager && target->type().number == ops::Pool::number && !one_in(4)) {
      // Most of a pool's operations are for who did another one before, and none but two for one that is closed.
      made.session = sessions().front();
      made.actor = 0;
      while (operation.number == ops::Pool::Close::description.number ||
             operation.number == ops::Pool::Terminate::description.number)
        operation = pick(type.operations);
    }
    if (is_manager && one_in(2)) operation = type.operations.front();  // create
    std::vector<Packed> its = (this->*operation.arguments)();
    if (type.name == ops::Pool::type && !is_manager && !its.empty() &&
        (operation.number == ops::Pool::Reap::description.number ||
         operation.number == ops::Pool::Fail::description.number))
      its[0] = pack(below(16));  // a supervisor
    if (type.name == ops::Locks::type && !is_manager && !its.empty() && !one_in(4)) {
      // Few keys and threads, so that an owner now and then comes back to what it owns.
      const bool several = operation.number == ops::Locks::AcquireAll::description.number ||
                           operation.number == ops::Locks::ReleaseAll::description.number;
      its[0] = several ? list(below(2)) : pack(below(2));
      made.actor = 0;
    }
    if (!its.empty() && one_in(10)) its[below(its.size())] = value();
    if (one_in(50)) its.push_back(value());
    if (!its.empty() && one_in(50)) its.pop_back();
    made.object = is_manager ? ops::Manager::id : target->id();
    if (one_in(60)) made.object = below(engine_.registry().next_id() + 3);
    made.op = one_in(60) ? static_cast<std::uint16_t>(below(40)) : operation.number;
    made.arguments = list_of(its).encoded;
    if (one_in(60)) damage(made.arguments);
    if (one_in(50)) made.token = below(engine_.tokens().next() + 2);
    made.now_ns = now_ns_;
    return made;
  }
  void damage(std::string& bytes) {
    switch (below(3)) {
      case 0: bytes.resize(below(bytes.size() + 1)); break;
      case 1: bytes[below(bytes.size())] = static_cast<char>(below(256)); break;
      default: bytes += static_cast<char>(below(256));
    }
  }

  std::mt19937_64 random_;
  const server::Engine& engine_;
  std::map<std::uint8_t, Hosted> types_;  // the manager's is the first
  server::SessionId next_session_ = 1;
  std::uint32_t last_request_ = 0xffff'fff0;  // soon past its end
  std::uint64_t now_ns_ = 1;
};

}  // namespace tandem::test
