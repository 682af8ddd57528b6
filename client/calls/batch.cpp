#include "tandem/batch.hpp"

#include <vector>

#include "client/calls/call_sink.hpp"

namespace tandem::client {

/// The operations of a batch and the destinations of their results.
class BatchSink final : public CallSink {
 public:
  explicit BatchSink(SessionPtr session) : session_(std::move(session)) {}

  const SessionPtr& session() const override { return session_; }
  std::size_t size() const { return entries_.size(); }
  void await_next(std::shared_ptr<Awaited> result) { next_ = std::move(result); }

  void call(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments, bool wanted,
            wire::Buffer&) override {
    if (wanted)
      throw TypeError(
          name_of_call(object, op) +
          ": it has a result, which is not available before the batch is run; add it by batch.call<…>()");
    std::shared_ptr<Awaited> result = std::exchange(next_, nullptr);
    if (result) steps_.add_wanted(object, op, arguments);
    else steps_.add_unwanted(object, op, arguments);
    entries_.push_back({std::move(result), name_of_call(object, op)});
  }

  void run(ops::RunMode mode) {
    if (entries_.empty()) return;
    const Steps steps = std::exchange(steps_, {});
    const std::vector<Entry> entries = std::exchange(entries_, {});
    const auto kept = std::exchange(kept_, {});
    try {
      Errors errors;
      steps.run(session_, mode, [&](std::size_t i, Code code, Decoder& answer) {
        if (std::exception_ptr error = taken(entries[i], code, answer)) errors.add(i, entries, error);
      });
      errors.raise();
    } catch (...) {
      for (const Entry& entry : entries)
        if (entry.result && !entry.result->ready) settle(*entry.result, std::current_exception());
      throw;
    }
  }

 private:
  struct Entry {
    std::shared_ptr<Awaited> result;  // null: no result is wanted
    std::string name;
  };
  /// Errors of operations whose result the caller does not hold; thrown by run().
  class Errors {
   public:
    void add(std::size_t i, const std::vector<Entry>& entries, std::exception_ptr error) {
      if (entries[i].result.use_count() > 1) return;
      if (count_++ != 0) return;
      first_ = std::move(error);
      where_ = "operation " + std::to_string(i + 1) + " of " + std::to_string(entries.size()) + ", " +
               entries[i].name;
    }
    void raise() const {
      if (count_ == 0) return;
      try {
        std::rethrow_exception(first_);
      } catch (const Error& error) {
        const std::string more = count_ == 1 ? "" : " (and " + std::to_string(count_ - 1) + " more failed)";
        throw_error(error.code(), where_ + ": " + error.what() + more);
      }
    }

   private:
    std::size_t count_ = 0;
    std::exception_ptr first_;
    std::string where_;
  };

  static void settle(Awaited& result, std::exception_ptr error) {
    result.error = std::move(error);
    result.ready = true;
  }
  /// Reads one answer. Returns its error, the exception of decoding its result, or null.
  static std::exception_ptr taken(const Entry& entry, Code code, Decoder& answer) {
    wire::Bytes value;
    if (!answer.reader.value(value)) throw ProtocolError("a result is not well-formed MessagePack");
    std::exception_ptr error;
    if (code != Code::ok) {
      std::string_view text;
      wire::Reader(value).text(text);
      error = make_error(code, std::string(text));
    } else if (entry.result) {
      Decoder decoder{wire::Reader(value), answer.session};
      try {
        entry.result->take(decoder);
      } catch (...) {
        error = std::current_exception();
      }
      if (!decoder.reader.at_end()) release_references(answer.session, decoder.reader.rest());
    }
    if (entry.result) settle(*entry.result, error);
    return error;
  }

  const SessionPtr session_;
  Steps steps_;
  std::vector<Entry> entries_;
  std::shared_ptr<Awaited> next_;
};

std::shared_ptr<RemoteObject> redirect(const std::shared_ptr<RemoteObject>& object,
                                       const std::shared_ptr<BatchSink>& sink) {
  return redirect(object, sink, "batch");
}

void await_next(BatchSink& sink, std::shared_ptr<Awaited> result) {
  sink.await_next(std::move(result));
}

}  // namespace tandem::client

namespace tandem {

Batch::Batch(client::SessionPtr session) : Binding(std::make_shared<client::BatchSink>(std::move(session))) {}

std::size_t Batch::size() const {
  return sink_->size();
}

void Batch::run(Together together) {
  sink_->run(together == all_or_nothing ? ops::RunMode::all_or_nothing : ops::RunMode::each);
}

}  // namespace tandem
