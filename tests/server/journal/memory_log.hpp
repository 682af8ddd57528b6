#pragma once
// A log in memory, which fails when told to and can be made to take its time.

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "server/journal/log.hpp"

namespace tandem::test {

class MemoryLog final : public server::Log {
 public:
  struct Kept {
    server::Batch batch;
    std::string body;
    bool sync = false;
  };

  server::AppendStatus append(const server::Batch& batch, bool sync) override {
    std::unique_lock lock(mutex_);
    ++appends_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !stopped_; });
    if (answer_ != server::AppendStatus::ok) {
      ++refused_;
      changed_.notify_all();
      return answer_;
    }
    kept_.push_back({batch, std::string(wire::as_text(batch.body)), sync});
    return answer_;
  }
  std::optional<server::SyncApart> begin_sync() override {
    const server::LogPosition end = tail();
    const std::lock_guard lock(mutex_);
    if (!sync_apart_) return std::nullopt;
    return server::SyncApart{end, sync_apart_};
  }
  const std::string& failure() const override { return failure_; }
  void read(std::uint64_t from, const std::function<bool(const server::Batch&)>& sink) override {
    for (const Kept& one : kept()) {
      server::Batch batch = one.batch;
      batch.body = wire::as_bytes(one.body);
      if (batch.number >= from && !sink(batch)) return;
    }
  }
  server::LogPosition tail() const override {
    const std::lock_guard lock(mutex_);
    if (kept_.empty()) return {};
    return {kept_.back().batch.number, kept_.back().batch.last, 0};
  }
  server::LogPosition position_before(std::uint64_t batch) override {
    if (batch == 1) return {};
    return {batch - 1, kept().at(batch - 2).batch.last, 0};
  }
  std::uint64_t first_batch() const override { return first_batch_; }
  server::AppendStatus rotate() override { return server::AppendStatus::ok; }
  bool trim_one(std::uint64_t before) override { return std::exchange(first_batch_, before) != before; }
  std::uint64_t bytes() const override { return 0; }
  std::uint64_t free_bytes() const override {
    const std::lock_guard lock(mutex_);
    return free_bytes_;
  }

  // What the test does.
  void answer_with(server::AppendStatus answer) {
    const std::lock_guard lock(mutex_);
    answer_ = answer;
  }
  void set_free_bytes(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    free_bytes_ = bytes;
  }
  /// What a sync does that others may append beside.
  void sync_apart_by(std::function<bool()> sync) {
    const std::lock_guard lock(mutex_);
    sync_apart_ = std::move(sync);
  }
  /// Appends from now on take until go_on().
  void stop_there() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  void go_on() {
    const std::lock_guard lock(mutex_);
    stopped_ = false;
    changed_.notify_all();
  }
  void wait_for_appends(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return appends_ >= count; });
  }
  void wait_for_refusals(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return refused_ >= count; });
  }
  int appends() const {
    const std::lock_guard lock(mutex_);
    return appends_;
  }
  std::vector<Kept> kept() const {
    const std::lock_guard lock(mutex_);
    return kept_;
  }
  /// Instead of what there is.
  void keep(std::vector<Kept> batches) {
    const std::lock_guard lock(mutex_);
    kept_ = std::move(batches);
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Kept> kept_;
  std::function<bool()> sync_apart_;  // null: there is none
  std::string failure_ = "as the test wants it";
  server::AppendStatus answer_ = server::AppendStatus::ok;
  std::uint64_t free_bytes_ = std::uint64_t{1} << 40;
  std::uint64_t first_batch_ = 1;
  bool stopped_ = false;
  int appends_ = 0;
  int refused_ = 0;
};

}  // namespace tandem::test
