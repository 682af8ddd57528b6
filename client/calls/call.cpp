#include "tandem/call/call.hpp"

#include <string>

#include "client/calls/call_sink.hpp"
#include "client/session/session.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/text.hpp"

namespace tandem::client {
namespace {

/// Returns the name of a call for error texts, e.g. "dict.at on object 17 at unix:/run/tandem".
std::string describe(const RemoteObject& object, std::string_view type_name, const ops::OpDescription& op) {
  wire::Reference reference = object.reference();
  if (type_name.empty()) type_name = hosted_type_name(reference.type);
  std::string text = std::string(type_name) + "." + std::string(op.name);
  if (reference.id != ops::Manager::id) text += " on object " + std::to_string(reference.id);
  return text + " at " + object.session()->address();
}

/// Acquires a channel for the call. If that fails, the error names the call, as all its errors do.
Channel& acquire(const RemoteObject& object, std::string_view type_name, const ops::OpDescription& op) {
  auto told = [&](std::string_view text) {
    std::string address = object.session()->address() + ": ";
    if (text.starts_with(address)) text.remove_prefix(address.size());
    return describe(object, type_name, op) + ": " + std::string(text);
  };
  try {
    return object.session()->acquire();
  } catch (const ConnectionError& error) {
    throw ConnectionError(told(error.what()));
  } catch (const SessionLost& error) {
    throw SessionLost(told(error.what()));
  } catch (const Timeout& error) {
    throw Timeout(told(error.what()));
  }
}

}  // namespace

RemoteObject::RemoteObject(SessionPtr session, wire::Reference reference, bool counted)
    : session_(std::move(session)), reference_(reference), counted_(counted) {
  if (counted_) session_->count_reference();
}

RemoteObject::RemoteObject(std::shared_ptr<const RemoteObject> origin, std::uint64_t token)
    : session_(origin->session_),
      reference_(origin->reference_),
      counted_(false),
      token_(token),
      sink_(origin->sink_),
      origin_(origin->origin_ ? origin->origin_ : origin) {}

RemoteObject::RemoteObject(std::shared_ptr<const RemoteObject> origin, std::shared_ptr<CallSink> sink)
    : session_(origin->session_),
      reference_(origin->reference_),
      counted_(false),
      token_(origin->token_),
      sink_(std::move(sink)),
      origin_(origin->origin_ ? origin->origin_ : origin) {}

RemoteObject::~RemoteObject() {
  if (counted_) session_->give_back_reference(reference_.id);
}

/// The buffers of a call that is redirected to a sink.
struct Call::Redirected : CallBuffers {
  explicit Redirected(std::shared_ptr<CallSink> to) : CallBuffers(to->lend_buffers()), sink(std::move(to)) {}
  ~Redirected() { sink->take_back(std::move(*this)); }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

  std::shared_ptr<CallSink> sink;
};

Call::Call(const RemoteObject& object, const ops::OpDescription& op, std::size_t argument_count,
           std::string_view type_name)
    : object_(object),
      op_(op),
      type_name_(type_name),
      redirected_(object.sink() ? std::make_unique<Redirected>(object.sink()) : nullptr),
      channel_(redirected_ ? nullptr : &acquire(object, type_name, op)),
      encoder_{wire::Writer(redirected_ ? redirected_->arguments : channel_->begin_request()),
               object.session().get(), nullptr, redirected_ ? &redirected_->kept : nullptr,
               redirected_ ? nullptr : &channel_->long_arguments()} {
  if (object.token() != 0 && !redirected_) {
    std::uint8_t token[wire::token_bytes];
    wire::store_little(token, object.token());
    encoder_.writer.raw(token);
  }
  encoder_.writer.array(argument_count);
  decoder_.object = &object;
  decoder_.op = &op;
}

Call::~Call() {
  if (channel_ != nullptr) object_.session()->release(*channel_);
}

Decoder& Call::send(bool wanted) {
  if (!redirected_) [[likely]]
    return exchange(object_.session()->call_timeout(), {});
  redirected_->kept.push_back(object_.holder());
  object_.sink()->keep(redirected_->kept);
  object_.sink()->call(object_, op_, redirected_->arguments.view(), wanted, redirected_->result);
  decoder_.reader = wire::Reader(redirected_->result.view());
  decoder_.session = object_.sink()->session().get();
  return decoder_;
}

Decoder& Call::wait(std::optional<std::chrono::microseconds> limit, const std::stop_token& stop) {
  if (redirected_)
    throw TypeError(
        describe(object_, type_name_, op_) +
        ": nothing waits in a batch, a transaction or a pipeline's proxy (pipeline.call<…>() may)");
  std::chrono::milliseconds timeout = object_.session()->call_timeout();
  // An unlimited wait gets no client timeout; a dead manager shows as a closed stream.
  if (timeout.count() > 0)
    timeout =
        limit ? timeout + std::chrono::ceil<std::chrono::milliseconds>(*limit) : std::chrono::milliseconds{0};
  return exchange(timeout, stop);
}

Decoder& Call::exchange(std::chrono::milliseconds timeout, const std::stop_token& stop) {
  if (channel_->arguments_bytes() > channel_->message_bytes_max())
    throw ResourceExhausted("message_bytes_max: the arguments of " + describe(object_, type_name_, op_) +
                            " have " + std::to_string(channel_->arguments_bytes()) +
                            " bytes, and the manager takes at most " +
                            std::to_string(channel_->message_bytes_max()));
  Reply reply;
  try {
    reply = object_.session()->exchange(
        *channel_, {op_.number, this_thread_number(), object_.reference().id, object_.token()}, timeout, stop,
        long_result_);
  } catch (const os::TimedOut&) {
    const std::string text = describe(object_, type_name_, op_) + ": no answer within " +
                             std::to_string(timeout.count()) + " ms (call_timeout); ";
    if (op_.effect != ops::Effect::waits) throw Timeout(text + "it may have been done, or may be done yet");
    const std::string why =
        text + "it may be granted what nobody would give back, so the session has been ended";
    object_.session()->give_up_session(SessionLost(why + "; make a new Manager"));
    throw Timeout(why);
  } catch (const StreamClosed& broken) {
    const StreamClosed closed = object_.session()->reason_of(broken);
    if (closed.code == Code::session_lost) {
      const SessionLost lost(describe(object_, type_name_, op_) + ": " + closed.what());
      object_.session()->session_lost(lost);
      throw SessionLost(lost);
    }
    if (op_.effect == ops::Effect::waits) object_.session()->give_up_session();
    throw ConnectionError(describe(object_, type_name_, op_) + ": " + closed.what());
  }
  if (reply.code != Code::ok) [[unlikely]]
    throw_error(reply.code, reason_of(reply));
  decoder_.reader = wire::Reader(reply.payload);
  decoder_.session = object_.session().get();
  return decoder_;
}

}  // namespace tandem::client
