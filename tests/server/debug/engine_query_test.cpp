#include "server/debug/engine_query.hpp"

#include "tests/server/debug/fixture.hpp"

namespace tandem::server {
namespace {

class AskTest : public testing::Test {
 protected:
  EngineQuery make(std::chrono::milliseconds patience) {
    return EngineQuery([this](std::function<void()> work) { post(std::move(work)); }, view_, patience);
  }
  void post(std::function<void()> work) {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
    arrived_.notify_one();
  }
  std::function<void()> next_posted() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !posted_.empty(); });
    std::function<void()> work = std::move(posted_.front());
    posted_.pop_front();
    return work;
  }

  Limits limits_;
  Engine engine_{limits_, ServerInfo(), hosted_types()};
  FakeView view_{engine_};
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> posted_;
};

TEST_F(AskTest, RunsOnTheOtherThread) {
  EngineQuery ask = make(std::chrono::hours(1));
  std::thread::id engine_thread;
  std::thread engine([&] {
    engine_thread = std::this_thread::get_id();
    next_posted()();
  });
  std::thread::id seen;
  EXPECT_TRUE(ask([&](const View& view) {
    EXPECT_EQ(&view, &view_);
    seen = std::this_thread::get_id();
  }));
  engine.join();
  EXPECT_EQ(seen, engine_thread);
}

TEST_F(AskTest, AQuestionThatComesTooLateIsNotRun) {
  EngineQuery ask = make(std::chrono::milliseconds(1));
  bool ran = false;
  EXPECT_FALSE(ask([&](const View&) { ran = true; }));
  next_posted()();
  EXPECT_FALSE(ran);
}

TEST_F(AskTest, AQuestionThatIsDroppedIsAnsweredAtOnce) {
  EngineQuery ask([](std::function<void()>) {}, view_, std::chrono::hours(1));
  EXPECT_FALSE(ask([](const View&) { FAIL(); }));
}

TEST_F(AskTest, ClosingAnswersWhoeverWaits) {
  EngineQuery ask = make(std::chrono::hours(1));
  std::thread asking([&] { EXPECT_FALSE(ask([](const View&) { FAIL(); })); });
  std::function<void()> work = next_posted();
  ask.close();
  asking.join();
  work();
  EXPECT_FALSE(ask([](const View&) { FAIL(); }));
}

TEST_F(AskTest, ClosingLeavesAQuestionThatRunsToItsEnd) {
  EngineQuery ask = make(std::chrono::hours(1));
  std::mutex mutex;
  std::condition_variable changed;
  bool begun = false, go_on = false, finished = false;
  std::thread asking([&] {
    bool answered = ask([&](const View&) {
      std::unique_lock lock(mutex);
      begun = true;
      changed.notify_all();
      changed.wait(lock, [&] { return go_on; });
      finished = true;
    });
    EXPECT_TRUE(answered);
    EXPECT_TRUE(finished);
  });
  std::thread engine([&] { next_posted()(); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return begun; });
  }
  ask.close();
  {
    std::lock_guard lock(mutex);
    go_on = true;
    changed.notify_all();
  }
  asking.join();
  engine.join();
}

TEST_F(AskTest, WhatAQuestionThrowsIsThrownToWhoeverAsks) {
  EngineQuery ask = make(std::chrono::hours(1));
  std::thread engine([&] { next_posted()(); });
  EXPECT_THROW(ask([](const View&) { throw std::runtime_error("no"); }), std::runtime_error);
  engine.join();
}

}  // namespace
}  // namespace tandem::server
