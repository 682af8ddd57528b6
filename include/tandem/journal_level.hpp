#pragma once
// How safe a journal keeps things.

#include "tandem/cxx20.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tandem {

/// What a reply waits for if there is a journal, and so what survives. Each level includes those before it.
enum class JournalLevel : std::uint8_t {
  relaxed,  // nothing: what is lost is at most the last second before a power failure, and the last moment before kill -9
  process,  // the kernel has the change: nothing acknowledged is lost if the manager is killed
  disk,     // the disk has it: nothing acknowledged is lost if the power fails
};

/// Name of a level as flags and the debug endpoint say it.
constexpr std::string_view name_of(JournalLevel level) {
  constexpr std::string_view names[] = {"relaxed", "process", "disk"};
  return names[static_cast<std::size_t>(level)];
}

}  // namespace tandem
