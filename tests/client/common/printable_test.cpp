// What others chose, made safe for log files and terminals.
#include "client/common/printable.hpp"

#include <gtest/gtest.h>

namespace tandem::client {
namespace {

TEST(Printable, OrdinaryTextOfAnyScriptStays) {
  const std::string text = R"(a "quoted" \ name, größer, 日本, 😀)";
  EXPECT_EQ(printable(text), text);
}

TEST(Printable, NothingEndsALineOrMovesACursor) {
  EXPECT_EQ(printable("a\nb\rc\td"), R"(a\nb\rc\td)");
  EXPECT_EQ(printable("\x1b[2J\x7f"), R"(\u001b[2J\u007f)");
  EXPECT_EQ(printable(std::string_view("\0", 1)), R"(\u0000)");
  EXPECT_EQ(printable("\u009b2J\u0085"), R"(\u009b2J\u0085)") << "C1, which terminals obey too";
  EXPECT_EQ(printable_lines("a\nb\x1b\n"), "a\nb\\u001b\n");
}

TEST(Printable, NothingReordersWhatIsShown) {
  EXPECT_EQ(printable("\u202e\u2066\u200f\u2028"), R"(\u202e\u2066\u200f\u2028)");
}

TEST(Printable, BytesThatAreNoTextAreShownAsSuch) {
  EXPECT_EQ(printable("\xff\x9b x"), R"(\xff\x9b x)");
  EXPECT_EQ(printable("\xc3"), R"(\xc3)") << "cut short";
  EXPECT_EQ(printable("\xc0\x8a"), R"(\xc0\x8a)") << "a line feed in too many bytes";
  EXPECT_EQ(printable("\xed\xa0\x80"), R"(\xed\xa0\x80)") << "half a surrogate pair";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), R"(\xf4\x90\x80\x80)") << "beyond Unicode";
}

}  // namespace
}  // namespace tandem::client
