#!/usr/bin/env python3
"""Shows that mistakes in declaring operations do not compile, each for its own reason.

    must_not_compile.py COMPILER ROOT

Every case is a change to a program that compiles. The unchanged program is compiled too, so that a case cannot
"fail to compile" because of something else.
"""

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
  Result<void> on(Ops::Create, Turn&) { return {}; }
  Result<bool> on(Ops::Open, Turn&, std::int64_t width) { return width > 0; }
  Result<void> on(Ops::Close, Turn&, std::optional<bool>) { return {}; }
  const Type& type() const override { return type_of<Door>(); }
  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(wire::Writer& out) const override { out.nil(); }
  %(show)s
};
const Type& door = type_of<Door>();
}  // namespace server
}  // namespace tandem
"""

# name, what is replaced, by what, and a part of the compiler's message
CASES = [
    ("a handler is missing", "  Result<bool> on(Ops::Open, Turn&, std::int64_t width) { return width > 0; }\n", "", "on"),
    ("a handler takes another type", "std::int64_t width", "std::string_view width", "on"),
    ("a handler gives another type", "Result<bool> on(Ops::Open, Turn&, std::int64_t width) { return width > 0; }",
     "Result<std::int64_t> on(Ops::Open, Turn&, std::int64_t width) { return width; }", "put"),
    ("a number stands twice", "Op<2, \"close", "Op<1, \"close", "stands twice"),
    ("a name stands twice", "\"close(gently=true)\"", "\"open(gently=true)\"", "stands twice"),
    ("a parameter has no type", "\"open(width)\"", "\"open(width, speed)\"", "one type for each named parameter"),
    ("a default without Optional", "\"open(width)\"", "\"open(width=1)\"", "parameters with a default"),
]


def compile_program(compiler, root, text):
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write(text)
        source.flush()
        return subprocess.run([compiler, "-std=c++20", "-fsyntax-only", f"-I{root}", f"-I{root}/include", source.name],
                              capture_output=True, text=True)


def show_declaration(root):
    """The program must override whatever Object wants shown; taken from the header, so that it is said once."""
    with open(f"{root}/server/engine/object.hpp") as header:
        lines = [line.strip() for line in header if " show(" in line and "virtual" in line]
    declaration = lines[0].replace("virtual ", "").replace(" = 0;", " override { return {}; }")
    return declaration


def main():
    compiler, root = sys.argv[1:]
    good = PROGRAM % {"show": show_declaration(root)}
    failures = []
    result = compile_program(compiler, root, good)
    if result.returncode != 0:
        sys.exit("the program without a mistake does not compile:\n" + result.stderr)
    for name, old, new, message in CASES:
        if old not in good:
            failures.append(f"{name}: the text to change is not in the program")
            continue
        result = compile_program(compiler, root, good.replace(old, new))
        if result.returncode == 0:
            failures.append(f"{name}: it compiles")
        elif message not in result.stderr:
            failures.append(f"{name}: the compiler does not say {message!r}:\n{result.stderr[:2000]}")
        else:
            print(f"refused as it should be: {name}")
    if failures:
        sys.exit("\n".join(failures))


main()
