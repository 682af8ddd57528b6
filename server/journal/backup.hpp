#pragma once
// Copies a journal, also while it is in use.

#include <string>

#include "server/journal/log.hpp"

namespace tandem::server {

/// Copies the journal in `folder` to `to`, which must not exist and is made for this user only. The copy has everything that
/// was synced before, and perhaps some of what follows; it was read again, and is durable on return. Returns its end.
/// Throws JournalError, JournalDamaged.
LogPosition back_up(const std::string& folder, const std::string& to);

}  // namespace tandem::server
