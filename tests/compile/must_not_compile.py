#!/usr/bin/env python3
"""Shows that mistakes do not compile, each for its own reason: in declaring operations, in using tandem, in the
compiler's options.

    must_not_compile.py COMPILER ROOT

Every case is a change to a program that compiles. The unchanged program is compiled too, so that a case cannot
"fail to compile" because of something else. Cases are compiled several at a time, and each is to have its own error.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

PROGRAM = """
#include "server/engine/dispatch.hpp"
namespace tandem {
struct DoorOps {
  static constexpr std::string_view type = "door";
  static constexpr std::uint8_t number = 200;
  using Create = ops::Op<0, "create()", ops::Effect::writes, void()>;
  using Open = ops::Op<1, "open(width)", ops::Effect::writes, ops::Bool(ops::Int)>;
  using Close = ops::Op<2, "close(gently=true)", ops::Effect::frees, void(ops::Optional<ops::Bool>)>;
  using All = ops::OpList<Create, Open, Close>;
};
namespace server {
struct Door final : Object {
  using Ops = DoorOps;
  Result<void> on(Ops::Create, CallContext&) { return {}; }
  Result<bool> on(Ops::Open, CallContext&, std::int64_t width) { return width > 0; }
  Result<void> on(Ops::Close, CallContext&, std::optional<bool>) { return {}; }
  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(StateWriter&) const override {}
  void load(StateReader&) override {}
  %(visit)s
};
const Type& door = type_of<Door>();
}  // namespace server
}  // namespace tandem
"""

# name, what is replaced, by what, and a part of the compiler's message; and maybe more that has to change with it
CASES = [
    ("a handler is missing", "  Result<bool> on(Ops::Open, CallContext&, std::int64_t width) { return width > 0; }\n", "", "on"),
    ("a handler takes another type", "std::int64_t width", "std::string_view width", "on"),
    ("a handler returns another type", "Result<bool> on(Ops::Open, CallContext&, std::int64_t width) { return width > 0; }",
     "Result<std::int64_t> on(Ops::Open, CallContext&, std::int64_t width) { return width; }", "put"),
    ("a number is used twice", "Op<2, \"close", "Op<1, \"close", "is used twice"),
    ("a name is used twice", "\"close(gently=true)\"", "\"open(gently=true)\"", "is used twice"),
    ("a parameter has no type", "\"open(width)\"", "\"open(width, speed)\"", "one type for each named parameter"),
    ("a default without Optional", "\"open(width)\"", "\"open(width=1)\"", "parameters with a default"),
]


# The same for a class of the user's own, and for its proxy.
HOSTED_PROGRAM = """
#include "tandem/hosted.hpp"
#include "tandem/proxy/list.hpp"
#include "tandem/proxy/proxy_of.hpp"
#include "tandem/server.hpp"
using namespace tandem::ops;
struct DoorOps {
  static constexpr std::string_view type = "door";
  static constexpr std::uint8_t number = 128;
  using Create = Op<0, "create()", Effect::writes, void()>;
  using Open = Op<1, "open(width)", Effect::writes, Bool(Int)>;
  using Close = Op<2, "close(gently=true)", Effect::frees, void(Optional<Bool>)>;
  using Width = Op<3, "width()", Effect::reads, Int()>;
  using All = OpList<Create, Open, Close, Width>;
};
class Door {
 public:
  using Ops = DoorOps;
  void on(Ops::Create) {}
  bool on(Ops::Open, int width) { return width > 0; }
  void on(Ops::Close, std::optional<bool>) {}
  int on(Ops::Width) const { return 0; }
  std::vector<int> show() const { return {}; }
  int size() const { return 0; }
};
struct DoorProxy : tandem::ProxyOf<DoorOps> {
  using ProxyOf::ProxyOf;
  bool open(int width) { return call<DoorOps::Open>(width); }
};
tandem::ServerOptions options{.types = {tandem::hosted<Door>()}};
"""
HOSTED_CASES = [
    ("a handler is missing", "  bool on(Ops::Open, int width) { return width > 0; }\n", "", "a handler is missing"),
    ("a handler is private", "  bool on(Ops::Open, int", " private: bool on(Ops::Open, int", "private"),
    ("two handlers for one operation", "  void on(Ops::Create) {}", "  void on(Ops::Create) {}\n  void on(Ops::Create) const {}",
     "a handler is missing"),
    ("a handler takes another type", "int width) {", "std::string width) {", "the handler takes what"),
    ("a handler takes no optional", "std::optional<bool>", "bool", "the handler takes what"),
    ("a handler takes too little", "int width) { return width > 0; }", "int = 0, int = 0) { return true; }",
     "one parameter for each"),
    ("a handler may change its argument", "int width) {", "int& width) {", "by value or by const reference"),
    ("a handler takes a proxy", "Bool(Int)>;", "Bool(Any)>;", "take and return HeldValue",
     ("on(Ops::Open, int width) { return width > 0; }", "on(Ops::Open, const tandem::List<int>&) { return true; }")),
    ("a handler returns another type", "bool on(Ops::Open, int width) { return width > 0; }",
     "std::string on(Ops::Open, int) { return {}; }", "the handler returns what"),
    ("a handler that reads is not const", "int on(Ops::Width) const", "int on(Ops::Width)", "is a const member function"),
    ("an operation waits", "Effect::frees", "Effect::waits", "a handler answers at once"),
    ("a number is used twice", "Op<2, \"close", "Op<1, \"close", "is used twice"),
    ("a name is used twice", "\"width()\"", "\"open()\"", "is used twice"),
    ("a number of tandem's own", "number = 128", "number = 127", "tandem's own"),
    ("a name that is none", "\"door\"", "\"front door\"", "a type's name"),
    ("Create is not in the list", "OpList<Create, Open", "OpList<Open", "operation 0 is Create"),
    ("Create returns something", "\"create()\", Effect::writes, void()", "\"create()\", Effect::writes, Int()",
     "it writes and returns nothing", ("void on(Ops::Create) {}", "int on(Ops::Create) { return 0; }")),
    ("no default constructor", "  using Ops = DoorOps;", "  using Ops = DoorOps;\n  explicit Door(int) {}",
     "default-constructible"),
    ("what is shown has no codec", "std::vector<int> show() const { return {}; }", "Door show() const { return *this; }",
     "show() returns a type that has a codec"),
    ("elements are shown without a size", "  int size() const { return 0; }\n", "", "has a size()"),
    ("a proxy calls another type's operation", "call<DoorOps::Open>(width)", "call<tandem::ops::List::Append>(width)",
     "another type's operation"),
    ("a proxy forgets an argument", "call<DoorOps::Open>(width)", "call<DoorOps::Open>()", "one argument for each parameter"),
]


# Tasks of a pool.
POOL_PROGRAM = """
#include "tandem/pool.hpp"
struct Endless {
  const int* begin() const { return nullptr; }
  std::unreachable_sentinel_t end() const { return {}; }
};
int square(int n) { return n * n; }
void use(tandem::Pool& pool, int factor) {
  (void)factor;
  auto task = [](int n) { return n; };
  int result = pool.apply(task, 2);
  std::vector<int> results = pool.map(square, std::vector<int>{1, 2});
  results = pool.starmap([](int a, int b) { return a + b; }, std::vector<std::pair<int, int>>{{1, 2}});
  (void)result;
}
"""

POOL_CASES = [
    ("a lambda captures", "[](int n) { return n; }", "[=](int n) { return n * factor; }", "what a lambda captures",
     ("int result = ", ""), ("(void)result;", "")),
    ("a task gets too few arguments", "pool.apply(task, 2)", "pool.apply(task)", "the arguments are as many as the function takes",
     ("int result = ", ""), ("(void)result;", "")),
    ("a result has no owner", "[](int n) { return n; }", "[](int n) -> const char* { return n ? \"a\" : \"b\"; }",
     "the function's result has a Codec", ("int result = ", ""), ("(void)result;", "")),
    ("no tuples for starmap", "std::vector<std::pair<int, int>>{{1, 2}}", "std::vector<int>{1, 2}",
     "starmap() takes tuples or pairs", ("results = pool.starmap", "pool.starmap")),
    ("map reads an endless range", "results = pool.starmap", "pool.map(square, Endless()); results = pool.starmap",
     "imap() reads as results are taken"),
    ("starmap reads an endless range", "std::vector<std::pair<int, int>>{{1, 2}}", "Endless()",
     "imap() reads as results are taken", ("results = pool.starmap", "pool.starmap")),
]


# Calls by an operation's name.
CALLS_PROGRAM = """
#include "tandem/async.hpp"
void use(const tandem::Manager& manager, const tandem::Async& async, const tandem::Dict<int, int>& dict) {
  using namespace tandem::ops;
  auto pipeline = manager.pipeline();
  tandem::Future<int> one = pipeline.call<Dict::At, int>(dict, 1);
  auto batch = manager.batch();
  auto two = batch.call<Dict::Size>(dict);
  struct Value { int of = 0; };
  async.call<Dict::Contains>(dict, 1, [](std::exception_ptr, bool) {});
}
"""

CALLS_CASES = [
    ("a pipeline calls another type's operation", "<Dict::At, int>(dict, 1)", "<List::At, int>(dict, 1)",
     "another type's operation"),
    ("a batch calls another type's operation", "<Dict::Size>", "<List::Size>", "another type's operation"),
    ("an asynchronous call of another type's operation", "<Dict::Contains>", "<List::Contains>", "another type's operation"),
    ("a batch waits", "batch.call<Dict::Size>(dict)", "batch.call<Event::Wait>(dict)", "nothing waits in a batch"),
    ("an asynchronous call forgets an argument", "(dict, 1, [", "(dict, [", "one argument for each parameter"),
    ("a completion token is missing", "(dict, 1, [](std::exception_ptr, bool) {})", "(dict)", "no matching"),
    ("a result without a default", "async.call<Dict::Contains>(dict, 1, [](std::exception_ptr, bool) {})",
     "async.call<Dict::At, Value>(dict, 1, [](std::exception_ptr, Value) {})", "a default-constructed result",
     ("int of = 0;", "explicit Value(int) {}")),
]


# Using tandem.
USE_PROGRAM = """
#include "tandem/tandem.hpp"
struct Point { int x = 0; };
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Point, x)
struct Endless {
  const std::pair<std::string, Point>* begin() const { return nullptr; }
  std::unreachable_sentinel_t end() const { return {}; }
};
void work(int) {}
void use(const tandem::Manager& manager, int number) {
  (void)number;
  auto points = manager.dict<std::string, Point>();
  points["a"] = Point{1};
  points.at("a");
  auto anything = manager.dict();
  anything["a"] = Point{1};
  auto counts = manager.dict<std::string, int>();
  counts["a"] += {};
  auto total = manager.value<int>(0);
  total.fetch_add({});
  auto queue = manager.queue<std::vector<Point>>();
  queue.put({Point{1}});
  queue.get();
  auto [here, there] = tandem::Pipe();
  here.send(Point{1});
  there.recv<Point>();
  tandem::Process forked(work, 1);
  tandem::Process daemon({.daemon = true}, work, 1);
  tandem::Process spawned = tandem::Process::spawn(work, 1);
  tandem::Process with_point = tandem::Process::spawn([](Point) {}, Point{1});
  tandem::Process named = tandem::Process::spawn({.name = "a"}, work, 1);
  manager.create<tandem::Queue<int>>("name", 10);
  std::vector<std::pair<std::string, Point>> some;
  points.update(some);
  manager.list().extend(some);
  manager.list(some);
  manager.queue().put_many(some);
}
"""

MACRO = "NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Point, x)\n"
POINT_USES = ["points[\"a\"] = Point{1};", "points.at(\"a\");", "anything[\"a\"] = Point{1};", "queue.put({Point{1}});",
              "queue.get();", "here.send(Point{1});", "there.recv<Point>();",
              "tandem::Process with_point = tandem::Process::spawn([](Point) {}, Point{1});"]


def only(use):
    """The changes that leave one of the uses of Point."""
    return [(other, "") for other in POINT_USES if other != use]


USE_CASES = [
    *((f"Point has no to_json: {use}", MACRO, "",
       "this type cannot be read from a value" if "at(" in use or "get()" in use or "recv" in use else
       "this type is not a value yet", *only(use)) for use in POINT_USES),
    *((f"+= on {type}", "auto counts = manager.dict<std::string, int>", f"auto counts = manager.dict<std::string, {type}>",
       "there is no sum that is of this type too")
      for type in ["bool", "std::optional<int>", "std::pair<int, int>", "std::array<int, 2>", "std::variant<int, double>",
                   "std::map<int, int>", "std::set<int>", "tandem::Order"]),
    ("fetch_add() on bool", "manager.value<int>(0)", "manager.value<bool>(false)",
     "there is no sum that is of this type too"),
    ("fetch_add() on an optional", "manager.value<int>(0)", "manager.value<std::optional<int>>(0)",
     "there is no sum that is of this type too"),
    ("a Process passes too little", "forked(work, 1)", "forked(work)", "calls its function with copies of the arguments"),
    ("a Process passes too much", "daemon({.daemon = true}, work, 1)", "daemon({.daemon = true}, work, 1, 2)",
     "calls its function with copies of the arguments"),
    ("a Process's function changes its argument", "void work(int) {}", "void work(int&) {}",
     "calls its function with copies of the arguments"),
    ("a capture in spawn", "spawn(work, 1)", "spawn([=](int) { (void)number; }, 1)", "what a lambda captures"),
    ("a capture in spawn with options", "spawn({.name = \"a\"}, work, 1)", "spawn({.name = \"a\"}, [=] { (void)number; })",
     "what a lambda captures"),
    ("spawn passes too much", "spawn(work, 1)", "spawn(work, 1, 2)", "as many as the function takes"),
    ("spawn with options passes too little", "spawn({.name = \"a\"}, work, 1)", "spawn({.name = \"a\"}, work)",
     "as many as the function takes"),
    ("create passes too much", "(\"name\", 10)", "(\"name\", 10, 10, 10)", "one argument for each parameter"),
    *((f"an endless range is sent: {use}", use, use.replace("some", "Endless()"), "this one has no end")
      for use in ["update(some)", "extend(some)", "manager.list(some)", "put_many(some)"]),
    ("create without a name", "(\"name\", 10)", "(10)", "the object's name comes first"),
]


class Compiler:
    """Compiles programs whose headers are compiled once."""

    def __init__(self, command, root, folder, programs):
        self.command = [command, "-std=c++20", f"-I{root}", f"-I{root}/include"]
        self.folder = folder
        self.header = os.path.join(folder, "headers.hpp")
        with open(self.header, "w") as header:
            header.write("".join(line + "\n" for program in programs for line in program.splitlines()
                                 if line.startswith("#include")))
        subprocess.run(self.command + ["-x", "c++-header", self.header, "-o", self.header + ".gch"], check=True)

    def run(self, programs):
        """Compiles the programs in one go, each in a namespace of its own if they are several, because the end of a
        file costs more than they do. Returns for each what the compiler said of it, if that was an error."""
        source = tempfile.mkstemp(dir=self.folder, suffix=".cpp")[1]
        owners = []  # of each line
        with open(source, "w") as file:
            for number, program in enumerate(programs):
                lines = ["" if line.startswith("#include") else line for line in program.splitlines()]
                if len(programs) > 1:
                    lines = [f"namespace program{number} {{", *lines, "}"]
                file.write("\n".join(lines) + "\n")
                owners += [number] * len(lines)
        result = subprocess.run(self.command + ["-fsyntax-only", "-fmax-errors=0", "-include", self.header, source],
                                capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        said = [""] * len(programs)
        for places, text in errors_of(result.stderr, source):
            for number in {owners[line - 1] for line in places}:
                said[number] += text
        if (result.returncode == 0) != (not any(said)):
            sys.exit(f"The compiler's errors name no line of the program:\n{result.stderr[:4000]}")
        return said


def errors_of(output, source):
    """The errors in a compiler's output, each as the lines of the source that it names, and its text with its notes."""
    place = re.compile(re.escape(source) + r":(\d+):")
    context, text, places, in_context = [], "", None, False
    for line in output.splitlines(keepends=True):
        if re.match(r"\S.*: (In |At global scope)|In file included from|\s+from |\S.*:   required (from|by)", line):
            if places is not None:
                yield places, text
                places = None
            if not in_context:
                context, text = [], ""
            context += [int(number) for number in place.findall(line)]
            in_context = True
            text += line
        elif re.match(r"\S.*: (fatal )?error: ", line):
            if places is not None:
                yield places, text
                text = ""
            own = place.match(line)
            places = [int(own[1])] if own else context
            in_context = False
            text += line
        else:
            text += line
    if places is not None:
        yield places, text


def headers_without_cxx20(command, root):
    """What is wrong with the public headers under an older standard: each says so, and nothing else."""

    def failure_of(header):
        result = subprocess.run([command, "-std=c++17", f"-I{root}/include", "-fsyntax-only", "-x", "c++", "-"],
                                input=f"#include <{header}>\n", capture_output=True, text=True)
        errors = re.findall(r"error: (.*)", result.stderr)
        if len(errors) == 2 and "tandem needs C++20" in errors[0] and "tandem_needs_cxx20" in errors[1]:
            return []
        return [f"{header}, compiled as C++17: the compiler does not say just that C++20 is needed:\n{result.stderr[:2000]}"]

    return failure_of


def visit_declaration(root):
    """The program must override what visits Object's elements; taken from the header, so that it is said once."""
    with open(f"{root}/server/engine/object.hpp") as header:
        declaration = re.search(r"virtual ([^;{]*\bvisit_elements\([^;{]*) = 0;", header.read()).group(1)
    return " ".join(declaration.split()) + " override { return {}; }"


def failures_of_cases(compiler, good, cases):
    """What is wrong with some cases of a program."""
    programs = []
    for name, old, new, _, *more in cases:
        program = good
        for before, after in [(old, new), *more]:
            if before not in program:
                return [f"{name}: the text to change is not in the program"]
            program = program.replace(before, after)
        programs.append(program)
    failures = []
    for program, said, (name, _, _, message, *_) in zip(programs, compiler.run(programs), cases):
        if message not in said and len(cases) > 1:
            # An error in a template that two cases instantiate alike is said only once.
            said, = compiler.run([program])
        if not said:
            failures.append(f"{name}: it compiles")
        elif message not in said:
            failures.append(f"{name}: the compiler does not say {message!r}:\n{said[:2000]}")
        else:
            print(f"refused as it should be: {name}")
    return failures


def failures_without_mistake(compiler, good):
    said, = compiler.run([good])
    return [f"The program without a mistake does not compile:\n{said}"] if said else []


def main():
    command, root = sys.argv[1:]
    # Programs whose headers are compiled together: those of the server's side, and those of the client's.
    groups = [
        [(PROGRAM % {"visit": visit_declaration(root)}, CASES), (HOSTED_PROGRAM, HOSTED_CASES)],
        [(POOL_PROGRAM, POOL_CASES), (CALLS_PROGRAM, CALLS_CASES), (USE_PROGRAM, USE_CASES)],
    ]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:

        def make_compiler(programs):
            return Compiler(command, root, tempfile.mkdtemp(dir=folder), [good for good, _ in programs])

        compilers = [threads.submit(make_compiler, programs) for programs in groups]
        found = []
        for programs, compiler in zip(groups, compilers):
            for good, cases in programs:
                found.append(threads.submit(failures_without_mistake, compiler.result(), good))
                # What is in a namespace of tandem's does not work in another.
                at_once = 1 if "namespace tandem {" in good else 8
                for first in range(0, len(cases), at_once):
                    found.append(threads.submit(failures_of_cases, compiler.result(), good, cases[first:first + at_once]))
        check_header = headers_without_cxx20(command, root)
        include = os.path.join(root, "include")
        for folder_of_headers, _, files in os.walk(include):
            for file in files:
                if file.endswith(".hpp"):
                    header = os.path.relpath(os.path.join(folder_of_headers, file), include)
                    found.append(threads.submit(check_header, header))
        failures = [failure for future in found for failure in future.result()]
    if failures:
        sys.exit("\n".join(failures))


main()
