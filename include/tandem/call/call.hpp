#pragma once
// One call in progress: the interface between a typed proxy and the client library. Not for users.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include "tandem/call/remote_object.hpp"
#include "tandem/ops/op.hpp"

namespace tandem::client {

class Channel;     // client/session/channel.hpp: one ordered, framed, two-way byte path
class LongResult;  // call/long_result.hpp

/// One request and its reply. Holds a channel of this thread from construction to destruction, so that code
/// run while arguments are encoded or the result is decoded (such as a user's to_json) may make calls of its
/// own.
class Call {
 public:
  /// Opens a channel if this thread has none. Throws ConnectionError, SessionLost or Timeout. `type_name` is
  /// for error texts, and required for types that the library does not know; it must outlive the call.
  Call(const RemoteObject& object, const ops::OpDescription& op, std::size_t argument_count,
       std::string_view type_name = {});
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// Long texts and bytes among the arguments are not copied: they must stay until send() or wait() returns.
  Encoder& arguments() { return encoder_; }
  /// A long result may go there; it must outlive send() or wait().
  void take_long_result(LongResult& into) { long_result_ = &into; }
  /// Sends the request and waits for the reply. Throws the error that the manager returned (KeyError,
  /// ObjectGone, …), ConnectionError if the manager is lost, Timeout after Options::call_timeout. The decoder
  /// is at the result and valid until this Call is destroyed.
  Decoder& send() { return send(true); }
  /// The same; if `wanted` is false, the result is not used and may be missing.
  Decoder& send(bool wanted);
  /// The same for an operation that waits in the manager for at most `limit`, which was sent as an argument;
  /// nullopt: without limit, and without call_timeout, which otherwise is added to it. When `stop` is
  /// requested, the manager ends the wait as if its limit had run out, unless it was served just before, so
  /// nothing granted is lost.
  Decoder& wait(std::optional<std::chrono::microseconds> limit, const std::stop_token& stop = {});

 private:
  struct Redirected;
  Decoder& exchange(std::chrono::milliseconds timeout, const std::stop_token& stop);

  const RemoteObject& object_;
  const ops::OpDescription& op_;
  std::string_view type_name_;
  std::unique_ptr<Redirected> redirected_;  // null: sent on a channel
  Channel* channel_;                        // null: sent to the object's sink
  LongResult* long_result_ = nullptr;
  Encoder encoder_;
  Decoder decoder_;
};

}  // namespace tandem::client
