#pragma once
// Small files of a journal. All functions throw StorageError; a file that they create is for this user alone.
// No file that SQLite has open may be passed to them: closing any descriptor of a file ends the locks that the
// process has on it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "client/os/descriptor.hpp"
#include "tandem/wire/buffer.hpp"

namespace tandem::server {

/// An error of the file system or of SQLite, classed by what follows from it. The text begins with the file's
/// path.
class StorageError : public std::runtime_error {
 public:
  enum class Kind : std::uint8_t {
    full,     // no room, or no descriptor: the same may be tried again
    damaged,  // what is there cannot be read, or cannot be what was written
    in_use,   // another process, or another part of this one, has it open
    other,
  };
  StorageError(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

/// Whether this errno says that there is no room, or no descriptor, and nothing else is wrong.
bool is_shortage(int error);
/// Returns an invalid descriptor if the file does not exist and `flags` do not create it.
os::Descriptor open_file(const std::string& path, int flags);
/// Returns at most the first `bytes_max` bytes; nullopt if the file does not exist.
std::optional<std::string> read_file(const std::string& path, std::size_t bytes_max);
/// Creates or overwrites the file. Its contents are durable on return, its entry in the folder is not.
void write_file(const std::string& path, wire::Bytes contents);
/// Cuts so many bytes off the file's end. Returns false if it does not have more than that.
bool shorten_file(const std::string& path, std::uint64_t bytes);
/// Returns whether the file existed.
bool remove_file(const std::string& path);
void rename_file(const std::string& from, const std::string& to);
bool exists(const std::string& path);

/// Makes the entries of a folder durable.
void sync_folder(const std::string& path);

}  // namespace tandem::server
