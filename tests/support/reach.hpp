#pragma once
// The ways to reach a manager, named in this one place: suites are instantiated for them, and tests/CMakeLists.txt
// registers a CTest test for each by reading this table. Columns: name, and what is between client and engine.
//
//   none      the engine itself, without a server
//   channel   a server in the test's own process
//   kernel    a channel that another process can use, too

#include <array>
#include <cstdint>
#include <ostream>
#include <string_view>
#include <vector>

namespace tandem::test {

#define TANDEM_REACHES(REACH) \
  REACH(engine, none)         \
  REACH(in_process, channel)  \
  REACH(ring, kernel)         \
  REACH(unix_socket, kernel)  \
  REACH(tcp, kernel)

#define TANDEM_NAME(name, between) name,
enum class Reach : std::uint8_t { TANDEM_REACHES(TANDEM_NAME) };
#undef TANDEM_NAME

enum class Between : std::uint8_t { none, channel, kernel };

struct ReachRow {
  Reach reach;
  std::string_view name;
  Between between;
};

#define TANDEM_ROW(name, between) ReachRow{Reach::name, #name, Between::between},
inline constexpr auto reach_table = std::to_array<ReachRow>({TANDEM_REACHES(TANDEM_ROW)});
#undef TANDEM_ROW

constexpr std::string_view name_of(Reach reach) {
  return reach_table[static_cast<std::size_t>(reach)].name;
}
inline void PrintTo(Reach reach, std::ostream* out) {
  *out << name_of(reach);
}

/// Those with at least this much between client and engine.
inline std::vector<Reach> reaches(Between least) {
  std::vector<Reach> found;
  for (const ReachRow& row : reach_table)
    if (row.between >= least) found.push_back(row.reach);
  return found;
}

}  // namespace tandem::test
