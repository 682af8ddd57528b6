// /objects and /objects/{name-or-id} over a real engine.

#include <gmock/gmock.h>

#include "server/debug/content.hpp"
#include "tests/server/debug/fixture.hpp"

namespace tandem::server {
namespace {

using nlohmann::json;

class DebugObjectsTest : public DebugTest {
 protected:
  std::vector<std::uint64_t> ids_of(const json& page) {
    std::vector<std::uint64_t> ids;
    for (const json& object : page["objects"]) ids.push_back(object["id"]);
    return ids;
  }
  /// Every object that a search gives, page after page.
  std::vector<std::uint64_t> all_ids(const std::string& parameters) {
    std::vector<std::uint64_t> ids;
    for (json cursor = 0; !cursor.is_null();) {
      json page = get("/objects?" + parameters + "&cursor=" + cursor.dump());
      for (std::uint64_t id : ids_of(page)) ids.push_back(id);
      cursor = page["next_cursor"];
    }
    return ids;
  }
  /// Everything in an object, page after page.
  json all_elements(const std::string& object, const std::string& field, std::uint64_t limit,
                    int* pages = nullptr) {
    json all = json::array();
    for (json offset = 0; !offset.is_null();) {
      json page = get("/objects/" + object + "?limit=" + std::to_string(limit) + "&offset=" + offset.dump());
      EXPECT_EQ(page["offset"], offset);
      EXPECT_EQ(page["count"], page[field].size());
      EXPECT_LE(page[field].size(), limit);
      for (const json& one : page[field]) all.push_back(one);
      offset = page["next_offset"];
      if (pages != nullptr) ++*pages;
    }
    return all;
  }
};

TEST_F(DebugObjectsTest, AnObjectIsListed) {
  ObjectId id = create("dict", "scores", {{{"a", 1}, {"b", 2}}});
  json page = get("/objects");
  ASSERT_EQ(page["objects"].size(), 1u);
  json object = page["objects"][0];
  EXPECT_GT(object["memory_bytes"].get<std::uint64_t>(), 0u);
  object.erase("memory_bytes");
  EXPECT_EQ(object, (json{{"id", id},
                          {"name", "scores"},
                          {"type", "dict"},
                          {"size", 2},
                          {"references", 1},
                          {"path", "/objects/id:" + std::to_string(id)}}));
  EXPECT_EQ(page["next_cursor"], nullptr);
}

TEST_F(DebugObjectsTest, WithoutObjectsTheListIsEmpty) {
  EXPECT_EQ(get("/objects"), (json{{"objects", json::array()}, {"next_cursor", nullptr}}));
}

TEST_F(DebugObjectsTest, TheListComesByPages) {
  std::vector<std::uint64_t> made;
  for (int i = 0; i < 25; ++i) made.push_back(create("list", std::nullopt));
  json page = get("/objects?limit=10");
  EXPECT_EQ(ids_of(page), std::vector<std::uint64_t>(made.begin(), made.begin() + 10));
  EXPECT_EQ(page["next_cursor"], made[9]);
  EXPECT_EQ(page["objects"][0]["name"], nullptr);
  EXPECT_EQ(all_ids("limit=10"), made);
  EXPECT_EQ(all_ids("limit=25"), made);
  EXPECT_EQ(get("/objects?limit=25")["next_cursor"], nullptr);
}

TEST_F(DebugObjectsTest, TheListIsFiltered) {
  ObjectId a = create("dict", "team/a");
  ObjectId b = create("list", "team/b");
  ObjectId c = create("dict", "te*m");
  ObjectId unnamed = create("dict", std::nullopt);
  EXPECT_EQ(all_ids("type=dict"), (std::vector<std::uint64_t>{a, c, unnamed}));
  EXPECT_EQ(all_ids("name=team/*"), (std::vector<std::uint64_t>{a, b}));
  EXPECT_EQ(all_ids("name=te*"), (std::vector<std::uint64_t>{a, b, c}));
  EXPECT_EQ(all_ids("name=te%5C*m"), (std::vector<std::uint64_t>{c}));
  EXPECT_EQ(all_ids("name=team%2Fb"), (std::vector<std::uint64_t>{b}));
  EXPECT_EQ(all_ids("name=team/b&type=dict"), (std::vector<std::uint64_t>{}));
  EXPECT_EQ(all_ids("name=nobody"), (std::vector<std::uint64_t>{}));
  EXPECT_EQ(all_ids("name=*&type=list&limit=1"), (std::vector<std::uint64_t>{b}));
  EXPECT_THAT(error("/objects?type=dikt", 400),
              ::testing::StartsWith(
                  "there is no hosted type 'dikt'; there are: dict, list, set, namespace, value, array"));
}

TEST_F(DebugObjectsTest, ASearchGoesOnOverManyObjects) {
  const std::size_t count = 2 * objects_per_question_max + 10;
  for (std::size_t i = 0; i < count; ++i) create("value", std::nullopt, {1});
  ObjectId last = create("dict", "last");
  EXPECT_EQ(all_ids("name=l*t"), (std::vector<std::uint64_t>{last}));
  EXPECT_EQ(all_ids("limit=1000").size(), count + 1);
}

TEST_F(DebugObjectsTest, ADictShowsItsEntriesInOrder) {
  create("dict", "d", {{{"$map", {{"z", 1}, {"a", {1, 2}}, {17, {{"x", nullptr}}}}}}});
  json d = get("/objects/d");
  EXPECT_EQ(d["name"], "d");
  EXPECT_EQ(d["type"], "dict");
  EXPECT_EQ(d["size"], 3);
  EXPECT_EQ(d["entries"], (json{{"z", 1}, {"a", {1, 2}}, {17, {{"x", nullptr}}}}));
  EXPECT_EQ(d["next_offset"], nullptr);
}

TEST_F(DebugObjectsTest, EveryTypeShowsItsContents) {
  create("list", "l", {{1, "two", nullptr}});
  create("set", "s", {{3, 1, 2}});
  create("namespace", "n", {{{"x", 1}}});
  create("value", "v", {4.5});
  create("array", "a", {"i", 3});
  EXPECT_EQ(get("/objects/l")["items"], (json{1, "two", nullptr}));
  EXPECT_EQ(get("/objects/s")["items"], (json{3, 1, 2}));
  EXPECT_EQ(get("/objects/n")["entries"], (json::array({{"x", 1}})));
  EXPECT_EQ(get("/objects/v")["items"], (json{4.5}));
  EXPECT_EQ(get("/objects/a")["items"], (json{0, 0, 0}));
  EXPECT_EQ(get("/objects/id:1")["type"], "manager");
}

TEST_F(DebugObjectsTest, OddKeysAndValuesAreUnambiguous) {
  ObjectId inner = create("list", std::nullopt);
  json reference = {{"$ref", inner}, {"$type", "list"}};
  json bytes = {{"$bytes", "AAEC"}};
  json tuple = {{"$tuple", {1, "x"}}};
  json big = {{"$int", "123456789012345678901234567890"}};
  json escaped = {{"$map", json::array({{"$bytes", 1}})}};
  json set = {{"$set", {1, 2}}};
  json entries = {{0.25, nullptr},     {bytes, bytes}, {tuple, set}, {big, reference},
                  {"$bytes", escaped}, {true, big},    {"", ""},     {"爸爸\n\"", {{"$float", "nan"}}}};
  create("dict", "odd", {{{"$map", entries}}});
  EXPECT_EQ(get("/objects/odd")["entries"], entries);
}

TEST_F(DebugObjectsTest, ObjectsAreFoundByNameOrId) {
  ObjectId slash = create("dict", "a/b c?");
  ObjectId number = create("list", "17");
  ObjectId like_id = create("set", "id:17");
  EXPECT_EQ(get("/objects/a%2Fb%20c%3F")["id"], slash);
  EXPECT_EQ(get("/objects/a/b%20c%3f")["id"], slash);
  EXPECT_EQ(get("/objects/17")["id"], number);
  EXPECT_EQ(get("/objects/id:17?by=name")["id"], like_id);
  EXPECT_EQ(get("/objects/id:" + std::to_string(number))["name"], "17");
  EXPECT_EQ(get("/objects/" + std::to_string(number) + "?by=id")["name"], "17");
}

TEST_F(DebugObjectsTest, ObjectsThatAreNotThereAreNotFound) {
  EXPECT_EQ(error("/objects/nobody", 404), "no object is named 'nobody'");
  EXPECT_EQ(error("/objects/", 404), "no object is named ''");
  EXPECT_EQ(error("/objects/id:99", 404), "there is no object with the id 99");
  EXPECT_EQ(error("/objects/id:0", 404), "there is no object with the id 0");
  EXPECT_EQ(error("/objects/99", 404),
            "no object is named '99'; the object with that id would be /objects/id:99");
  EXPECT_EQ(error("/objects/id:18446744073709551616", 404), "no object is named 'id:18446744073709551616'");
  error("/objects/x?by=id", 400);
  error("/objects/x?by=color", 400);
  error("/objects/x?limit=0", 400);
  error("/objects/x?limit=1001", 400);
  error("/objects/x?offset=-1", 400);
}

TEST_F(DebugObjectsTest, ContentsComeByPages) {
  json items = json::array();
  for (int i = 0; i < 25; ++i) items.push_back(i);
  create("list", "l", {items});
  create("set", "s", {items});
  EXPECT_EQ(get("/objects/l?limit=10")["next_offset"], 10);
  EXPECT_EQ(all_elements("l", "items", 10), items);
  EXPECT_EQ(all_elements("s", "items", 7), items);
  EXPECT_EQ(all_elements("l", "items", 25), items);
  json behind = get("/objects/l?offset=25");
  EXPECT_EQ(behind["next_cursor"], nullptr);
  EXPECT_EQ(behind["items"], json::array());
  EXPECT_EQ(behind["next_offset"], nullptr);
  EXPECT_EQ(get("/objects/l?offset=18446744073709551615")["items"], json::array());
  EXPECT_EQ(get("/objects/s?offset=18446744073709551615")["items"], json::array());
}

TEST_F(DebugObjectsTest, PagesOfADictWithGapsAreWhole) {
  json entries = json::array();
  for (int i = 0; i < 50; ++i) entries.push_back({i, i});
  ObjectId id = create("dict", "d", {{{"$map", entries}}});
  json left = json::array();
  for (int i = 0; i < 50; ++i) {
    if (i % 3 == 0) call<ops::Dict::Erase>(id, {i});
    else left.push_back({i, i});
  }
  EXPECT_EQ(all_elements("d", "entries", 10), left);
}

TEST_F(DebugObjectsTest, LargeOffsetsBetweenGapsAreCountedOff) {
  const std::uint64_t count = 3 * Content::elements_skipped_max;
  json items = json::array();
  for (std::uint64_t i = 0; i < count; ++i) items.push_back(i);
  ObjectId id = create("set", "s", {items});
  call<ops::Set::Erase>(id, {1});
  for (std::uint64_t offset :
       {Content::elements_skipped_max - 1, Content::elements_skipped_max, Content::elements_skipped_max + 1,
        2 * Content::elements_skipped_max, count - 2}) {
    json page = get("/objects/s?limit=2&offset=" + std::to_string(offset));
    ASSERT_GE(page["items"].size(), 1u) << offset;
    EXPECT_EQ(page["items"][0], offset + 1);
  }
  EXPECT_EQ(get("/objects/s?offset=" + std::to_string(count - 1))["items"], json::array());
}

TEST_F(DebugObjectsTest, ByCursorAnEntryIsSeenOnceWhateverChanges) {
  json entries = json::array();
  for (int i = 0; i < 30; ++i) entries.push_back({i, i});
  ObjectId id = create("dict", "d", {{{"$map", entries}}});
  json page = get("/objects/d?limit=10&cursor=0");
  EXPECT_EQ(page["offset"], nullptr);
  EXPECT_EQ(page["next_offset"], nullptr);
  for (int i = 0; i < 5; ++i) call<ops::Dict::Erase>(id, {i});
  page = get("/objects/d?limit=10&cursor=" + page["next_cursor"].dump());
  EXPECT_EQ(page["entries"][0], (json{10, 10}));
  page = get("/objects/d?limit=10&cursor=" + page["next_cursor"].dump());
  EXPECT_EQ(page["entries"][9], (json{29, 29}));
  EXPECT_EQ(page["next_cursor"], nullptr);
  error("/objects/d?cursor=1&offset=1", 400);
}

TEST_F(DebugObjectsTest, ADictOfAMillionEntriesIsShownByPages) {
  wire::Buffer encoded;
  wire::Writer writer(encoded);
  writer.array(1);
  writer.map(1'000'000);
  for (std::int64_t i = 0; i < 1'000'000; ++i) {
    writer.integer(i);
    writer.integer(-i);
  }
  ObjectId id = create("dict", "big");
  call_encoded<ops::Dict::Update>(id, encoded.view());
  EXPECT_EQ(get("/objects/big?limit=2")["entries"], (json{{0, 0}, {1, -1}}));
  json page = get("/objects/big?offset=999998");
  EXPECT_EQ(page["entries"], (json{{999998, -999998}, {999999, -999999}}));
  EXPECT_EQ(page["next_offset"], nullptr);
}

TEST_F(DebugObjectsTest, APageEndsEarlyBehindManyBytes) {
  const std::string kilobyte(1024, 'x');
  json items = json::array();
  for (int i = 0; i < 600; ++i) items.push_back(kilobyte + std::to_string(i));
  create("list", "l", {items});
  int pages = 0;
  EXPECT_EQ(all_elements("l", "items", 1000, &pages), items);
  EXPECT_EQ(pages, 3);
}

TEST_F(DebugObjectsTest, AHugeValueIsShownByItsSize) {
  const std::string huge(page_bytes_max + 1, 'x');
  json entries = json::array({{"a", 1}, {"b", huge}, {huge, {1, huge}}, {"c", 2}});
  create("dict", "d", {{{"$map", entries}}});
  const std::size_t header = 5;  // tag and length of a long text
  json huge_json = {{"$truncated", huge.size() + header}, {"$kind", "text"}};
  json list_json = {{"$truncated", huge.size() + header + 2}, {"$kind", "array"}};
  EXPECT_EQ(all_elements("d", "entries", 100),
            (json::array({{"a", 1}, {"b", huge_json}, {huge_json, list_json}, {"c", 2}})));
}

}  // namespace
}  // namespace tandem::server
