#include "tandem/transaction.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <unordered_set>

#include "client/calls/call_sink.hpp"

namespace tandem::client {
namespace {

/// Calls f(id) for each reference in `values`, at any depth.
template <class F>
void each_reference(wire::Bytes values, F&& f) {
  for (wire::Reader reader(values); !reader.at_end();) {
    std::uint32_t count = 0;
    std::int8_t type = 0;
    wire::Bytes body;
    wire::Reference reference;
    if (reader.array(count) || reader.map(count)) continue;
    if (reader.reference(reference)) f(reference.id);
    else if (!reader.extension(type, body)) {
      if (!reader.skip()) return;
    } else if (type == static_cast<std::int8_t>(wire::Extension::tuple) ||
               type == static_cast<std::int8_t>(wire::Extension::set)) {
      each_reference(body, f);
    }
  }
}

}  // namespace

/// The operations of one run, in order, with the results returned to it.
class TransactionSink final : public CallSink {
 public:
  explicit TransactionSink(SessionPtr session) : session_(std::move(session)) {}

  const SessionPtr& session() const override { return session_; }
  void end() noexcept {
    ended_ = true;
    kept_.clear();
  }
  /// Empty if there was no conflict.
  const std::string& conflict() const { return conflict_; }

  void call(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments, bool wanted,
            wire::Buffer& result) override {
    if (ended_)
      throw ValueError(name_of_call(object, op) + ": the transaction that this proxy is part of has ended");
    if (!conflict_.empty())
      throw Conflict(conflict_);  // a caller that caught the first one must not continue
    const bool reads = op.effect == ops::Effect::reads;
    if (!reads) written_.insert(object.reference().id);
    if (!wanted) return steps_.add_unwanted(object, op, arguments);
    Code code = Code::ok;
    if (reads && !touches_written(object, arguments)) code = read(object, op, arguments, result);
    else code = read_through(object, op, arguments, result);
    ++results_;
    if (code == Code::ok) return steps_.add_expecting(object, op, arguments, result.view());
    steps_.add_expecting(object, op, arguments, code);
    std::string_view text;
    wire::Reader(result.view()).text(text);
    throw_error(code, std::string(text));
  }

  /// Returns false on a conflict.
  bool commit() {
    if (!conflict_.empty()) return false;
    // A single read is consistent by itself.
    if (steps_.empty() || (steps_.count() == 1 && results_ == 1 && written_.empty())) return true;
    return run(ops::RunMode::all_or_nothing);
  }
  bool is_stale() {
    if (!conflict_.empty()) return true;
    return results_ != 0 && !run(ops::RunMode::trial);
  }

 private:
  bool touches_written(const RemoteObject& object, wire::Bytes arguments) const {
    if (written_.empty()) return false;
    bool touches = written_.contains(object.reference().id);
    each_reference(arguments, [&](std::uint64_t id) { touches = touches || written_.contains(id); });
    return touches;
  }

  /// Executes the operation at once. Stores its result, or an error's text, in `result`.
  Code read(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments,
            wire::Buffer& result) {
    Steps one;
    one.add_wanted(object, op, arguments);
    return last_of(one, ops::RunMode::each, result);
  }
  /// Reads the state as it would be after all steps so far.
  Code read_through(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments,
                    wire::Buffer& result) {
    const Steps::Mark before = steps_.mark();
    steps_.add_wanted(object, op, arguments);
    struct Back {
      Steps& steps;
      Steps::Mark mark;
      ~Back() { steps.back_to(mark); }
    } back{steps_, before};
    try {
      return last_of(steps_, ops::RunMode::trial, result);
    } catch (const Conflict& conflict) {
      conflict_ = conflict.what();
      throw;
    }
  }
  Code last_of(const Steps& steps, ops::RunMode mode, wire::Buffer& result) {
    Code last = Code::ok;
    steps.run(session_, mode, [&](std::size_t i, Code code, Decoder& answer) {
      wire::Bytes value;
      if (!answer.reader.value(value)) throw ProtocolError("a result is not well-formed MessagePack");
      if (i + 1 != steps.count()) return;
      last = code;
      result.append(value);
    });
    return last;
  }
  bool run(ops::RunMode mode) {
    try {
      steps_.run(session_, mode, [](std::size_t, Code, Decoder& answer) { (void)answer.reader.skip(); });
      return true;
    } catch (const Conflict& conflict) {
      conflict_ = conflict.what();
      return false;
    }
  }

  const SessionPtr session_;
  Steps steps_;
  std::size_t results_ = 0;                    // steps that expect a result
  std::unordered_set<std::uint64_t> written_;  // object ids
  std::string conflict_;
  bool ended_ = false;
};

std::shared_ptr<RemoteObject> redirect(const std::shared_ptr<RemoteObject>& object,
                                       const std::shared_ptr<TransactionSink>& sink) {
  return redirect(object, sink, "transaction");
}

// ---- attempts --------------------------------------------------------------------------------------------

namespace {

/// Whether this thread is in a transaction. A nested one would be committed even if the outer one is not.
thread_local bool in_transaction = false;

constexpr std::chrono::microseconds first_pause{50};

}  // namespace

struct Attempts::State {
  SessionPtr session;
  TransactionOptions options;
  std::shared_ptr<TransactionSink> sink{};
  std::size_t made = 0;
  std::optional<std::minstd_rand> random{};
};

Attempts::Attempts(SessionPtr session, const TransactionOptions& options) {
  if (options.attempts_max == 0) throw ValueError("a transaction with attempts_max 0 cannot be made");
  if (in_transaction)
    throw ValueError(
        "a transaction cannot be made within another: use the Transaction that is there already");
  state_ = std::make_unique<State>(State{std::move(session), options});
  in_transaction = true;
}

Attempts::~Attempts() {
  if (state_->sink) state_->sink->end();
  in_transaction = false;
}

std::shared_ptr<TransactionSink> Attempts::begin() {
  if (state_->sink) state_->sink->end();
  ++state_->made;
  return state_->sink = std::make_shared<TransactionSink>(state_->session);
}

bool Attempts::commit() {
  return state_->sink->commit();
}

bool Attempts::is_stale() noexcept {
  try {
    return state_->sink->is_stale();
  } catch (...) {
    return false;  // a failed query must not hide the original error
  }
}

void Attempts::pause() {
  State& state = *state_;
  if (state.made >= state.options.attempts_max)
    throw Conflict("a transaction met with a conflict each of the " + std::to_string(state.made) +
                   " times that it was tried (attempts_max); the last one: " + state.sink->conflict());
  if (!state.random) state.random.emplace(std::random_device{}());
  // The first retry is immediate: usually one other transaction was faster and has finished.
  if (state.made == 1) return;
  const auto longest =
      std::min(state.options.pause_max, first_pause * (1 << std::min<std::size_t>(state.made, 20)));
  if (longest.count() <= 0) return;
  std::uniform_int_distribution<std::int64_t> length(0, longest.count());
  std::this_thread::sleep_for(std::chrono::microseconds(length(*state.random)));
}

}  // namespace tandem::client
