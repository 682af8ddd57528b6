#include "server/objects/hosted.hpp"

#include <exception>
#include <typeinfo>

#include "server/engine/engine.hpp"
#include "server/objects/all.hpp"
#include "tandem/text.hpp"
#include "tandem/wire/utf8.hpp"

namespace tandem::server {
namespace {

// ---- exceptions of user code ------------------------------------------------------------------------------

/// Carries a failure of the engine through user code.
struct Refused {
  Failure failure;
};

/// Whether an error of this code can be an operation's outcome. The others would report connection problems
/// that the client does not have.
bool is_outcome(Code code) {
  switch (code) {
    case Code::ok:
    case Code::protocol_error:
    case Code::authentication_error:
    case Code::version_error:
    case Code::connection_error:
    case Code::shutting_down:
    case Code::session_lost: return false;
    default: return true;
  }
}

/// Returns what() of an exception, which may be null or no UTF-8, and of those that it was thrown because of.
std::string text_of(const std::exception& error) {
  const char* what = error.what();
  std::string text = what == nullptr ? "" : wire::as_utf8(what);
  try {
    std::rethrow_if_nested(error);
  } catch (const std::exception& cause) {
    text += "; caused by " + class_name(typeid(cause)) + ": " + text_of(cause);
  } catch (...) {
    text += "; caused by an exception that is no std::exception";
  }
  return text;
}

/// Returns the current exception as a failure.
Failure failure_of_exception() {
  try {
    throw;
  } catch (Refused& refused) {
    return std::move(refused.failure);
  } catch (const Error& error) {
    if (is_outcome(error.code())) return {error.code(), text_of(error)};
    return {Code::remote_error, std::string(name_of(error.code())) + ": " + text_of(error)};
  } catch (const std::bad_alloc&) {
    return {Code::resource_exhausted, "the machine's memory: a handler got no more (std::bad_alloc)"};
  } catch (const std::exception& error) {
    return {Code::remote_error, class_name(typeid(error)) + ": " + text_of(error)};
  } catch (...) {
    return {Code::remote_error, "an exception that is no std::exception"};
  }
}

// ---- a call -----------------------------------------------------------------------------------------------

class CallExchange final : public hosting::Exchange {
 public:
  CallExchange(const ops::OpDescription& op, CallContext& context)
      : Exchange(op, context.registry().weak_references()), context_(context) {}

  /// Validates and keeps all arguments.
  Result<void> take(wire::Reader& reader, std::uint32_t count) {
    arguments_.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      Result<ValueView> value = validate(reader, context_.limits().value_depth_max, context_.registry());
      if (!value) return std::move(value.failure());
      arguments_.push_back(value->bytes);
    }
    if (!reader.at_end()) return Failure{Code::protocol_error, "bytes follow the last argument"};
    return {};
  }

  wire::Bytes argument(std::size_t position) const override {
    static constexpr std::uint8_t nil[] = {0xc0};
    return position < arguments_.size() ? arguments_[position] : wire::Bytes(nil);
  }
  wire::Bytes items(wire::Bytes argument) override {
    if (wire::Reader(argument).peek() == wire::Kind::array) return argument;
    Result<ItemsView> items = context_.items_of({argument, true});
    if (!items) throw_error(items.failure().code, items.failure().text);
    wire::Buffer& copy = copies_.emplace_back();
    wire::Writer(copy).array(items->count());
    copy.append(items->rest().rest());
    return copy.view();
  }
  wire::Bytes entries(wire::Bytes argument) override {
    if (wire::Reader(argument).peek() == wire::Kind::map) return argument;
    Result<EntriesView> entries = context_.entries_of({argument, true});
    if (!entries) throw_error(entries.failure().code, entries.failure().text);
    wire::Buffer& copy = copies_.emplace_back();
    wire::Writer(copy).map(entries->count());
    for (ValueView key, value; entries->next(key, value);) {
      copy.append(key.bytes);
      copy.append(value.bytes);
    }
    return copy.view();
  }

 private:
  CallContext& context_;
  std::vector<wire::Bytes> arguments_;
  std::deque<wire::Buffer> copies_;
};

/// Accepts references to objects that exist, or once existed: a handler may return a value that it kept.
class ResultCheck final : public ReferenceCheck {
 public:
  explicit ResultCheck(const Registry& registry) : registry_(registry) {}
  Result<void> check(wire::Reference reference) const override {
    const bool was_there = reference.id != 0 && reference.id < registry_.next_id();
    if (was_there && registry_.find(reference.id) == nullptr) return {};
    return registry_.check(reference);
  }

 private:
  const Registry& registry_;
};

/// Validates a value that user code wrote.
Result<ValueView> checked(wire::Bytes value, const ReferenceCheck& references) {
  wire::Reader reader(value);
  Result<ValueView> good = validate(reader, value_depth_most, references);  // these values are not stored
  if (good && !reader.at_end()) return Failure{Code::remote_error, "more than one value"};
  if (!good && good.failure().code == Code::protocol_error) good.failure().code = Code::remote_error;
  return good;
}

Result<void> give_result(CallExchange& exchange, CallContext& context) {
  Result<ValueView> result = checked(exchange.result().view(), ResultCheck(context.registry()));
  if (!result)
    return Failure{result.failure().code,
                   std::string(exchange.op().signature) + ": the result: " + result.failure().text};
  context.write(*result);
  return {};
}

template <std::size_t Number>
Result<void> invoke(Object& object, CallContext& context, wire::Reader& arguments,
                    std::uint32_t argument_count) {
  return static_cast<CustomObject&>(object).call(Number, context, arguments, argument_count);
}

/// Rows hold plain function pointers, so there is one function for each possible operation number
/// (ops::OpList).
constexpr auto invokes = []<std::size_t... Number>(std::index_sequence<Number...>) {
  return std::array<Invoke, sizeof...(Number)>{&invoke<Number>...};
}
(std::make_index_sequence<1024>());

}  // namespace

Result<void> CustomObject::call(std::size_t number, CallContext& context, wire::Reader& arguments,
                                std::uint32_t argument_count) {
  const hosting::Handler& handler = custom_type_.hosted.handlers[number];
  CallExchange exchange(*handler.op, context);
  if (Result<void> taken = exchange.take(arguments, argument_count); !taken) return taken;
  Result<void> done;
  try {
    if (number == 0) instance_ = custom_type_.hosted.make();
    handler.call(*instance_, exchange);
  } catch (const std::bad_alloc&) {
    // A part of the work may be done: the whole of it where the same call is taken in again.
    if (!context.server_info().survives_bad_alloc) throw;
    done = failure_of_exception();
  } catch (...) {
    done = failure_of_exception();
  }
  if (done) done = give_result(exchange, context);
  if (handler.op->effect == ops::Effect::reads) return done;
  measure();
  if (!done) context.changed(*this);  // a handler that failed may have changed it
  return done;
}

// ---- contents ---------------------------------------------------------------------------------------------

void CustomObject::measure() {
  try {
    if (instance_ == nullptr) return;
    size_ = instance_->size();
    memory_bytes_ = instance_->memory_bytes();
  } catch (...) {
    // The operation has been carried out, even if its object cannot be measured.
  }
}

wire::Buffer CustomObject::contents() const {
  wire::Buffer shown;
  std::string why;
  try {
    if (instance_ == nullptr) throw Refused{{Code::remote_error, "not created"}};
    instance_->show(shown);
    Result<ValueView> good = checked(shown.view(), AnyReference());
    if (good) return shown;
    why = std::move(good.failure().text);
  } catch (...) {
    why = failure_of_exception().text;
  }
  // Shows the error instead, in the shape that was announced.
  shown.clear();
  wire::Writer out(shown);
  if (custom_type_.hosted.shown == hosting::Shown::entries) {
    out.map(1);
    out.text("show() failed");
    out.text(why);
  } else {
    if (custom_type_.hosted.shown == hosting::Shown::items) out.array(1);
    out.text("show() failed: " + why);
  }
  return shown;
}

// ---- state ------------------------------------------------------------------------------------------------

/// Of a type that cannot save itself, what it shows: then states can be compared at least.
void CustomObject::save(StateWriter& out) const {
  if (!custom_type_.hosted.can_save) return out.value({contents().view()});
  wire::Buffer saved;
  try {
    instance_->save(saved);
    Result<ValueView> good = checked(saved.view(), AnyReference());
    if (good) return out.value(*good);
    throw Refused{std::move(good.failure())};
  } catch (...) {
    out.fail("object " + std::to_string(id()) + ", a " + std::string(type().name) +
             ", could not be saved: " + failure_of_exception().text);
  }
}

void CustomObject::load(StateReader& in) {
  const Value saved = in.value();
  if (in.failed()) return;
  const std::string told = "object " + std::to_string(id()) + ", a " + std::string(type().name);
  if (!custom_type_.hosted.can_save) return in.fail(told + ", cannot be loaded: its class has no save()");
  try {
    instance_ = custom_type_.hosted.make();
    instance_->load(saved.view().bytes, in.registry().weak_references());
  } catch (...) {
    return in.fail(told + ", could not be loaded: " + failure_of_exception().text);
  }
  measure();
}

std::optional<std::uint64_t> CustomObject::visit_elements(std::uint64_t cursor,
                                                          const ElementVisitor& visit) const {
  if (custom_type_.hosted.shown == hosting::Shown::nothing) return std::nullopt;
  const wire::Buffer shown = contents();
  wire::Reader reader(shown.view());
  std::uint32_t count = 1;
  wire::Bytes body;
  if (keyed()) (void)reader.map(count);
  else if (custom_type_.hosted.shown == hosting::Shown::items && !reader.array(count) &&
           (reader.extension(wire::Extension::tuple, body) || reader.extension(wire::Extension::set, body))) {
    reader = wire::Reader(body);
    count = ~std::uint32_t{0};
  }
  for (std::uint64_t i = 0; i < count && !reader.at_end(); ++i) {
    ValueView key;
    ValueView element;
    if (keyed()) (void)reader.value(key.bytes);
    (void)reader.value(element.bytes);
    if (i < cursor) continue;
    key.references = element.references = true;
    if (!visit(key, element)) return i + 1 < count && !reader.at_end() ? std::optional(i + 1) : std::nullopt;
  }
  return std::nullopt;
}

// ---- types ------------------------------------------------------------------------------------------------

CustomType::CustomType(const hosting::Type& hosted_type)
    : Type{hosted_type.name,
           hosted_type.number,
           {},
           false,
           [](const Type& type) -> std::unique_ptr<Object> {
             return std::make_unique<CustomObject>(static_cast<const CustomType&>(type));
           }},
      hosted(hosted_type) {
  for (std::size_t number = 0; number < hosted.handlers.size(); ++number) {
    const hosting::Handler& handler = hosted.handlers[number];
    own_rows.push_back(handler.op == nullptr ? OpRow{} : OpRow{handler.op, invokes[number]});
  }
  rows = own_rows;
}

HostedTypes::HostedTypes(std::span<const HostedType> custom) {
  const std::span<const Type* const> own = hosted_types();
  all_.assign(own.begin(), own.end());
  std::size_t rows = 0;
  for (const Type* type : own) rows += type->rows.size();
  for (const HostedType& type : custom) {
    const std::string told =
        "hosted type " + std::string(type.name()) + " (number " + std::to_string(type.number()) + ")";
    for (const Type* there : all_) {
      if (there->number == type.number())
        throw ValueError(told + ": " + std::string(there->name) + " has this number");
      if (there->name == type.name())
        throw ValueError(told + ": the name is taken by the type with number " +
                         std::to_string(there->number));
    }
    all_.push_back(&custom_.emplace_back(type.type()));
    rows += type.type().handlers.size();
  }
  if (rows >= operation_none)
    throw ValueError("all hosted types together have " + std::to_string(rows) +
                     " operation numbers, and there are " + std::to_string(operation_none));
}

}  // namespace tandem::server

namespace tandem::hosting {

void throw_wrong_argument(const ops::OpDescription& op, std::size_t position) {
  try {
    throw;
  } catch (const Error& error) {
    throw_error(error.code(), std::string(op.signature) + ": argument " + std::to_string(position + 1) +
                                  ": " + error.what());
  }
}

}  // namespace tandem::hosting
