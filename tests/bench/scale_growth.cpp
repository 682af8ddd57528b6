// What single steps of the engine take as what is held grows, and the longest of them while it grows and goes.

#include <random>

#include "scale.hpp"
#include "scale_engine.hpp"

namespace bench {
namespace {

using namespace tandem;
using server::ObjectId;
using wire::Writer;

constexpr std::string_view system_name = "tandem-engine";
constexpr std::size_t samples_per_point = 20'000;

void set(BareEngine& engine, ObjectId dict, std::uint64_t key) {
  engine.call<ops::Dict::Set>(dict, 2, [&](Writer& to) {
    to.unsigned_integer(key);
    to.unsigned_integer(key);
  });
}
void get(BareEngine& engine, ObjectId dict, std::uint64_t key) {
  engine.call<ops::Dict::At>(dict, 1, [&](Writer& to) { to.unsigned_integer(key); });
}

void measure_entries(const ScaleOptions& options) {
  BareEngine engine;
  std::mt19937_64 random(1);
  const ObjectId dict = engine.make<ops::Dict>();
  std::uint64_t held = 0;
  for (std::uint64_t entries = 1'000; entries <= options.at_most(10'000'000, 100'000); entries *= 10) {
    for (; held < entries; ++held) set(engine, dict, held);
    Samples gets, sets;
    for (std::size_t i = 0; i < samples_per_point; ++i)
      gets.time([&] { get(engine, dict, random() % entries); });
    for (std::size_t i = 0; i < samples_per_point; ++i)
      sets.time([&] { set(engine, dict, random() % entries); });
    print_point("dict_get_by_entries", system_name, "entries", entries, gets);
    print_point("dict_set_by_entries", system_name, "entries", entries, sets);
  }
}

void measure_objects(const ScaleOptions& options) {
  BareEngine engine;
  std::mt19937_64 random(2);
  std::vector<ObjectId> dicts;
  for (std::uint64_t objects = 100; objects <= options.at_most(1'000'000, 10'000); objects *= 10) {
    while (dicts.size() < objects) {
      dicts.push_back(engine.make<ops::Dict>());
      set(engine, dicts.back(), 1);
    }
    Samples gets, creations;
    for (std::size_t i = 0; i < samples_per_point; ++i)
      gets.time([&] { get(engine, dicts[random() % objects], 1); });
    for (std::size_t i = 0; i < samples_per_point; ++i)
      creations.time([&] { engine.release(engine.make<ops::Dict>()); });
    print_point("dict_get_by_objects", system_name, "objects", objects, gets);
    print_point("create_drop_by_objects", system_name, "objects", objects, creations);
  }
}

void insert(BareEngine& engine, ObjectId list, std::uint64_t index) {
  engine.call<ops::List::Insert>(list, 2, [&](Writer& to) {
    to.unsigned_integer(index);
    to.unsigned_integer(index);
  });
}
void erase(BareEngine& engine, ObjectId list, std::uint64_t index) {
  engine.call<ops::List::Erase>(list, 1, [&](Writer& to) { to.unsigned_integer(index); });
}

void measure_list(const ScaleOptions& options) {
  BareEngine engine;
  std::mt19937_64 random(3);
  const ObjectId list = engine.make<ops::List>();
  std::uint64_t held = 0;
  for (std::uint64_t items = 1'000; items <= options.at_most(1'000'000, 100'000); items *= 10) {
    for (; held < items; ++held)
      engine.call<ops::List::Append>(list, 1, [&](Writer& to) { to.unsigned_integer(held); });
    struct Kind {
      const char* workload;
      Samples samples;
    } front{"list_insert_front", {}}, middle{"list_insert_middle", {}}, gone{"list_erase_middle", {}},
        read{"list_get_by_items", {}};
    for (std::size_t i = 0; i < samples_per_point; ++i) {
      front.samples.time([&] { insert(engine, list, 0); });
      middle.samples.time([&] { insert(engine, list, held / 2); });
      const std::uint64_t at = random() % held;
      read.samples.time(
          [&] { engine.call<ops::List::At>(list, 1, [&](Writer& to) { to.unsigned_integer(at); }); });
      for (int both = 0; both < 2; ++both) gone.samples.time([&] { erase(engine, list, (held + both) / 2); });
    }
    for (Kind* kind : {&front, &middle, &gone, &read})
      print_point(kind->workload, system_name, "items", items, kind->samples);
  }
}

/// Ticks until all is freed, as the server's loop does.
Samples freeing(BareEngine& engine, ObjectId object) {
  Samples steps;
  steps.time_used([&] { engine.release(object); });
  while (!engine.is_clean()) steps.time_used([&] { engine.tick(); });
  return steps;
}

}  // namespace

void measure_growth(const ScaleOptions& options) {
  measure_entries(options);
  measure_objects(options);
  measure_list(options);
}

void measure_pauses(const ScaleOptions& options) {
  const std::uint64_t entries = options.at_most(10'000'000, 200'000);
  {
    BareEngine engine;
    const ObjectId dict = engine.make<ops::Dict>();
    Samples growing;
    for (std::uint64_t i = 0; i < entries; ++i) growing.time_used([&] { set(engine, dict, i); });
    print_point("dict_growing", system_name, "entries", entries, growing);
    Samples going = freeing(engine, dict);
    print_point("dict_going", system_name, "entries", entries, going);
  }
  {
    BareEngine engine;
    const ObjectId dict = engine.make<ops::Dict>();
    const std::string text(64, 'v');
    for (std::uint64_t i = 0; i < entries / 4; ++i)
      engine.call<ops::Dict::Set>(dict, 2, [&](Writer& to) {
        to.text("a key of some length " + std::to_string(i));
        to.text(text);
      });
    Samples going = freeing(engine, dict);
    print_point("dict_of_texts_going", system_name, "entries", entries / 4, going);
  }
  BareEngine engine;
  const ObjectId list = engine.make<ops::List>();
  Samples growing;
  for (std::uint64_t i = 0; i < entries; ++i)
    growing.time_used(
        [&] { engine.call<ops::List::Append>(list, 1, [&](Writer& to) { to.unsigned_integer(i); }); });
  print_point("list_growing", system_name, "items", entries, growing);
  Samples going = freeing(engine, list);
  print_point("list_going", system_name, "items", entries, going);
}

}  // namespace bench
