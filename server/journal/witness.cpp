#include "server/journal/witness.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "client/os/signals.hpp"
#include "server/journal/checksum.hpp"
#include "server/journal/files.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::server {
namespace {

using Kind = StorageError::Kind;
using wire::load_little;
using wire::store_little;

constexpr std::size_t slot_checksum_at = 3 * sizeof(std::uint64_t);
constexpr std::size_t slot_bytes = 4 * sizeof(std::uint64_t);
using Slot = std::array<std::uint8_t, slot_bytes>;

std::uint64_t seed_of(const StoreId& store) {
  return checksum(store);
}

Slot encode(const LogPosition& position, std::uint64_t seed) {
  Slot slot;
  store_little(slot.data(), position.index);
  store_little(slot.data() + 8, position.chain);
  store_little(slot.data() + 16, position.batch);
  store_little(slot.data() + slot_checksum_at, checksum(wire::Bytes(slot).first(slot_checksum_at), seed));
  return slot;
}

std::optional<LogPosition> decode(wire::Bytes slot, std::uint64_t seed) {
  if (slot.size() != slot_bytes || load_little<std::uint64_t>(slot.data() + slot_checksum_at) !=
                                       checksum(slot.first(slot_checksum_at), seed))
    return std::nullopt;
  return LogPosition{.batch = load_little<std::uint64_t>(slot.data() + 16),
                     .index = load_little<std::uint64_t>(slot.data()),
                     .chain = load_little<std::uint64_t>(slot.data() + 8)};
}

}  // namespace

void Witness::create(const StoreFolder& folder, const StoreId& store, const LogPosition& position) {
  const Slot slot = encode(position, seed_of(store));
  wire::Buffer contents;
  for (std::size_t i = 0; i < slots; ++i) contents.append(slot);
  const std::string part = folder.witness_path() + ".part";
  write_file(part, contents.view());
  rename_file(part, folder.witness_path());
  sync_folder(folder.path());
}

Witness::Witness(const StoreFolder& folder, const StoreId& store) : seed_(seed_of(store)) {
  const std::string path = folder.witness_path();
  const std::optional<std::string> contents = read_file(path, slots * slot_bytes);
  if (!contents) throw StorageError(Kind::damaged, path + ": is missing");
  std::optional<LogPosition> latest;
  for (std::size_t i = 0; i < slots; ++i) {
    const std::size_t at = std::min(i * slot_bytes, contents->size());
    const std::size_t size = std::min(slot_bytes, contents->size() - at);
    const auto position = decode(wire::as_bytes(*contents).subspan(at, size), seed_);
    if (!position || (latest && latest->batch >= position->batch)) continue;
    latest = position;
    next_slot_ = (i + 1) % slots;
  }
  if (!latest) throw StorageError(Kind::damaged, path + ": is damaged, or that of another journal");
  position_ = *latest;
  file_ = open_file(path, O_WRONLY);
}

bool Witness::write(const LogPosition& position) {
  const Slot slot = encode(position, seed_);
  const auto at = static_cast<off_t>(next_slot_ * slot_bytes);
  if (::pwrite(file_.get(), slot.data(), slot.size(), at) != static_cast<ssize_t>(slot.size())) return false;
  position_ = position;
  next_slot_ = (next_slot_ + 1) % slots;
  return true;
}

}  // namespace tandem::server
