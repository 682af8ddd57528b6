#pragma once
// Calls that are gathered instead of sent: what a batch and a transaction are made of.

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/session/session.hpp"
#include "tandem/call/call.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::client {

/// Where a call is put together that goes to a script.
struct CallBuffers {
  wire::Buffer arguments;
  std::vector<std::shared_ptr<const RemoteObject>> kept;
  wire::Buffer result;
};

/// Where the calls of bound proxies go.
class CallSink {
 public:
  virtual ~CallSink() = default;
  /// Empty, but with the memory of a call before, if there is any.
  CallBuffers lend_buffers() { return std::exchange(buffers_, {}); }
  void take_back(CallBuffers buffers) noexcept {
    buffers.arguments.clear();
    buffers.arguments.shrink(buffer_bytes_kept);
    buffers.kept.clear();
    buffers.result.clear();
    buffers.result.shrink(buffer_bytes_kept);
    buffers_ = std::move(buffers);
  }
  virtual const SessionPtr& connection() const = 0;
  /// Objects that a call is of, or tells of, which must not go before it is made.
  void keep(const std::vector<std::shared_ptr<const RemoteObject>>& objects) {
    kept_.insert(kept_.end(), objects.begin(), objects.end());
  }
  /// Takes one call, whose arguments are a MessagePack array. If its result is wanted, that is appended to `result`;
  /// throws what the manager answered otherwise.
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
  /// Forgets what was added since.
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

  /// Has them all run, in one request. `take(i, code, decoder)` is called for each answer and takes one value: the
  /// result, or the error's text. Throws what `run` as a whole fails with.
  template <class F>
  void run(const SessionPtr& connection, ops::RunMode mode, F&& take) const {
    const RemoteObject manager(connection, {ops::Manager::number, ops::Manager::id}, false);
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

/// The object of a proxy, bound to `script`. ValueError: an empty proxy, or one of another manager. `what` is "batch" or
/// "transaction".
std::shared_ptr<RemoteObject> redirect(std::shared_ptr<RemoteObject> object, std::shared_ptr<CallSink> sink,
                                       std::string_view what);

/// "dict.at on object 17", as errors name what was under way.
std::string name_of_call(const RemoteObject& object, const ops::OpDescription& op);

}  // namespace tandem::client
