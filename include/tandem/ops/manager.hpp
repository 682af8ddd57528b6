#pragma once
// Operations of the manager itself. It is the object with id 1, exists from the start and cannot be created.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

/// How the steps of one run() depend on each other.
enum class RunMode : std::uint8_t {
  each,            // independent: a step that fails does not stop the others
  all_or_nothing,  // if one fails or has an unexpected result, all are rolled back
  trial,           // the same, but all are rolled back in any case
};

struct Manager {
  static constexpr std::string_view type = "manager";
  static constexpr std::uint8_t number = 1;
  static constexpr std::uint64_t id = 1;

  // The reference belongs to the calling session, which gives it back by `release`. With a name: get or
  // create. `arguments` are those of the type's create operation, used only if the object is created (second
  // result true).
  using Create =
      Op<1, "create(type, name, arguments)", Effect::writes, Tuple<Reference, Bool>(Text, Maybe, Items)>;
  using Get = Op<2, "get(name, type=None)", Effect::reads, Reference(Text, Optional<Text>)>;
  using Exists = Op<3, "exists(name)", Effect::reads, Bool(Text)>;
  using Remove = Op<4, "remove(name)", Effect::frees, Bool(Text)>;
  // Returns the id to continue after, 0 at the end, and one page of descriptions {id, name, type, size,
  // references, memory_bytes}, ordered by id, of objects after the id `after`.
  using Objects = Op<5, "objects(after=0, limit=1000, type=None)", Effect::reads,
                     Tuple<Int, Items>(Optional<Int>, Optional<Int>, Optional<Text>)>;
  using Ping = Op<6, "ping()", Effect::reads, void()>;
  using Information = Op<7, "information()", Effect::reads, Map()>;
  // Gives back `count` references that the server counted for this session. Sent one-way.
  using Release = Op<8, "release(id, count)", Effect::frees, void(Int, Int)>;
  // A thread of this session (an `actor` of its requests) has ended: its waits end (not_owner), and the locks that it
  // owns pass on as at a session's end. Sent one-way, after the replies to the thread's requests.
  using EndThread = Op<24, "end_thread(thread)", Effect::frees, void(Int)>;
  // Returns the version of the object's contents. type_error: the manager itself has none.
  using Version = Op<9, "version(object)", Effect::reads, Int(Reference)>;
  // Returns the version as soon as it differs from `since`, or `since` if it does not within the time limit
  // (None: no limit; 0: does not wait).
  using WaitForChange = Op<10, "wait_for_change(object, since, limit_us=None)", Effect::waits,
                           Int(Reference, Int, Optional<Int>)>;
  // Makes several calls one after the other, with no other call in between. A step is [object id, operation
  // number, arguments as bin, expected, token]; the last two may be left out.
  //   expected   nil: the result is wanted; false: it is not. bin: the result must equal this; code: the step
  //              must fail with this, which then counts as success. Otherwise the step fails (conflict). An
  //              expected result is not wanted.
  //   token      as in a request (wire/frame.hpp), 0 for none
  // Returns [code, result or error text] for each step, with nil for results that are not wanted.
  //
  // No step waits: operations that would wait act as if their time limit were 0 (a barrier's refuses:
  // value_error). In modes other than `each`, a failed step fails `run` itself (but a trial returns the
  // failure of a last step whose result is wanted), and changed objects must support undo (type_error): dict,
  // list, set, namespace, value and array do.
  using Run = Op<11, "run(steps, mode)", Effect::frees, Items(Items, Int)>;
  // Counts a reference for this session for each of `references`, and returns them: prepares the session
  // of a process that is about to be started with them.
  using Hold = Op<15, "hold(references)", Effect::reads, Items(Items)>;
  // Returns the ticket to continue after, 0 at the end, and the waiting requests after the ticket `after`,
  // oldest first, each {ticket, object, type, name, operation, session, pid, actor, waited_us, left_us (nil:
  // no limit)}.
  using Waits =
      Op<21, "waits(after=0, limit=1000)", Effect::reads, Tuple<Int, Items>(Optional<Int>, Optional<Int>)>;
  // Returns the cycles of lock owners that wait for each other, each as one text that names its first 100 links.
  using Deadlocks = Op<23, "deadlocks()", Effect::reads, Items()>;
  // Returns the text to continue after, empty at the end, and what sessions own (locks, permits, leased items,
  // running tasks) after the place `after`, ordered by object id, each {object, type, name, mode, key (text or
  // nil), session, pid, actor, count, token (nil: none), held_us}. A page may be short, or empty, before the end.
  using Holdings = Op<22, "holdings(after='', limit=1000)", Effect::reads,
                      Tuple<Text, Items>(Optional<Text>, Optional<Int>)>;

  // Returns one page of the contents of an object of any type: the next cursor, -1 at the end; whether
  // elements have keys; and the elements, each [key, element] if they have. For people, who may not know the
  // type.
  using Contents = Op<20, "contents(id, cursor=0, limit=1000)", Effect::reads,
                      Tuple<Int, Bool, Items>(Int, Optional<Int>, Optional<Int>)>;

  using All = OpList<Create, Get, Exists, Remove, Objects, Ping, Information, Release, EndThread, Version,
                     WaitForChange, Run, Hold, Contents, Waits, Holdings, Deadlocks>;
};

}  // namespace tandem::ops
