#pragma once
// The state of an engine as bytes: a sequence of MessagePack values, written and read in one pass in pieces, so that
// neither side needs memory for all of them. What is written depends on the state alone: not on the process, the
// capacity of a table, or the secret seed of hashes.

#include <functional>
#include <string>

#include "server/engine/registry.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {

class StateWriter {
 public:
  using Sink = std::function<void(wire::Bytes piece)>;

  /// Collects all in `buffer`, or passes it on to `sink` whenever there is much.
  explicit StateWriter(wire::Buffer& buffer, Sink sink = nullptr)
      : buffer_(buffer), out_(buffer), sink_(std::move(sink)) {}
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;

  void number(std::uint64_t v) { out_.unsigned_integer(v), pass_on(); }
  void integer(std::int64_t v) { out_.integer(v), pass_on(); }
  void boolean(bool v) { out_.boolean(v), pass_on(); }
  void text(std::string_view v) { out_.text(v), pass_on(); }
  /// In parts, however long they are.
  void bytes(wire::Bytes v);
  void value(ValueView v) { out_.raw(v.bytes), pass_on(); }
  /// A value, or that there is none.
  void maybe(const Value& v);
  void maybe(const std::optional<std::int64_t>& v);
  void owner(Owner v) { number(v.session), number(v.actor); }
  /// Passes on what is left.
  void finish();

  /// Something cannot be saved, so what was written is not to be used. The first failure is kept.
  void fail(std::string text) {
    if (failure_.empty()) failure_ = std::move(text);
  }
  /// Empty: none.
  const std::string& failure() const { return failure_; }

 private:
  static constexpr std::size_t piece_bytes = std::size_t{1} << 20;
  void pass_on() {
    if (sink_ && buffer_.size() >= piece_bytes) [[unlikely]]
      finish();
  }

  wire::Buffer& buffer_;
  wire::Writer out_;
  Sink sink_;
  std::string failure_;
};

/// Reads what a StateWriter wrote. After a failure everything read is 0, false or empty; the caller checks failed() before
/// it relies on what it has read.
class StateReader {
 public:
  /// Returns the next piece, valid until the next call; empty at the end.
  using Source = std::function<wire::Bytes()>;

  /// Values count their references in `registry`; keys are hashed with `hash_seed`.
  StateReader(Source source, Registry& registry, std::uint64_t hash_seed)
      : source_(std::move(source)), registry_(registry), hash_seed_(hash_seed) {}
  StateReader(const StateReader&) = delete;
  StateReader& operator=(const StateReader&) = delete;

  std::uint64_t number();
  /// One that is at most `most`.
  std::uint64_t number_up_to(std::uint64_t most, std::string_view of_what);
  std::int64_t integer();
  bool boolean();
  std::string text();
  /// Calls `room(count)` for the place to which to copy so many bytes. Returns their number. Fails if they are more than
  /// `most`, or there is no place.
  std::uint64_t bytes(std::uint64_t most, const std::function<std::uint8_t*(std::uint64_t)>& room);
  Value value();
  Value maybe_value();
  std::optional<std::int64_t> maybe_integer();
  Owner owner();
  /// Reads a number and calls `f()` so often, but no more after a failure.
  template <class F>
  void repeat(F&& f) {
    for (std::uint64_t left = number(); left != 0 && !failed_; --left) f();
  }
  /// Whether there is nothing more.
  bool at_end();

  /// 0 after a failure.
  std::uint32_t hash(ValueView key);
  Registry& registry() { return registry_; }
  const Limits& limits() const { return registry_.limits(); }

  bool failed() const { return failed_; }
  /// The first failure is kept.
  void fail(std::string text);
  const std::string& failure() const { return failure_; }

 private:
  bool more();
  wire::Bytes next();
  template <class F>
  void read(std::string_view wanted, F&& take);

  Source source_;
  Registry& registry_;
  const std::uint64_t hash_seed_;
  wire::Buffer buffer_;
  std::size_t taken_ = 0;
  bool failed_ = false;
  std::string failure_;
};

}  // namespace tandem::server
