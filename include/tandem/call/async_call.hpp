#pragma once
// The interface between async.hpp and the client library, which starts and completes the operations. Not for
// users.

#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "tandem/call/remote_object.hpp"
#include "tandem/codec/codec.hpp"
#include "tandem/ops/op.hpp"

namespace tandem::client {

class Actor;         // client/session/thread_channels.hpp
class AsyncChannel;  // client/calls/async.cpp

/// An encoded request, or the error that encoding threw.
struct AsyncRequest {
  std::shared_ptr<const RemoteObject> object;
  const ops::OpDescription* op = nullptr;
  wire::Buffer arguments;
  std::vector<std::shared_ptr<const RemoteObject>> kept;
  std::exception_ptr error;
};

/// The outcome of an operation: an error, or the result's bytes. References in them that are not taken over
/// are released.
struct AsyncOutcome {
  AsyncOutcome() = default;
  AsyncOutcome(AsyncOutcome&&) noexcept = default;
  AsyncOutcome& operator=(AsyncOutcome&&) = delete;
  ~AsyncOutcome() { release_references(session.get(), result.view()); }

  std::exception_ptr error;
  bool cancelled = false;  // by the caller; if the wait expired, the operation was aborted
  bool unsent = false;     // cancelled before it was sent
  wire::Buffer result;
  SessionPtr session;
  std::shared_ptr<const AsyncRequest> request;  // whose result it is, for error texts
};

class AsyncHandler {
 public:
  virtual ~AsyncHandler() = default;
  /// Called once, on a library thread or on that of the call which fails or cancels the operation.
  virtual void complete(AsyncOutcome outcome) = 0;
};

/// The channel that all copies of an Async share; closed with the last of them.
class AsyncSession {
 public:
  explicit AsyncSession(const SessionPtr& session);
  ~AsyncSession();
  AsyncSession(const AsyncSession&) = delete;
  AsyncSession& operator=(const AsyncSession&) = delete;

  const std::shared_ptr<AsyncChannel>& channel() const { return channel_; }

 private:
  std::shared_ptr<AsyncChannel> channel_;
};

/// Returns a new owner of locks. It ends, and what it still owns passes on, when it and all operations that were
/// started with it are gone.
std::shared_ptr<Actor> new_async_owner(const std::shared_ptr<AsyncChannel>& channel);
/// ValueError: an empty proxy, or one of another manager.
Encoder begin_async_request(AsyncChannel& channel, const std::shared_ptr<RemoteObject>& object,
                            AsyncRequest& request);
/// Returns a number that identifies an operation.
std::uint64_t next_async_ticket(AsyncChannel& channel);
void start_async(AsyncChannel& channel, std::uint64_t ticket, std::shared_ptr<const AsyncRequest> request,
                 std::shared_ptr<const Actor> owner, std::unique_ptr<AsyncHandler> handler);
void cancel_async(AsyncChannel& channel, std::uint64_t ticket);
/// As Async::close().
void close_async(AsyncChannel& channel) noexcept;

}  // namespace tandem::client
