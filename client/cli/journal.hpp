#pragma once
// `tandem journal`: looks into a journal's folder without a manager, which must not be using it (but for backup).
// Results are written to standard output; failures are exceptions.

#include <cstdint>
#include <string>

namespace tandem::client {

struct DumpRequest {
  std::string folder;
  std::uint64_t from = 1;  // index of the first input shown
  bool raw =
      false;  // without replaying it: operations have no names, and damage in what inputs lead to is not found
};

/// Prints a line for each record, or a JSON document per line: {"index", "time_ns", "batch", "text"}. Ends at what is
/// damaged, which the exception names.
void dump_journal(const DumpRequest& request, bool json);
/// Reads and replays everything, and prints what it leads to. Throws JournalDamaged, which names the first batch that is
/// damaged, and what to do.
void verify_journal(const std::string& folder, bool json);
/// Removes the batch with this number and all that follow.
void cut_journal(const std::string& folder, std::uint64_t batch, bool json);
/// Copies the journal to a new folder, also while a manager uses it: everything that was safe on the disk when the copy began.
void back_up_journal(const std::string& folder, const std::string& to, bool json);

}  // namespace tandem::client
