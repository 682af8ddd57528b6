// A thousand coroutines on one thread, each waiting for one job, all over one channel to the manager. Another
// process puts 900 jobs and closes the queue; the remaining coroutines get Closed.
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <iostream>
#include <tandem/async.hpp>
#include <tandem/tandem.hpp>

namespace ops = tandem::ops;
using asio::use_awaitable;

asio::awaitable<void> worker(const tandem::Async& async, tandem::Queue<int> jobs,
                             tandem::Dict<int, int> squares, int& idle) {
  try {
    auto job = co_await async.call<ops::Queue::Get, std::optional<int>>(jobs, use_awaitable);
    co_await async.call<ops::Dict::Set>(squares, *job, *job * *job, use_awaitable);
  } catch (const tandem::Closed&) {
    ++idle;
  }
}

int main() {
  tandem::Manager manager;
  auto jobs = manager.queue<int>();
  auto squares = manager.dict<int, int>();
  tandem::Process boss([=] {
    for (int i = 0; i < 900; ++i) jobs.put(i);
    jobs.close();
  });

  asio::io_context io;
  const tandem::Async async(manager, io.get_executor());
  int idle = 0;
  for (int i = 0; i < 1000; ++i) asio::co_spawn(io, worker(async, jobs, squares, idle), asio::detached);
  io.run();  // until no coroutine waits
  boss.join();

  std::cout << squares.size() << " jobs are done, " << idle << " workers had none\n";
  async.call<ops::Dict::At, int>(squares, 30, [](std::exception_ptr error, int square) {
    if (!error) std::cout << "30 squared is " << square << '\n';
  });
  io.restart();
  io.run();
}
