#pragma once
// Operations of the manager itself. It is the object with id 1, there from the start, and cannot be created.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

/// What becomes of several steps together.
enum class RunMode : std::uint8_t {
  each,            // every step for itself: one that fails stops nobody
  all_or_nothing,  // if one fails, or gives another result than expected, it is as if none had been made
  trial,           // the same, and so it is as if none had been made in any case
};

struct Manager {
  static constexpr std::string_view type = "manager";
  static constexpr std::uint8_t number = 1;
  static constexpr std::uint64_t id = 1;

  // The reference belongs to the calling client, which gives it back by `release`. With a name: get or create; `arguments`
  // are those of the type's create operation and count only when the object is made (second result true).
  using Create =
      Op<1, "create(type, name, arguments)", Effect::writes, Tuple<Reference, Bool>(Text, Maybe, Items)>;
  using Get = Op<2, "get(name, type=None)", Effect::reads, Reference(Text, Optional<Text>)>;
  using Exists = Op<3, "exists(name)", Effect::reads, Bool(Text)>;
  using Remove = Op<4, "remove(name)", Effect::frees, Bool(Text)>;
  // One page of descriptions {id, name, type, size, references, memory_bytes} in the order of ids, beginning behind the
  // id `after`; and the id to go on from, 0 at the end.
  using Objects = Op<5, "objects(after=0, limit=1000, type=None)", Effect::reads,
                     Tuple<Int, Items>(Optional<Int>, Optional<Int>, Optional<Text>)>;
  using Ping = Op<6, "ping()", Effect::reads, void()>;
  using Information = Op<7, "information()", Effect::reads, Map()>;
  // Gives back `count` references that the server counted for this client. Sent one-way.
  using Release = Op<8, "release(id, count)", Effect::frees, void(Int, Int)>;
  // How often the object's contents have changed. Not of the manager itself (type_error).
  using Version = Op<9, "version(object)", Effect::reads, Int(Reference)>;
  // The version as soon as it is another than `since`; `since` if it is none within the time limit (none: for ever;
  // 0: now).
  using WaitForChange = Op<10, "wait_for_change(object, since, limit_us=None)", Effect::waits,
                           Int(Reference, Int, Optional<Int>)>;
  // Makes several calls one after the other, and nothing else in between. A step is [object's id, number of the
  // operation, its arguments as bin, expected, token]; the last two may be left out. `expected`: nil, the result is
  // wanted; false, it is not; bin, it has to be this one; a code, it has to be this failure, which is none then. If it
  // is another the step fails (conflict); an expected result is not wanted.
  // `token`: as that of a request (wire/frame.hpp), 0 for none. Gives [code, result or error's text] for each step, with
  // nil for results that are not wanted.
  // No step waits: those that would answer as if their time limit had been 0. In the modes other than `each`, a failure
  // is that of `run` itself (but a trial answers with the failure of a last step whose result is wanted), and what is
  // changed must be able to undo it (type_error): dict, list, set, namespace, value and array are.
  using Run = Op<11, "run(steps, mode)", Effect::frees, Items(Items, Int)>;
  // Counts a reference for this client for each of `references`, which are what it gives: how a process that is about to
  // be started comes to hold what it is told of.
  using Hold = Op<15, "hold(references)", Effect::reads, Items(Items)>;
  // Requests that wait, oldest first, behind the ticket `after`; and the ticket to go on from, 0 at the end. Each
  // {ticket, object, type, name, operation, session, pid, actor, waited_us, left_us (nil: no limit)}.
  using Waits =
      Op<21, "waits(after=0, limit=1000)", Effect::reads, Tuple<Int, Items>(Optional<Int>, Optional<Int>)>;
  // Owners of locks who wait for each other in a cycle, each cycle one text that names every link.
  using Deadlocks = Op<23, "deadlocks()", Effect::reads, Items()>;
  // What sessions own: locks, permits, leased items, by objects in the order of ids, behind the id `after`; and the id to
  // go on from, 0 at the end. Each {object, type, name, how, key (text or nil), session, pid, actor, count,
  // token (nil: none), held_us}.
  using Holdings =
      Op<22, "holdings(after=0, limit=1000)", Effect::reads, Tuple<Int, Items>(Optional<Int>, Optional<Int>)>;

  // One page of what an object of whatever type shows of its contents: the cursor to go on from, -1 at the end; whether
  // elements have keys; and the elements, each an array [key, element] if they have. For people, who may not know the type.
  using Contents = Op<20, "contents(id, cursor=0, limit=1000)", Effect::reads,
                      Tuple<Int, Bool, Items>(Int, Optional<Int>, Optional<Int>)>;

  using All = OpList<Create, Get, Exists, Remove, Objects, Ping, Information, Release, Version, WaitForChange,
                     Run, Hold, Contents, Waits, Holdings, Deadlocks>;
};

}  // namespace tandem::ops
