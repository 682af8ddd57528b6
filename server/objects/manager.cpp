#include "server/objects/manager.hpp"

#include <limits>

#include "server/engine/overview.hpp"
#include "server/engine/steps.hpp"
#include "server/objects/paging.hpp"

namespace tandem::server {
namespace {

Failure wrong_type(const Object& object, std::string_view asked) {
  return {Code::type_error, quote(object.name()) + " is a " + std::string(object.type().name) + ", not a " +
                                std::string(asked)};
}

Failure no_type(std::string_view asked) {
  return {Code::type_error, "there is no hosted type " + quote(asked)};
}

Result<void> check_name(const CallContext& context, std::string_view name) {
  if (name.empty()) return Failure{Code::value_error, "an object's name is not empty"};
  const std::uint64_t most = context.limits().name_bytes_max;
  if (name.size() > most)
    return Failure{Code::resource_exhausted, "an object's name of " + std::to_string(name.size()) +
                                                 " bytes is over name_bytes_max (" + std::to_string(most) +
                                                 ")"};
  return {};
}

/// The manager's own version would reveal the activity of all sessions.
Result<void> check_watched(const Object& object) {
  if (object.id() != ops::Manager::id) return {};
  return Failure{Code::type_error, "the manager itself has no version"};
}

Written answer_created(CallContext& context, const Object& object, bool created) {
  context.out().array(2);
  context.write(wire::Reference{object.type().number, object.id()});
  context.out().boolean(created);
  return {};
}

}  // namespace

Result<Written> Manager::on(Ops::Create, CallContext& context, std::string_view type_name,
                            std::optional<ValueView> name_value, ItemsView arguments) {
  Registry& registry = context.registry();
  const Type* type = registry.type_named(type_name);
  if (type == nullptr || type->number == Ops::number) return no_type(type_name);
  std::string_view name;
  if (name_value) {
    if (!name_value->reader().text(name)) return Failure{Code::type_error, "an object's name is a text"};
    if (Result<void> good = check_name(context, name); !good) return std::move(good.failure());
    if (const Object* there = registry.find(name)) {
      if (&there->type() != type) return wrong_type(*there, type_name);
      return answer_created(context, *there, false);
    }
  }
  if (registry.size() >= context.limits().objects_max)
    return Failure{Code::resource_exhausted, "objects_max (" + std::to_string(context.limits().objects_max) +
                                                 ") objects are hosted already"};
  const OpRow& create = type->rows[0];
  if (arguments.count() < create.op->parameters_min || arguments.count() > create.op->parameters_max)
    return Failure{Code::type_error, std::string(type_name) + ": " + std::string(create.op->signature) +
                                         ", " + std::to_string(arguments.count()) + " arguments given"};
  Object& object = registry.make(*type);
  wire::Buffer unused;  // create returns nothing
  CallContext inner(context, unused);
  wire::Reader at = arguments.rest();
  if (Result<void> made = create.invoke(object, inner, at, static_cast<std::uint32_t>(arguments.count()));
      !made)
    return std::move(made.failure());  // unreferenced: freed at the end of the step
  registry.account(object);
  if (name_value) registry.give_name(object, name);
  return answer_created(context, object, true);
}

Result<Written> Manager::on(Ops::Get, CallContext& context, std::string_view name,
                            std::optional<std::string_view> type) {
  const Object* object = context.registry().find(name);
  if (object == nullptr) return Failure{Code::not_found, "no object is named " + quote(name)};
  if (type && context.registry().type_named(*type) == nullptr) return no_type(*type);
  if (type && object->type().name != *type) return wrong_type(*object, *type);
  context.write(wire::Reference{object->type().number, object->id()});
  return Written{};
}

Result<bool> Manager::on(Ops::Exists, CallContext& context, std::string_view name) {
  return context.registry().find(name) != nullptr;
}

Result<bool> Manager::on(Ops::Remove, CallContext& context, std::string_view name) {
  return context.registry().remove(name);
}

Result<Written> Manager::on(Ops::Objects, CallContext& context, std::optional<std::int64_t> after,
                            std::optional<std::int64_t> limit, std::optional<std::string_view> type) {
  constexpr std::int64_t objects_per_page_max = 10'000;
  // One page is one step of the engine, even if few objects are of the type.
  constexpr std::size_t looked_at_max = 100'000;
  std::int64_t begin = after.value_or(0);
  std::int64_t most = limit.value_or(1000);
  if (begin < 0 || most < 1)
    return Failure{Code::value_error, "objects: after is at least 0, limit at least 1"};
  if (type && context.registry().type_named(*type) == nullptr) return no_type(*type);
  most = std::min(most, objects_per_page_max);
  std::vector<const Object*> found;
  ObjectId next = 0;
  ObjectId last = 0;
  std::size_t looked_at = 0;
  context.registry().each(
      std::max<ObjectId>(static_cast<ObjectId>(begin), Ops::id), [&](const Object& object) {
        if (found.size() == static_cast<std::size_t>(most) || looked_at++ == looked_at_max) {
          next = last;
          return false;
        }
        last = object.id();
        if (!type || object.type().name == *type) found.push_back(&object);
        return true;
      });
  wire::Writer& out = context.out();
  out.array(2);
  out.unsigned_integer(next);
  out.array(found.size());
  for (const Object* object : found) {
    out.map(6);
    out.text("id");
    out.unsigned_integer(object->id());
    out.text("name");
    if (object->named()) out.text(object->name());
    else out.nil();
    out.text("type");
    out.text(object->type().name);
    out.text("size");
    out.unsigned_integer(object->size());
    out.text("references");
    out.unsigned_integer(object->references());
    out.text("memory_bytes");
    out.unsigned_integer(object->memory_bytes());
  }
  return Written{};
}

Result<void> Manager::on(Ops::Ping, CallContext&) {
  return {};
}

Result<Written> Manager::on(Ops::Information, CallContext& context) {
  const ServerInfo& server_info = context.server_info();
  Registry& registry = context.registry();
  wire::Writer& out = context.out();
  out.map(9);
  out.text("version");
  out.text(server_info.version);
  out.text("incarnation");
  out.text(server_info.incarnation_hex);
  out.text("pid");
  out.unsigned_integer(server_info.pid);
  out.text("started_ms");
  out.integer(server_info.started_ms);
  out.text("objects");
  out.unsigned_integer(registry.size());
  out.text("sessions");
  out.unsigned_integer(registry.sessions_count());
  out.text("waiters");
  out.unsigned_integer(context.waits().size());
  out.text("memory_bytes");
  out.unsigned_integer(registry.memory_bytes());
  out.text("limits");
  out.map(limit_descriptions.size());
  for (const LimitDescription& limit : limit_descriptions) {
    out.text(limit.name);
    out.unsigned_integer(context.limits().*limit.member);
  }
  return Written{};
}

// ---- waits, holdings --------------------------------------------------------------------------------------

namespace {

struct PageAsked {
  std::uint64_t after = 0;
  std::size_t limit = 0;
};
Result<PageAsked> page_asked(std::string_view what, std::optional<std::int64_t> after,
                             std::optional<std::int64_t> limit) {
  constexpr std::int64_t page_max = 10'000;
  if (after.value_or(0) < 0 || limit.value_or(1) < 1)
    return Failure{Code::value_error, std::string(what) + ": after is at least 0, limit at least 1"};
  return PageAsked{static_cast<std::uint64_t>(after.value_or(0)),
                   static_cast<std::size_t>(std::min(limit.value_or(1000), page_max))};
}

/// Writes the first entries of a map: the object, and the thread.
void describe(wire::Writer& out, const ObjectLabel& object, Owner owner, std::uint32_t pid) {
  out.text("object");
  out.unsigned_integer(object.id);
  out.text("type");
  out.text(object.type);
  out.text("name");
  if (object.name.empty()) out.nil();
  else out.text(object.name);
  out.text("session");
  out.unsigned_integer(owner.session);
  out.text("pid");
  out.unsigned_integer(pid);
  out.text("actor");
  out.unsigned_integer(owner.actor);
}
constexpr std::uint32_t described = 6;

}  // namespace

Result<Written> Manager::on(Ops::Waits, CallContext& context, std::optional<std::int64_t> after,
                            std::optional<std::int64_t> limit) {
  Result<PageAsked> page = page_asked("waits", after, limit);
  if (!page) return std::move(page.failure());
  Ticket next = 0;
  const std::vector<WaitInfo> found =
      waits(context.state(), context.now_ns(), page->after, page->limit, next);
  wire::Writer& out = context.out();
  out.array(2);
  out.unsigned_integer(next);
  out.array(found.size());
  for (const WaitInfo& wait : found) {
    out.map(described + 4);
    describe(out, wait.object, wait.owner, wait.pid);
    out.text("ticket");
    out.unsigned_integer(wait.ticket);
    out.text("operation");
    out.text(wait.operation);
    out.text("waited_us");
    out.unsigned_integer(wait.waited_ns / 1000);
    out.text("left_us");
    if (wait.left_ns == never_ns) out.nil();
    else out.unsigned_integer(wait.left_ns / 1000);
  }
  return Written{};
}

Result<Written> Manager::on(Ops::Deadlocks, CallContext& context) {
  const std::vector<std::string> found = deadlocks(context.state());
  context.out().array(found.size());
  for (const std::string& cycle : found) context.out().text(cycle);
  return Written{};
}

Result<Written> Manager::on(Ops::Holdings, CallContext& context, std::optional<std::string_view> after,
                            std::optional<std::int64_t> limit) {
  Result<PageAsked> page = page_asked("holdings", 0, limit);
  if (!page) return std::move(page.failure());
  const std::optional<HoldingsCursor> cursor = parse_holdings_cursor(after.value_or(""));
  if (!cursor)
    return Failure{Code::value_error,
                   "holdings: after is what an earlier page returned, not " + quote(*after)};
  const HoldingsPage found = holdings(context.state(), context.now_ns(), *cursor, page->limit);
  wire::Writer& out = context.out();
  out.array(2);
  out.text(found.next ? to_text(*found.next) : "");
  out.array(found.holdings.size());
  for (const HoldingInfo& holding : found.holdings) {
    out.map(described + 5);
    describe(out, holding.object, holding.owner, holding.pid);
    out.text("mode");
    out.text(holding.mode);
    out.text("key");
    if (holding.key.empty()) out.nil();
    else out.text(holding.key);
    out.text("count");
    out.unsigned_integer(holding.count);
    out.text("token");
    if (holding.token == 0) out.nil();
    else out.unsigned_integer(holding.token);
    out.text("held_us");
    out.unsigned_integer(holding.held_ns / 1000);
  }
  return Written{};
}

Result<void> Manager::on(Ops::Release, CallContext& context, std::int64_t id, std::int64_t count) {
  if (id < 1 || count < 0)
    return Failure{Code::value_error, "release: an id is at least 1, a count at least 0"};
  context.registry().give_back(context.session(), static_cast<ObjectId>(id),
                               static_cast<std::uint64_t>(count));
  return {};
}

Result<void> Manager::on(Ops::EndThread, CallContext& context, std::int64_t thread) {
  if (thread < 0 || thread > std::numeric_limits<std::uint32_t>::max())
    return Failure{Code::value_error, "end_thread: there is no thread " + std::to_string(thread)};
  context.end_owners({context.session(), static_cast<std::uint32_t>(thread)});
  return {};
}

Result<std::int64_t> Manager::on(Ops::Version, CallContext&, Object& object) {
  if (Result<void> good = check_watched(object); !good) return std::move(good.failure());
  return static_cast<std::int64_t>(object.version());
}

Result<Written> Manager::on(Ops::WaitForChange, CallContext& context, Object& object, std::int64_t since,
                            std::optional<std::int64_t> limit_us) {
  if (Result<void> good = check_watched(object); !good) return std::move(good.failure());
  const bool changed = object.version() != static_cast<std::uint64_t>(since);
  if (!changed && context.may_wait(limit_us)) context.watch(object, limit_us);
  else context.out().unsigned_integer(object.version());
  return Written{};
}

// The objects exist: references are checked with the arguments.
Result<Written> Manager::on(Ops::Hold, CallContext& context, ItemsView references) {
  std::vector<wire::Reference> held;
  ValueView item;
  while (references.next(item)) {
    if (!item.reader().reference(held.emplace_back()))
      return Failure{Code::type_error, "hold: takes references"};
  }
  context.out().array(held.size());
  for (wire::Reference reference : held) context.write(reference);
  return Written{};
}

Result<Written> Manager::on(Ops::Contents, CallContext& context, std::int64_t id,
                            std::optional<std::int64_t> cursor, std::optional<std::int64_t> limit) {
  Result<std::uint64_t> most = page_limit(cursor.value_or(0), limit.value_or(1000));
  if (!most) return std::move(most.failure());
  const Object* object = id < 1 ? nullptr : context.registry().find(static_cast<ObjectId>(id));
  if (object == nullptr)
    return Failure{Code::object_gone, "object " + std::to_string(id) + " is gone, or never was"};
  const bool keyed = object->keyed();
  wire::Buffer page;
  wire::Writer elements(page);
  std::uint64_t count = 0;
  bool references = false;
  const auto next = object->visit_elements(static_cast<std::uint64_t>(cursor.value_or(0)),
                                           [&](ValueView key, ValueView element) {
                                             if (keyed) elements.array(2);
                                             if (keyed) elements.raw(key.bytes);
                                             elements.raw(element.bytes);
                                             references = references || key.references || element.references;
                                             return ++count < *most && page.size() < page_bytes_max;
                                           });
  context.out().array(3);
  context.out().integer(next ? static_cast<std::int64_t>(*next) : std::int64_t{-1});
  context.out().boolean(keyed);
  context.out().array(count);
  context.write({page.view(), references});
  return Written{};
}

Result<Written> Manager::on(Ops::Run, CallContext& context, ItemsView steps, std::int64_t mode) {
  context.unchanged();  // the steps change what they change
  if (mode < 0 || mode > static_cast<std::int64_t>(ops::RunMode::trial))
    return Failure{Code::value_error, "run: there is no mode " + std::to_string(mode)};
  if (Result<void> run = run_steps(context, steps, static_cast<ops::RunMode>(mode)); !run)
    return std::move(run.failure());
  return Written{};
}

}  // namespace tandem::server
