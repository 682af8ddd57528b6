#pragma once
// Calls that are collected instead of exchanged one by one: the basis of batches, transactions and pipelines.

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/session/session.hpp"
#include "tandem/call/call.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::client {

/// The buffers in which a call to a sink is encoded.
struct CallBuffers {
  wire::Buffer arguments;
  std::vector<std::shared_ptr<const RemoteObject>> kept;
  wire::Buffer result;
};

/// Receives the calls of bound proxies.
class CallSink {
 public:
  virtual ~CallSink() = default;
  /// Returns empty buffers, with the memory of an earlier call if there is any.
  CallBuffers lend_buffers() { return std::exchange(buffers_, {}); }
  void take_back(CallBuffers buffers) noexcept {
    buffers.arguments.clear();
    buffers.arguments.shrink(buffer_bytes_kept);
    buffers.kept.clear();
    buffers.result.clear();
    buffers.result.shrink(buffer_bytes_kept);
    buffers_ = std::move(buffers);
  }
  virtual const SessionPtr& session() const = 0;
  /// Keeps the objects that a call is made on or refers to alive until it is executed.
  void keep(const std::vector<std::shared_ptr<const RemoteObject>>& objects) {
    kept_.insert(kept_.end(), objects.begin(), objects.end());
  }
  /// Takes one call; `arguments` is a MessagePack array. If `wanted`, appends the result to `result` or
  /// throws the manager's error; sinks that have no results yet (batches, pipelines) throw TypeError.
  virtual void call(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments,
                    bool wanted, wire::Buffer& result) = 0;

 protected:
  std::vector<std::shared_ptr<const RemoteObject>> kept_;

 private:
  static constexpr std::size_t buffer_bytes_kept = std::size_t{64} << 10;
  CallBuffers buffers_;
};

/// The steps of ops::Manager::Run, encoded.
class Steps {
 public:
  struct Mark {
    std::size_t bytes = 0;
    std::size_t count = 0;
  };

  std::size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  Mark mark() const { return {encoded_.size(), count_}; }
  /// Removes the steps added since `mark`.
  void back_to(Mark mark) {
    encoded_.truncate(mark.bytes);
    count_ = mark.count;
  }
  void clear() { back_to({}); }

  void add_wanted(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments) {
    begin(object, op, arguments).nil();
    end(object);
  }
  void add_unwanted(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments) {
    begin(object, op, arguments).boolean(false);
    end(object);
  }
  void add_expecting(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments,
                     wire::Bytes result) {
    begin(object, op, arguments).bytes(result);
    end(object);
  }
  void add_expecting(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments,
                     Code failure) {
    begin(object, op, arguments).integer(static_cast<std::int64_t>(failure));
    end(object);
  }

  /// Runs all steps in one request. Calls `take(i, code, decoder)` for each answer; it reads one value: the
  /// result, or the error's text. Throws the error of the request as a whole.
  template <class F>
  void run(const SessionPtr& session, ops::RunMode mode, F&& take) const {
    const RemoteObject manager(session, {ops::Manager::number, ops::Manager::id}, false);
    Call call(manager, ops::Manager::Run::description, 2);
    wire::Writer& out = call.arguments().writer;
    out.array(count_);
    out.raw(encoded_.view());
    out.integer(static_cast<std::int64_t>(mode));
    Decoder& answers = call.send();
    std::uint32_t count = 0;
    bool good = answers.reader.array(count) && count == count_;
    for (std::size_t i = 0; good && i < count; ++i) {
      std::uint32_t two = 0;
      std::int64_t code = 0;
      good = answers.reader.array(two) && two == 2 && answers.reader.int64(code);
      if (good) take(i, static_cast<Code>(code), answers);
    }
    if (!good)
      throw ProtocolError("the manager's answers to " + std::to_string(count_) + " steps make no sense");
  }

 private:
  wire::Writer begin(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments) {
    wire::Writer out(encoded_);
    out.array(5);
    out.unsigned_integer(object.reference().id);
    out.unsigned_integer(op.number);
    out.bytes(arguments);
    return out;
  }
  void end(const RemoteObject& object) {
    wire::Writer(encoded_).unsigned_integer(object.token());
    ++count_;
  }

  wire::Buffer encoded_;
  std::size_t count_ = 0;
};

/// Returns `object` bound to `sink`. Throws ValueError for an empty proxy or one of another manager. `what`
/// is "batch", "transaction" or "pipeline".
std::shared_ptr<RemoteObject> redirect(std::shared_ptr<RemoteObject> object, std::shared_ptr<CallSink> sink,
                                       std::string_view what);

/// Returns the name of a call for error texts, e.g. "dict.at on object 17".
std::string name_of_call(const RemoteObject& object, const ops::OpDescription& op);

}  // namespace tandem::client
