#pragma once
// The implementation of Pool: its submitter number in a hosted pool, the jobs with outstanding outcomes, the
// thread that collects outcomes, and the process that supervises the workers.

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tandem/pool.hpp"

namespace tandem::client {

class PoolCore {
 public:
  /// `name` empty: the hosted pool has no name and is used by this Pool alone.
  PoolCore(Manager manager, std::string name, const PoolOptions& options);
  /// Called only in the process that constructed it.
  ~PoolCore();
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;

  /// Throws ValueError in any other process.
  void check_ours() const;
  bool ours() const noexcept;

  const Manager& manager() const { return manager_; }
  const TaskPool& pool() const { return pool_; }
  unsigned workers() const { return workers_; }
  /// The number of workers that tasks are meant for: in a named pool those of all its users, if they are more
  /// than its own. At least 1.
  std::size_t workers_in_all() const;

  /// Throws ValueError if the pool is closed, or the error by which it lost the manager.
  void check_open();
  std::string id_of(Function function);
  // Streams whose input is not at its end.

  /// As check_open().
  void stream_began();
  void stream_ended() noexcept;

  /// Registers a task of `count` of the job's calls, from `first` on. Returns its tag.
  std::int64_t expect(const std::shared_ptr<Job>& job, std::size_t first, std::size_t count);
  void forget(const std::vector<std::int64_t>& tags);
  /// Ends the calls of a task that was not submitted.
  void fail(std::int64_t tag, const std::exception_ptr& error);
  void submit(std::size_t count, wire::Bytes tasks);

  void close();
  void terminate() noexcept;
  void join();
  /// terminate() and join().
  void end() noexcept;

 private:
  struct Expected {
    std::shared_ptr<Job> job;
    std::size_t first = 0;
    std::size_t count = 0;
  };
  enum class State { open, closed, terminated };

  void check_open_locked() const;
  void start_workers(const PoolOptions& options);
  void stop_workers() noexcept;
  void collect(const std::stop_token& stop) noexcept;
  void deliver(wire::Bytes outcomes);
  void deliver_one(wire::Reader outcome);
  void fail_all(const std::exception_ptr& error);
  std::optional<Expected> take(std::int64_t tag);

  const pid_t owner_;
  const std::string name_;
  const unsigned retries_;
  const Functions functions_;
  unsigned workers_ = 0;
  Manager manager_;
  TaskPool pool_;
  std::int64_t submitter_ = 0;
  std::vector<std::shared_ptr<const RemoteObject>> kept_;  // the initializer's proxies, for the supervisor
  Process supervisor_;
  std::mutex control_mutex_;
  tandem::Connection control_;  // any message stops the supervisor

  std::mutex ids_mutex_;
  std::vector<std::pair<Function, std::string>> ids_;

  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable all_delivered_;
  State state_ = State::open;
  bool joined_ = false;
  std::size_t streams_ = 0;  // a closed pool closes the hosted one when there are none
  std::exception_ptr lost_;  // why collecting ended, if it did
  std::int64_t next_tag_ = 1;
  std::map<std::int64_t, Expected> expected_;
  bool delivering_ = false;

  std::jthread collector_;  // last: it uses the members above
};

}  // namespace tandem::client
