#include "tandem/pipe.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tandem/manager.hpp"
#include "tandem/wait.hpp"
#include "tests/support/child.hpp"

namespace tandem {
namespace {

using nlohmann::json;
using test::Child;
using test::Signal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::size_t many_bytes = std::size_t{48} << 20;

std::string text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What stands on the socket, whatever it means.
void write_raw(const Connection& end, std::string_view bytes) {
  EXPECT_EQ(send(end.fileno(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

// ---- messages -----------------------------------------------------------------------------------------------

TEST(Pipe, CarriesValuesBothWays) {
  auto [a, b] = Pipe();
  a.send("爸爸你好!");
  a.send(42);
  a.send(std::map<std::string, std::vector<double>>{{"x", {1.5, 2}}});
  a.send({1, "two", nullptr});
  EXPECT_EQ(b.recv<std::string>(), "爸爸你好!");
  EXPECT_EQ(b.recv<int>(), 42);
  EXPECT_EQ((b.recv<std::map<std::string, std::vector<double>>>()["x"]), (std::vector{1.5, 2.0}));
  EXPECT_EQ(b.recv(), (json{1, "two", nullptr}));
  b.send(std::optional<int>());
  EXPECT_EQ(a.recv<std::optional<int>>(), std::nullopt);
}

TEST(Pipe, TextThatIsNotUtf8IsRefusedAsByAManager) {
  auto [a, b] = Pipe();
  const std::vector<std::string> texts{"good", "caf\xe9"};
  EXPECT_THROW(a.send(texts[1]), ValueError);
  EXPECT_THROW(a.send(texts), ValueError);
  EXPECT_THROW(a.send(std::map<std::string, int>{{texts[1], 1}}), ValueError);
  EXPECT_THROW(a.send(std::tuple(1, texts[1])), ValueError);
  EXPECT_THROW(a.send(json{{"a", {1, texts[1]}}}), ValueError);
  a.send(texts[0]);
  EXPECT_EQ(b.recv<std::string>(), "good") << "nothing of the others has been sent";
  a.send_bytes(texts[1]);
  EXPECT_EQ(text_of(b.recv_bytes()), texts[1]);
}

TEST(Pipe, KeepsTheBoundariesOfMessages) {
  auto [a, b] = Pipe();
  for (const char* text : {"", "one", "", "three"}) a.send_bytes(text);
  EXPECT_EQ(text_of(b.recv_bytes()), "");
  EXPECT_EQ(text_of(b.recv_bytes()), "one");
  EXPECT_EQ(text_of(b.recv_bytes()), "");
  EXPECT_EQ(text_of(b.recv_bytes()), "three");
  EXPECT_FALSE(b.poll());
}

TEST(Pipe, AMessageOfAnotherTypeIsGone) {
  auto [a, b] = Pipe();
  a.send("text");
  a.send(1);
  EXPECT_THROW(b.recv<int>(), TypeError);
  EXPECT_EQ(b.recv<int>(), 1);
  a.send_bytes("\x01\x02");
  EXPECT_THROW(b.recv<int>(), TypeError) << "two values";
  a.send_bytes("\xc1");
  EXPECT_THROW(b.recv<int>(), ProtocolError) << "no value";
  a.send_bytes("");
  EXPECT_THROW(b.recv(), ProtocolError);
  a.send(2);
  EXPECT_EQ(b.recv<int>(), 2);
}

TEST(Pipe, DeepValuesAreRefusedAndHarmless) {
  auto [a, b] = Pipe();
  std::string deep(1'000'000, '\x91');
  deep.back() = '\x01';
  std::jthread sender([&, &a = a] {
    a.send_bytes(deep);
    a.send(1);
  });
  EXPECT_THROW(b.recv(), Error);
  EXPECT_EQ(b.recv<int>(), 1);
}

TEST(Pipe, OneEndMaySendWhileItReceives) {
  auto [a, b] = Pipe();
  const std::string text(many_bytes / 4, 'x');
  std::jthread echo([&b = b] {
    for (int i = 0; i < 3; ++i) b.send_bytes(b.recv_bytes());
  });
  std::jthread sender([&, &a = a] {
    for (int i = 0; i < 3; ++i) a.send_bytes(text);
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(text_of(a.recv_bytes()), text);
}

TEST(Pipe, ProxiesAreNotSent) {
  Manager manager;
  auto [a, b] = Pipe();
  EXPECT_THROW(a.send(manager.list<int>()), ValueError);
  EXPECT_THROW(a.send(manager), TypeError);
  EXPECT_FALSE(b.poll());
}

TEST(Pipe, OverTheLimitNothingIsSent) {
  auto [a, b] = Pipe();
  const std::byte* nowhere = nullptr;
  // Refused by its size alone.
  EXPECT_THROW(a.send_bytes(std::span(nowhere, Connection::message_bytes_max + 1)), ResourceExhausted);
  a.send(1);
  EXPECT_EQ(b.recv<int>(), 1);
}

// ---- directions, and the end ----------------------------------------------------------------------------------

TEST(Pipe, SimplexGoesOneWay) {
  auto [receiver, sender] = Pipe(false);
  EXPECT_TRUE(receiver.readable());
  EXPECT_FALSE(receiver.writable());
  EXPECT_FALSE(sender.readable());
  EXPECT_TRUE(sender.writable());
  sender.send(1);
  EXPECT_EQ(receiver.recv<int>(), 1);
  EXPECT_THROW(receiver.send(1), ValueError);
  EXPECT_THROW(sender.recv<int>(), ValueError);
  EXPECT_THROW((void)sender.poll(), ValueError);
  receiver.close();
  EXPECT_THROW(sender.send(1), ConnectionError);
}

TEST(Pipe, EndOfFileComesBehindTheLastMessage) {
  auto [a, b] = Pipe();
  a.send(1);
  a.send(2);
  a.close();
  EXPECT_EQ(b.recv<int>(), 1);
  EXPECT_EQ(b.recv<int>(), 2);
  EXPECT_TRUE(b.poll(std::nullopt));
  EXPECT_THROW(b.recv<int>(), EndOfFile);
  EXPECT_THROW(b.recv<int>(), EndOfFile);
  EXPECT_THROW(b.send(1), ConnectionError);
  EXPECT_THROW(b.send(1), ConnectionError);
}

TEST(Pipe, WhatTheOtherEndLeftUnreadIsNoError) {
  auto [a, b] = Pipe();
  b.send("never read");
  a.send(1);
  a.close();
  EXPECT_EQ(b.recv<int>(), 1);
  EXPECT_THROW(b.recv<int>(), EndOfFile);
}

TEST(Pipe, ClosedItAllowsNothing) {
  auto [a, b] = Pipe();
  EXPECT_FALSE(a.closed());
  Connection moved = std::move(a);
  EXPECT_TRUE(a.closed());
  EXPECT_THROW(a.send(1), ValueError);
  EXPECT_THROW((void)a.fileno(), ValueError);
  moved.close();
  moved.close();
  EXPECT_THROW(moved.recv<int>(), ValueError);
  EXPECT_THROW((void)moved.poll(), ValueError);
  EXPECT_THROW((void)moved.readable(), ValueError);
  EXPECT_TRUE(Connection().closed());
  b = Connection();
  EXPECT_TRUE(b.closed());
}

TEST(Pipe, PollWaits) {
  auto [a, b] = Pipe();
  EXPECT_FALSE(b.poll());
  EXPECT_FALSE(b.poll(10ms));
  std::jthread sender([&a = a] { a.send(1); });
  EXPECT_TRUE(b.poll(1h));
  EXPECT_TRUE(b.poll(std::chrono::milliseconds::max()));
  EXPECT_EQ(b.recv<int>(), 1);
}

// ---- what is no message ---------------------------------------------------------------------------------------

TEST(PipeFaults, AHostileLengthIsRefused) {
  auto [a, b] = Pipe();
  write_raw(a, "\xff\xff\xff\xff");
  EXPECT_THROW(b.recv<int>(), ProtocolError);
  a.send(1);
  EXPECT_THROW(b.recv<int>(), ConnectionError) << "nothing behind it has a beginning";
  b.send(2);
  EXPECT_EQ(a.recv<int>(), 2) << "the other way is sound";
}

TEST(PipeFaults, AnnouncedMemoryIsNotTaken) {
  Child([] {
    auto [a, b] = Pipe();
    rlimit limit{};
    getrlimit(RLIMIT_AS, &limit);
    std::ifstream status("/proc/self/statm");
    std::uint64_t pages = 0;
    status >> pages;
    limit.rlim_cur = pages * 4096 + (std::uint64_t{64} << 20);
    if (setrlimit(RLIMIT_AS, &limit) != 0) return;
    write_raw(a, std::string_view("\0\0\0\x40", 4));  // 1 GiB
    write_raw(a, "a few bytes");
    a.close();
    EXPECT_THROW(b.recv<int>(), ConnectionError);
  });
}

TEST(PipeFaults, AMessageThatBreaksOff) {
  for (std::string_view begun :
       {std::string_view("\x05"), std::string_view("\x05\0\0\0", 4), std::string_view("\x05\0\0\0abc", 7)}) {
    auto [a, b] = Pipe();
    a.send(1);
    write_raw(a, begun);
    a.close();
    EXPECT_EQ(b.recv<int>(), 1);
    EXPECT_THROW(b.recv<int>(), ConnectionError);
    EXPECT_THROW(b.recv<int>(), ConnectionError);
  }
}

TEST(PipeFaults, TheSenderIsKilledWithinAMessage) {
  auto [a, b] = Pipe();
  Process sender([](Connection end) { end.send_bytes(std::string(many_bytes, 'x')); }, std::move(a));
  EXPECT_TRUE(b.poll(std::nullopt));
  sender.kill();
  sender.join();
  EXPECT_THROW(b.recv_bytes(), ConnectionError);
}

TEST(PipeFaults, TheReceiverIsKilledWithinAMessage) {
  auto [a, b] = Pipe();
  Process receiver([](Connection) { pause(); }, std::move(b));
  std::jthread killer([&] { receiver.kill(); });
  EXPECT_THROW(a.send_bytes(std::string(many_bytes, 'x')), ConnectionError);
}

TEST(PipeFaults, SignalsInterruptNothing) {
  struct sigaction action {};
  action.sa_handler = [](int) {};  // and without SA_RESTART
  struct sigaction before {};
  sigaction(SIGUSR1, &action, &before);
  auto [a, b] = Pipe();
  const std::string text(many_bytes / 4, 'y');
  std::atomic<bool> done{false};
  std::jthread sender([&, &a = a] { a.send_bytes(text); });
  std::jthread receiver([&, &b = b] {
    EXPECT_EQ(text_of(b.recv_bytes()), text);
    EXPECT_FALSE(b.poll(50ms));
    done = true;
  });
  while (!done) {  // without a pause: the more signals, the better
    pthread_kill(sender.native_handle(), SIGUSR1);
    pthread_kill(receiver.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  sender.join();
  receiver.join();
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(PipeFaults, NonBlockingSocketsBlockAllTheSame) {
  auto [a, b] = Pipe();
  for (const Connection* end : {&a, &b}) fcntl(end->fileno(), F_SETFL, O_NONBLOCK);
  const std::string text(many_bytes / 4, 'z');
  std::jthread sender([&, &a = a] { a.send_bytes(text); });
  EXPECT_EQ(text_of(b.recv_bytes()), text);
}

// ---- between processes ------------------------------------------------------------------------------------------

TEST(PipeProcesses, TheChildsEndIsGoneHere) {
  auto [here, there] = Pipe();
  Process child([](Connection end) { end.send(end.recv<int>() + 1); }, std::move(there));
  EXPECT_TRUE(there.closed());
  here.send(1);
  EXPECT_EQ(here.recv<int>(), 2);
  EXPECT_THROW(here.recv<int>(), EndOfFile) << "the child has ended, and nobody else has its end";
}

TEST(PipeProcesses, TheChildSeesItsParentHangUp) {
  auto [here, there] = Pipe();
  Process child(
      [](Connection end) {
        try {
          end.recv<int>();
        } catch (const EndOfFile&) {
          _exit(7);
        }
      },
      std::move(there));
  here.close();
  child.join();
  EXPECT_EQ(child.exit_code(), 7);
}

TEST(PipeProcesses, SiblingsHaveNoCopies) {
  auto [first, first_there] = Pipe();
  auto [second, second_there] = Pipe();
  auto echo = [](Connection end) {
    try {
      while (true) end.send(end.recv());
    } catch (const EndOfFile&) {
    }
  };
  Process one(echo, std::move(first_there));
  Process other(echo, std::move(second_there));
  first.send(1);
  EXPECT_EQ(first.recv<int>(), 1);
  first.close();
  one.join();
  EXPECT_TRUE(other.is_alive());
  second.close();
  other.join();
  EXPECT_EQ(other.exit_code(), 0);
}

TEST(PipeProcesses, AWorkerGivenEndsHasNoOthers) {
  auto [here, there] = Pipe();
  Process child(
      [&here = here](Connection end) {
        try {
          here.send(1);
        } catch (const ValueError& error) {
          end.send(error.what());
        }
      },
      std::move(there));
  EXPECT_THAT(here.recv<std::string>(), HasSubstr("the parent's"));
}

TEST(PipeProcesses, AWorkerGivenNoneHasCopiesOfAll) {
  auto [here, there] = Pipe();
  {
    Process child([&there = there] { there.send("captured"); });
    EXPECT_EQ(here.recv<std::string>(), "captured");
  }
  Process by_move([end = std::move(there)]() mutable { end.send("moved"); });
  EXPECT_EQ(here.recv<std::string>(), "moved");
  EXPECT_THROW(here.recv<std::string>(), EndOfFile);
}

TEST(PipeProcesses, SeveralEndsInOneArgument) {
  std::vector<Connection> here;
  std::vector<Connection> there;
  for (int i = 0; i < 3; ++i) {
    auto [a, b] = Pipe();
    here.push_back(std::move(a));
    there.push_back(std::move(b));
  }
  Process child(
      [](std::vector<Connection> ends) {
        for (std::size_t i = 0; i < ends.size(); ++i) ends[i].send(static_cast<int>(i));
      },
      std::move(there));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(here[static_cast<std::size_t>(i)].recv<int>(), i);
    EXPECT_THROW(here[static_cast<std::size_t>(i)].recv<int>(), EndOfFile);
  }
}

TEST(PipeProcesses, ADeferredWorkerTakesItsEndWhenItStarts) {
  auto [here, there] = Pipe();
  Process child(
      {.deferred = true}, [](Connection end) { end.send(getpid()); }, std::move(there));
  EXPECT_FALSE(here.poll());
  child.start();
  EXPECT_EQ(here.recv<pid_t>(), child.pid());
  EXPECT_THROW(here.recv<int>(), EndOfFile);
}

TEST(PipeProcesses, LargeMessagesGoThrough) {
  auto [here, there] = Pipe();
  Process child([](Connection end) { end.send_bytes(end.recv_bytes()); }, std::move(there));
  std::string text(many_bytes, 'x');
  for (std::size_t i = 0; i < text.size(); i += 4093) text[i] = static_cast<char>('a' + i % 26);
  here.send_bytes(text);
  EXPECT_EQ(text_of(here.recv_bytes()), text);
}

TEST(PipeProcesses, NothingIsLeftOpen) {
  const std::size_t before = test::open_descriptors();
  for (int i = 0; i < 10; ++i) {
    auto [a, b] = Pipe(i % 2 == 0);
    Process child([](Connection) {}, std::move(b));
  }
  EXPECT_EQ(test::open_descriptors(), before);
}

// ---- waiting for several ------------------------------------------------------------------------------------------

TEST(Wait, TellsWhichAreReady) {
  Signal may_end;
  Process worker([&] { may_end.wait(); });  // before there are ends that it could have copies of
  auto [a, a_there] = Pipe();
  auto [b, b_there] = Pipe(false);
  EXPECT_THAT(wait({a, b, worker}, 0ms), IsEmpty());
  b_there.send(1);
  EXPECT_THAT(wait({a, b, worker}), ElementsAre(1u));
  a_there.close();
  EXPECT_THAT(wait({a, b, worker}), ElementsAre(0u, 1u));
  EXPECT_EQ(b.recv<int>(), 1);
  EXPECT_THROW(a.recv<int>(), EndOfFile);
  may_end.send();
  EXPECT_THAT(wait({worker, b}, 1h), ElementsAre(0u));
}

TEST(Wait, TakesRanges) {
  std::vector<Connection> ends;
  std::vector<Connection> others;
  for (int i = 0; i < 4; ++i) {
    auto [a, b] = Pipe();
    ends.push_back(std::move(a));
    others.push_back(std::move(b));
  }
  others[2].send(0);
  EXPECT_THAT(wait(ends), ElementsAre(2u));
  std::vector<Process> workers;
  workers.emplace_back([] { pause(); });
  workers.emplace_back([] {});
  EXPECT_THAT(wait(workers), ElementsAre(1u));
  workers[0].kill();
  workers[0].join();
  EXPECT_THAT(wait(workers), ElementsAre(0u, 1u));
  EXPECT_THAT(wait(std::vector{ends[2].fileno(), ends[1].fileno()}), ElementsAre(0u));
  EXPECT_THAT(wait(std::vector<int>(), 1h), IsEmpty());
}

TEST(Wait, GivesUpAndRefuses) {
  auto [a, b] = Pipe();
  EXPECT_THAT(wait({a}, 10ms), IsEmpty());
  EXPECT_THROW(wait({-1}), ValueError);
  EXPECT_THROW(wait({a, 1'000'000}), ValueError);
  b.close();
  EXPECT_THROW(wait({b}), ValueError);
  EXPECT_THROW(wait({Process({.deferred = true}, [] {})}), ValueError);
}

}  // namespace
}  // namespace tandem
