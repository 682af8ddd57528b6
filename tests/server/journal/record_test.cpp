// Records: written, read, and distrusted.
#include "server/journal/record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace tandem::server {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t most_pid = std::numeric_limits<std::uint32_t>::max();

template <class Input>
wire::Buffer written(const Input& input) {
  wire::Buffer batch;
  RecordWriter().write(batch, input);
  return batch;
}
template <class Input>
Input read_back(const Input& input) {
  const wire::Buffer batch = written(input);
  RecordReader reader(batch.view());
  Record record;
  EXPECT_TRUE(reader.next(record)) << reader.failure();
  Record none;
  EXPECT_FALSE(reader.next(none));
  EXPECT_EQ(reader.failure(), "");
  return std::get<Input>(record);
}

StartRecord start_record() {
  StartRecord record{{{"1.2.3", "00ff", most_pid, -1, 0, false}, {}, most, 7},
                     3,
                     12,
                     JournalLevel::process,
                     {"counter", ""}};
  record.input.limits.memory_bytes_max = most;
  return record;
}

TEST(Records, AreReadAsTheyWereWritten) {
  const std::string text = "\x93\x01\x02\x03";
  wire::Buffer batch;
  Call wanted{most, most_pid, most, 0xffff, wire::as_bytes(text), most, most};
  wanted.sent_as = {most_pid, most_pid - 1};
  wanted.flags = wire::flag_again;
  RecordWriter().write(batch, wanted);
  Record record;
  ASSERT_TRUE(RecordReader(batch.view()).next(record));
  const auto& call = std::get<Call>(record);
  EXPECT_EQ(call.session, most);
  EXPECT_EQ(call.actor, most_pid);
  EXPECT_EQ(call.object, most);
  EXPECT_EQ(call.op, 0xffff);
  EXPECT_EQ(wire::as_text(call.arguments), text);
  EXPECT_EQ(call.token, most);
  EXPECT_EQ(call.now_ns, most);
  EXPECT_EQ(call.sent_as, wanted.sent_as);
  EXPECT_EQ(std::tuple(call.is_one_way(), call.is_again(), call.has_read_all()),
            std::tuple(false, true, false));

  EXPECT_EQ(read_back(Cancel{most, 5}).ticket, most);
  EXPECT_EQ(read_back(Cancel{1, most}).now_ns, most);
  EXPECT_EQ(read_back(Tick{77}).now_ns, 77u);
  SessionOpened from{1, most, 5, {most_pid, {}, "unix:/a", most_pid, "boot 12"}, true};
  from.client.secret_hash.fill(0xab);
  const SessionOpened opened = read_back(from);
  EXPECT_EQ(std::tuple(opened.session, opened.inherits_from, opened.now_ns, opened.has_lanes),
            std::tuple(1u, most, 5u, true));
  EXPECT_EQ(std::tuple(opened.client.pid, opened.client.secret_hash, opened.client.address, opened.client.uid,
                       opened.client.process),
            std::tuple(most_pid, from.client.secret_hash, "unix:/a", most_pid, "boot 12"));
  EXPECT_EQ(read_back(SessionOpened{1, 2, 3}).client.uid, std::nullopt);
  const SessionIdentified identified = read_back(SessionIdentified{2, 9, "boot 9", 6});
  EXPECT_EQ(std::tuple(identified.session, identified.pid, identified.process, identified.now_ns),
            std::tuple(2u, 9u, "boot 9", 6u));
  EXPECT_EQ(read_back(LaneOpened{most, 1}).session, most);
  const LaneEnded ended = read_back(LaneEnded{most, most_pid, 1});
  EXPECT_EQ(std::tuple(ended.session, ended.lane), std::tuple(most, most_pid));
  const Acknowledged acknowledged = read_back(Acknowledged{most, {most_pid, 7}, 1});
  EXPECT_EQ(std::tuple(acknowledged.session, acknowledged.sent_as),
            std::tuple(most, LaneRequest{most_pid, 7}));
  EXPECT_EQ(read_back(SessionClosed{most, 1}).session, most);
  EXPECT_EQ(read_back(StopRecord{8}).now_ns, 8u);
  EXPECT_EQ(read_back(CheckRecord{most}).effects, most);
}

TEST(Records, OfAStartHaveFactsLimitsAndTypes) {
  const StartRecord wanted = start_record();
  const StartRecord read = read_back(wanted);
  EXPECT_EQ(std::tuple(read.start, read.semantics, read.level, read.input.skip, read.input.now_ns),
            std::tuple(3u, 12u, JournalLevel::process, 7u, most));
  const ServerInfo& info = read.input.server_info;
  EXPECT_EQ(std::tuple(info.version, info.incarnation_hex, info.pid, info.started_ms, info.refuse_deadlocks),
            std::tuple("1.2.3", "00ff", most_pid, -1, false));
  for (const LimitDescription& limit : limit_descriptions)
    EXPECT_EQ(read.input.limits.*limit.member, wanted.input.limits.*limit.member) << limit.name;
  EXPECT_EQ(read.types, wanted.types);
}

TEST(Records, HaveTheTimeSinceTheOneBefore) {
  wire::Buffer batch;
  RecordWriter writer;
  for (const std::uint64_t now_ns : {5'000'000'000u, 5'000'000'001u, 5'000'000'001u})
    writer.write(batch, Tick{now_ns});
  EXPECT_EQ(batch.size(), 3u + 8u + 3u + 3u);
  RecordReader reader(batch.view());
  for (const std::uint64_t now_ns : {5'000'000'000u, 5'000'000'001u, 5'000'000'001u}) {
    Record record;
    ASSERT_TRUE(reader.next(record));
    EXPECT_EQ(std::get<Tick>(record).now_ns, now_ns);
  }
}

TEST(Records, ARecordThatIsTakenBackLeavesNoTrace) {
  wire::Buffer with, without;
  RecordWriter writer, other;
  writer.write(with, Tick{10});
  other.write(without, Tick{10});
  const std::size_t mark = with.size();
  const std::uint64_t last_ns = writer.last_ns();
  writer.write(with, Tick{30});
  with.truncate(mark);
  writer.continue_from(last_ns);
  writer.write(with, Tick{20});
  other.write(without, Tick{20});
  EXPECT_EQ(wire::as_text(with.view()), wire::as_text(without.view()));
}

TEST(Records, ThatAreCutShortAreNone) {
  const wire::Buffer batches[] = {written(Call{1, 2, 3, 4, wire::as_bytes("\x91\x05"), 6, 7}),
                                  written(Cancel{1000, 5}),
                                  written(SessionOpened{1, 2, 3, {4, {}, "a", 5, "b"}, true}),
                                  written(LaneOpened{1, 2}),
                                  written(LaneEnded{1, 2, 3}),
                                  written(Acknowledged{1, {2, 3}, 4}),
                                  written(start_record()),
                                  written(CheckRecord{most})};
  for (const wire::Buffer& whole : batches) {
    for (std::size_t size = 1; size < whole.size(); ++size) {
      RecordReader reader(whole.view().first(size));
      Record record;
      EXPECT_FALSE(reader.next(record)) << size;
      EXPECT_THAT(reader.failure(), HasSubstr("no record that is known"));
      EXPECT_FALSE(reader.next(record));
    }
  }
}

/// Whatever the bytes are: it ends, and nothing is read beyond them.
TEST(Records, DamagedOnesEndInAFailureOrInOtherRecords) {
  wire::Buffer whole;
  RecordWriter writer;
  writer.write(whole, start_record());
  writer.write(whole, Call{1, 2, 3, 4, wire::as_bytes("\x91\x05"), 6, most});
  writer.write(whole, CheckRecord{1});
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      const std::string bytes(wire::as_text(whole.view()));
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      RecordReader reader(wire::as_bytes(damaged));
      Record record;
      int records = 0;
      while (reader.next(record)) ++records;
      EXPECT_LE(records, static_cast<int>(bytes.size()));
    }
  }
}

TEST(Records, UnknownOnesAndFieldsTooManyAreRefused) {
  for (const std::string_view bytes : {"\x92\x09\x01", "\x93\x03\x01\x01", "\x90", "\xc0", "\x92\xa1x\x01"}) {
    RecordReader reader(wire::as_bytes(bytes));
    Record record;
    EXPECT_FALSE(reader.next(record));
    EXPECT_NE(reader.failure(), "");
  }
}

TEST(Records, CanBeReadByPeople) {
  EXPECT_EQ(to_text(Call{3, 1, 17, 4, wire::as_bytes("\x90"), 0, 0}),
            "session 3 thread 1 calls operation 4 of object 17, 1 bytes of arguments");
  EXPECT_THAT(to_text(start_record()), HasSubstr("start 3: tandem 1.2.3, semantics 12"));
}

}  // namespace
}  // namespace tandem::server
