#pragma once
// One call under way: what lies between a typed proxy and the client library. Not for users.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include "tandem/call/remote_object.hpp"
#include "tandem/ops/op.hpp"

namespace tandem::client {

class Channel;  // client/session/channel.hpp: one ordered, framed, two-way byte path

/// One request and its reply. Holds a channel of this thread from construction to destruction, so that code run while
/// arguments are encoded or the result is decoded (a user's to_json, say) may make calls of its own.
class Call {
 public:
  /// Opens a channel where this thread has none. Throws ConnectionError. `type_name` is for error texts, and needed for
  /// types that the library does not know; it must outlive the call.
  Call(const RemoteObject& object, const ops::OpDescription& op, std::size_t argument_count,
       std::string_view type_name = {});
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Encoder& arguments() { return encoder_; }
  /// Sends the request, waits for the reply. Throws what the manager answered (KeyError, ObjectGone, …),
  /// ConnectionError when the manager is gone, Timeout after Options::call_timeout. The decoder stands before the
  /// result and is good until this Call goes.
  Decoder& send() { return send(true); }
  /// The same where nobody looks at the result, which then may be none, if `wanted` is false.
  Decoder& send(bool wanted);
  /// The same for an operation that waits in the manager, for at most `limit`, which has been sent along (none: for
  /// ever); call_timeout comes on top of it. When `stop` is requested, the manager ends the wait as if its limit had run
  /// out, unless it was served just before: so what was granted is never lost.
  Decoder& wait(std::optional<std::chrono::microseconds> limit, const std::stop_token& stop = {});

 private:
  struct Redirected;
  Decoder& exchange(std::chrono::milliseconds timeout, const std::stop_token& stop);

  const RemoteObject& object_;
  const ops::OpDescription& op_;
  std::string_view type_name_;
  std::unique_ptr<Redirected> redirected_;  // null: by a channel
  Channel* channel_;                        // null: by the object's script
  Encoder encoder_;
  Decoder decoder_;
};

}  // namespace tandem::client
