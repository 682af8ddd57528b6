#include "server/journal/snapshot.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "client/os/signals.hpp"
#include "server/journal/checksum.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::server {
namespace {

using Kind = StorageError::Kind;
using wire::load_little;
using wire::store_little;

constexpr std::string_view snapshot_magic = "TNDMSNAP";
constexpr std::uint32_t snapshot_format = 1;
constexpr std::size_t checksum_bytes = sizeof(std::uint64_t);
constexpr std::size_t snapshot_header_bytes = 81;  // without its checksum
constexpr std::size_t size_bytes = sizeof(std::uint32_t);
constexpr std::size_t end_bytes = size_bytes + sizeof(std::uint64_t);  // without its checksum
constexpr std::uint32_t frame_bytes_max = std::uint32_t{1} << 31;      // longer is damaged
// Made durable while it is written: all of it at once would have the log's syncs wait for as long.
constexpr std::uint64_t unsynced_bytes_max = std::uint64_t{8} << 20;

std::array<std::uint8_t, snapshot_header_bytes> encode(const SnapshotHeader& header) {
  std::array<std::uint8_t, snapshot_header_bytes> bytes{};
  std::uint8_t* at = bytes.data();
  const auto put = [&](auto number) {
    store_little(at, number);
    at += sizeof number;
  };
  at = std::copy(snapshot_magic.begin(), snapshot_magic.end(), at);
  put(snapshot_format);
  put(header.semantics);
  at = std::copy(header.store.begin(), header.store.end(), at);
  for (const std::uint64_t number :
       {header.position.batch, header.position.index, header.position.chain, header.start, header.now_ns})
    put(number);
  put(static_cast<std::uint8_t>(header.level));
  return bytes;
}

/// Writes with checksums.
class SnapshotFile {
 public:
  explicit SnapshotFile(const std::string& path)
      : path_(path), file_(open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC)) {}

  /// Followed by its checksum.
  void write(wire::Bytes bytes, std::uint64_t seed) {
    write(bytes);
    std::uint8_t sum[checksum_bytes];
    store_little(sum, checksum(bytes, seed));
    write(wire::Bytes(sum));
  }
  void write(wire::Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail("cannot be written");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      unsynced_bytes_ += static_cast<std::uint64_t>(written);
    }
    if (unsynced_bytes_ > unsynced_bytes_max) sync();
  }
  void sync() {
    if (::fsync(file_.get()) != 0) fail("cannot be made durable");
    unsynced_bytes_ = 0;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw StorageError(is_shortage(errno) ? Kind::full : Kind::other,
                       path_ + ": it " + what + ": " + os::errno_text());
  }

 private:
  const std::string& path_;
  os::Descriptor file_;
  std::uint64_t unsynced_bytes_ = 0;
};

}  // namespace

void write_snapshot(const std::string& path, const SnapshotHeader& header, const Engine& engine) {
  TANDEM_ASSERT(engine.registry().is_clean());
  SnapshotFile file(path);
  file.write(encode(header), 0);
  std::uint64_t frames = 0;
  wire::Buffer buffer;
  StateWriter writer(buffer, [&](wire::Bytes piece) {
    std::uint8_t size[size_bytes];
    store_little(size, static_cast<std::uint32_t>(piece.size()));
    file.write(wire::Bytes(size));
    file.write(piece, ++frames);
  });
  engine.save(writer);
  writer.finish();
  if (!writer.failure().empty()) throw StorageError(Kind::other, path + ": " + writer.failure());
  std::array<std::uint8_t, end_bytes> end{};
  store_little(end.data() + size_bytes, frames);
  file.write(end, 0);
  file.sync();
}

// ---- reading ----------------------------------------------------------------------------------------------

SnapshotReader::SnapshotReader(const std::string& path)
    : path_(path), file_(open_file(path, O_RDONLY | O_CLOEXEC)) {
  if (!file_) throw StorageError(Kind::other, path_ + " is not there");
  read_header();
  while (!next_frame().empty()) {
  }
  std::uint8_t more = 0;
  if (::read(file_.get(), &more, 1) != 0) damaged("bytes follow its end");
}

void SnapshotReader::damaged(const std::string& what) const {
  throw StorageError(Kind::damaged, path_ + ": " + what);
}

/// Valid until the next call.
wire::Bytes SnapshotReader::read(std::size_t bytes) {
  buffer_.clear();
  std::uint8_t* at = buffer_.extend(bytes);
  for (std::size_t got = 0; got != bytes;) {
    const ssize_t count = ::read(file_.get(), at + got, bytes - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) damaged("it cannot be read: " + os::errno_text());
    if (count == 0) damaged("its end is missing");
    got += static_cast<std::size_t>(count);
  }
  bytes_ += bytes;
  return buffer_.view();
}

void SnapshotReader::read_header() {
  const wire::Bytes bytes = read(snapshot_header_bytes + checksum_bytes);
  const std::uint8_t* at = bytes.data() + snapshot_magic.size();
  const auto take = [&](auto& number) {
    number = load_little<std::remove_reference_t<decltype(number)>>(at);
    at += sizeof number;
  };
  if (!wire::as_text(bytes).starts_with(snapshot_magic) ||
      load_little<std::uint64_t>(bytes.data() + snapshot_header_bytes) !=
          checksum(bytes.first(snapshot_header_bytes), 0))
    damaged("its beginning is damaged");
  std::uint32_t format = 0;
  take(format);
  if (format != snapshot_format)
    throw StorageError(Kind::other, path_ + ": its format is " + std::to_string(format) +
                                        ", and this program reads " + std::to_string(snapshot_format));
  take(header_.semantics);
  std::copy_n(at, header_.store.size(), header_.store.begin());
  at += header_.store.size();
  take(header_.position.batch);
  take(header_.position.index);
  take(header_.position.chain);
  take(header_.start);
  take(header_.now_ns);
  header_.level = static_cast<JournalLevel>(*at);
}

/// Empty at the end.
wire::Bytes SnapshotReader::next_frame() {
  if (is_at_end_) return {};
  const auto size = load_little<std::uint32_t>(read(size_bytes).data());
  if (size > frame_bytes_max) damaged("a frame of it is too long");
  if (size == 0) {
    std::array<std::uint8_t, end_bytes> end{};
    const wire::Bytes rest = read(sizeof(std::uint64_t) + checksum_bytes);
    std::copy_n(rest.begin(), sizeof(std::uint64_t), end.begin() + size_bytes);
    if (load_little<std::uint64_t>(rest.data()) != frames_ ||
        load_little<std::uint64_t>(rest.data() + sizeof(std::uint64_t)) != checksum(end, 0))
      damaged("its end is damaged");
    is_at_end_ = true;
    return {};
  }
  const wire::Bytes frame = read(std::size_t{size} + checksum_bytes);
  if (load_little<std::uint64_t>(frame.data() + size) != checksum(frame.first(size), ++frames_))
    damaged("frame " + std::to_string(frames_) + " of it is damaged");
  return frame.first(size);
}

StateReader::Source SnapshotReader::source() {
  if (::lseek(file_.get(), snapshot_header_bytes + checksum_bytes, SEEK_SET) < 0)
    damaged("it cannot be read: " + os::errno_text());
  frames_ = 0;
  is_at_end_ = false;
  return [this] { return next_frame(); };
}

}  // namespace tandem::server
