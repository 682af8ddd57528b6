#include "server/debug/target.hpp"

#include <gtest/gtest.h>

#include "server/debug/answer.hpp"

namespace tandem::server {
namespace {

int status_of(std::string_view target) {
  try {
    Target::parse(target);
  } catch (const Refused& refused) {
    return refused.status;
  }
  return 200;
}

TEST(Target, IsPathAndParameters) {
  Target target = Target::parse("/objects?type=dict&limit=7&name=a%20b+c");
  EXPECT_EQ(target.path(), "/objects");
  EXPECT_EQ(target.text("type"), "dict");
  EXPECT_EQ(target.text("name"), "a b c");
  EXPECT_EQ(target.text("cursor"), std::nullopt);
  EXPECT_EQ(target.number("limit", 1, 0, 10), 7u);
  EXPECT_EQ(target.number("cursor", 42, 0, 100), 42u);
}

TEST(Target, PathsAreDecoded) {
  EXPECT_EQ(Target::parse("/objects/a%2Fb%3F%25").path(), "/objects/a/b?%");
  EXPECT_EQ(Target::parse("/objects/1+1").path(), "/objects/1+1");
  EXPECT_EQ(Target::parse("/objects/%e7%88%b8").path(), "/objects/爸");
  EXPECT_EQ(Target::parse("/objects/%00").path(), std::string("/objects/\0", 10));
}

TEST(Target, EmptyPiecesOfAQueryAreNothing) {
  Target target = Target::parse("/objects?&&name=&");
  EXPECT_EQ(target.text("name"), "");
  EXPECT_EQ(Target::parse("/objects?name").text("name"), "");
}

TEST(Target, RefusesWhatItCannotRead) {
  for (const char* bad : {"", "objects", "http://x/", "*", "/a%", "/a%4", "/a%zz", "/a%4g", "/%ff", "/%c0%80",
                          "/?a=%", "/?%=1", "/?a=1&a=2"})
    EXPECT_EQ(status_of(bad), 400) << bad;
}

TEST(Target, RefusesNumbersThatAreNone) {
  for (const char* bad : {"", "-1", "+1", "1.5", "0x10", "10 ", "11", "99999999999999999999999999"}) {
    Target target = Target::parse("/objects?limit=" + std::string(bad));
    EXPECT_THROW((void)target.number("limit", 1, 1, 10), Refused) << bad;
  }
}

TEST(Target, NamesAnUnknownParameter) {
  try {
    Target::parse("/objects?limitt=1").allow_only({"limit", "cursor"});
    FAIL();
  } catch (const Refused& refused) {
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(refused.message, "/objects knows no parameter 'limitt'; there are: limit, cursor");
  }
}

struct GlobCase {
  std::string pattern;
  std::string text;
  bool matches;
};

TEST(Glob, MatchesAsDocumented) {
  const GlobCase cases[] = {
      {"", "", true},           {"", "a", false},         {"*", "", true},          {"*", "anything", true},
      {"a", "a", true},         {"a", "ab", false},       {"a*", "ab", true},       {"*b", "ab", true},
      {"*b", "abc", false},     {"a*c*e", "abcde", true}, {"a*c*e", "abcd", false}, {"?", "a", true},
      {"?", "", false},         {"?", "ab", false},       {"?", "爸", true},        {"a?c", "a爸c", true},
      {"\\*", "*", true},       {"\\*", "a", false},      {"\\?", "?", true},       {"\\\\", "\\", true},
      {"a\\*b*", "a*bc", true}, {"\\", "\\", true},       {"**", "", true},         {"*a*a*a", "aaa", true},
      {"*a*a*a", "aa", false},  {"*?", "", false},        {"*??", "爸爸", true},
  };
  for (const GlobCase& one : cases)
    EXPECT_EQ(matches_glob(one.pattern, one.text), one.matches) << one.pattern << " " << one.text;
}

TEST(Glob, ManyStarsAreNoTrouble) {
  std::string pattern, text(2000, 'a');
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(matches_glob(pattern + "b", text));
}

TEST(Glob, WithoutWildcardsIsLiteral) {
  std::string literal;
  EXPECT_TRUE(is_literal_glob("a\\*b\\\\", literal));
  EXPECT_EQ(literal, "a*b\\");
  EXPECT_FALSE(is_literal_glob("a*", literal));
  EXPECT_FALSE(is_literal_glob("\\\\?", literal));
}

}  // namespace
}  // namespace tandem::server
