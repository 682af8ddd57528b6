#!/usr/bin/env python3
"""Which method of which proxy is which operation: include/tandem/ops/README.md, derived from the headers.

    operations.py ROOT --check    fails if the document is not what the headers say
    operations.py ROOT --write    writes the document

Either fails if an operation has no method that leads to it, if a method leads to none, or if an operation is not in
its type's `All`, unless the tables below say so.

A method leads to the operations that its body names (`call<Operations::At, T>(…)`), and to those of what it uses:
other methods of its class and bases, methods of its members and parameters, nested classes such as iterators, aliases.
What it calls on local variables, and free functions, are not followed.
"""

import argparse
import os
import re
import sys

from headers import Class, ParseError, closing, closing_angle, is_name, parse_file, split

OPS = "include/tandem/ops"
PROXIES = "include/tandem/proxy"
MANAGER = "include/tandem/manager.hpp"
# Where methods that these headers only declare are defined.
SOURCES = ["client/manager.cpp", "client/calls/container.cpp"]
DOCUMENT = f"{OPS}/README.md"
COMMAND = "python3 tests/structure/operations.py . --write"

# Operations that no method leads to, and what the document says instead.
NO_METHOD = {
    "Manager::Release": "(the destructor of an object's last proxy)",
    "Manager::EndThread": "(the end of a thread that used the manager)",
    "Manager::Run": "(`Batch::run`, `Manager::atomically`)",
    "Manager::Hold": "(the start of a process that is passed proxies)",
    "Manager::Contents": "(`tandem get`)",
    "Queue::Page": "(`tandem get`)",
    "Pool::Create": "(`tandem::Pool`)",
}
# Methods that lead to no operation, besides those declared noexcept.
NO_OPERATION = {
    "List::operator[]": "returns an element handle",
    "Dict::operator[]": "returns an element handle",
    "Array::operator[]": "returns an element handle",
    "Namespace::operator[]": "returns an element handle",
    "Locks::operator[]": "returns the lock of a key",
    "List::end": "begin() reads",
    "Dict::end": "begin() reads",
    "Set::end": "begin() reads",
    "Array::end": "begin() reads",
    "BasicQueue::end": "begin() takes items",
    "PageOf::fetch": "the operation is its template argument",
    "Lease::operator*": "the item is here already",
    "Lease::operator->": "the item is here already",
    "Manager::create": "the overload that only says at compile time that the name is missing",
    "Manager::from_environment": "the connection",
    "Manager::address": "the connection",
    "Manager::shutdown": "the connection",
    "Manager::session": "the connection",
    "Manager::on_reconnect": "the connection",
    "Manager::on_session_lost": "the connection",
    "Manager::atomically": "its operations are those of the function",
    "Manager::batch": "its operations are added later",
    "Manager::pipeline": "its operations are added later",
}
# (function, operation): what a function does only when something has failed.
ASIDE = {
    ("BasicQueue::get_many_leased_within", "Queue::GiveBack"): "items that cannot be read are given back",
}
# Functions that call the operation which is their first template argument.
CALLERS = ("call", "call_and_wait", "call_with_leases")
# Methods of Manager that create an object of the type which is their first template argument.
CREATORS = ("create", "obtain")

HEAD = """\
# Operations and methods

Written by `{command}` from the headers; the test `structure.operations` fails when it
is not what they say.

Batches, pipelines and `Async` call operations by name. Each has a method of a proxy that does the same:

```cpp
using namespace tandem::ops;
auto first = batch.call<Dict::At, int>(dict, "k");                            // dict.at("k")
auto next = pipeline.call<Queue::Get, std::optional<Job>>(queue, 500'000);    // queue.get_for(500ms)
co_await async.call<List::Append>(list, x, asio::use_awaitable);              // list.push_back(x)
```

- **Arguments** are those of the signature, in its order; those with a default may be left out at the end. Their types
  are declared in [op.hpp](op.hpp), and [codec/parameter.hpp](../codec/parameter.hpp) lists which C++ values each takes.
  None is `std::nullopt`. A `typecode` that is left out is that of the proxy's type.
- **Time limits**, `limit_us`, are whole microseconds (`std::int64_t`) or None, where a method takes any duration, a
  time point or a stop token. None: no limit; 0: does not wait.
- **The effect:** `reads` changes nothing; `writes` may need more memory, and is refused when the manager's is used up;
  `frees` never needs more; `waits` may wait in the manager, so batches and transactions do not take it.
- **Results** follow the arrow. What an operation does, and its errors, are in the comments of the type's header here
  and of its proxy.
- **Methods** without a class are the proxy's. `[index]`, `[key]` and `[name]` are element handles. Parameters are named
  only where overloads lead to different operations. A lock's `Guard` calls the lock's `unlock` or `unlock_shared`;
  destructors of guards and leases are not listed.
"""
NOTES = {
    "Manager": "Called by `Async` alone, with the `Manager` in place of a proxy. `Container` is the base of the "
               "proxies that can be watched.",
    "Pool": "For the library's own use: `tandem::Pool` (`pool.hpp`) and its workers call these.",
}


class Failure(Exception):
    pass


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def headers_in(root, folder):
    return [f"{folder}/{name}" for name in sorted(os.listdir(os.path.join(root, folder))) if name.endswith(".hpp")]


def parse(root, paths):
    scope = Class("")
    for path in paths:
        parse_file(path, read(root, path), scope)
    return scope


# ---- operations ----------------------------------------------------------------------------------------------


class Operation:
    def __init__(self, name, tokens, aliases):
        self.name = name
        end = closing_angle(tokens, 1)
        parts = split(tokens[2:end]) if end else []
        if len(parts) != 4 or len(parts[1]) != 1:
            raise Failure(f"{name} is no Op<number, signature, effect, result(parameters)>: {' '.join(tokens)}")
        text = parts[1][0].strip('"')
        self.effect = parts[2][-1]
        opened = next(i for i, token in enumerate(parts[3]) if token == "(")
        result = self.show(parts[3][:opened], aliases)
        types = [self.show(part, aliases) for part in split(parts[3][opened + 1:-1])]
        named = [part.strip() for part in text[text.index("(") + 1:-1].split(",") if part.strip()]
        if len(named) != len(types):
            raise Failure(f"{name}: {text} names {len(named)} parameters and has types for {len(types)}")
        self.signature = f"{text[:text.index('(')]}({', '.join(map(self.parameter, named, types))}) → {result}"

    @staticmethod
    def show(tokens, aliases):
        tokens = aliases.get(tokens[0], tokens) if len(tokens) == 1 else tokens
        return "".join(tokens).replace(",", ", ")

    @staticmethod
    def parameter(named, declared):
        name, _, default = named.partition("=")
        if not default:
            return f"{name}: {declared}"
        return f"{name}: {re.fullmatch(r'Optional<(.*)>', declared).group(1)} = {default}"


class Types:
    """The hosted types, in the order of ops::AllTypes, and the operations of each."""

    def __init__(self, root):
        self.scope = parse(root, headers_in(root, OPS))
        self.problems = []
        listed = self.scope.aliases.get("AllTypes")
        if not listed:
            raise Failure(f"{OPS}/all.hpp has no AllTypes")
        self.names = [part[-1] for part in split(listed[2:-1])]
        self.operations = {}  # struct -> {name: Operation}, its own ones
        for struct in self.scope.classes.values():
            self.operations[struct.name] = {name: Operation(f"{struct.name}::{name}", tokens, self.scope.aliases)
                                            for name, tokens in struct.aliases.items() if tokens[:2] == ["Op", "<"]}
            hosted = {"type", "number"} <= set(struct.members)
            if hosted and struct.name not in self.names:
                self.problems.append(f"{struct.path}: {struct.name} is not in AllTypes of {OPS}/all.hpp")
        for name in self.names:
            missing = set(self.all_of(name)) - set(self.listed(name))
            self.problems += [f"{self.scope.classes[name].path}: {name}::{each} is not in `All`"
                              for each in sorted(missing)]

    def structs(self, name):
        """The struct, and those that it has operations from."""
        found = [name]
        for base in self.scope.classes[name].bases:
            found += self.structs(base[-1])
        return found

    def owner(self, struct, operation):
        """The struct that declares the operation for `struct`, or None."""
        if struct not in self.scope.classes:
            return None
        return next((each for each in self.structs(struct) if operation in self.operations[each]), None)

    def all_of(self, name):
        return {each: operation for struct in self.structs(name) for each, operation in
                self.operations[struct].items()}

    def listed(self, name):
        """The names in `All`, in its order."""
        tokens = next((self.scope.classes[struct].aliases["All"] for struct in self.structs(name)
                       if "All" in self.scope.classes[struct].aliases), None)
        if tokens is None:
            raise Failure(f"{self.scope.classes[name].path}: {name} has no `All`")
        return [part[-1] for part in split(tokens[2:-1])]


# ---- methods -------------------------------------------------------------------------------------------------


class Ops:
    """A struct of operations, as the meaning of a name."""

    def __init__(self, struct):
        self.struct = struct


WHOLE = Class("")  # no class: what names mean outside of all classes


class View:
    """A class as seen from one place: with what its template parameters mean there."""

    def __init__(self, of, scope, bound=None, name=None):
        self.of = of
        self.scope = scope
        self.bound = bound or {}  # parameter -> View or Ops
        self.name = name or of.name
        self.outer = None

    def nested(self, of):
        view = View(of, self.scope)
        view.outer = self
        return view

    def around(self):
        return [self.outer, *self.outer.around()] if self.outer else []

    def bases(self):
        # Their names are looked up in the scope around the class.
        found = [self.type_of(base, self.meaning_around) for base in self.of.bases]
        return [base for base in found if isinstance(base, View)]

    def lineage(self):
        return [self, *(each for base in self.bases() for each in base.lineage())]

    def meaning(self, name):
        """What a name means in this class, or None: a View or an Ops."""
        is_own = name in self.bound or name in self.of.templates
        return (None if is_own else self.member_type(name)) or self.meaning_around(name)

    def meaning_around(self, name):
        """The same without its members and its bases."""
        if name in self.bound or name in self.of.templates:
            return self.bound.get(name)
        if name == self.of.name:
            return self
        if self.outer:
            return self.outer.meaning(name)
        if name in self.scope.aliases:
            return View(WHOLE, self.scope).type_of(self.scope.aliases[name])
        return View(self.scope.classes[name], self.scope) if name in self.scope.classes else None

    def member_type(self, name):
        """What a name means that is an alias or a class in this class or its bases."""
        if name in self.of.aliases:
            return self.type_of(self.of.aliases[name])
        if name in self.of.classes:
            return self.nested(self.of.classes[name])
        return next((found for base in self.bases() if (found := base.member_type(name))), None)

    def type_of(self, tokens, meaning=None):
        """The first thing of ours in a type: of std::vector<Lease<R>>, the lease."""
        meaning = meaning or self.meaning
        i = 0
        while i < len(tokens):
            chain, end = chain_at(tokens, i)
            if not chain:
                i += 1
                continue
            if chain[0] == "ops" and len(chain) == 2:
                return Ops(chain[1])
            found = None if chain[0] == "std" else meaning(chain[-1])
            if isinstance(found, View) and found.of.name == chain[-1] and tokens[end:end + 1] == ["<"]:
                arguments = split(tokens[end + 1:closing_angle(tokens, end)])
                given = {name: self.type_of(part, meaning) for name, part in zip(found.of.templates, arguments)}
                return View(found.of, self.scope, {name: each for name, each in given.items() if each}, found.name)
            if found:
                return found
            i = end
        return None

    def variable(self, name):
        """The type of a member variable, also of a class within this one."""
        for view in self.lineage():
            if name in view.of.members:
                return view.type_of(view.of.members[name])
            for inner in view.of.classes.values():
                if name in inner.members:
                    return view.nested(inner).type_of(inner.members[name])
        return None

    def methods(self, name):
        """The overloads of a method, of the first class that has any: they hide those of its bases."""
        for view in self.lineage():
            found = [(view, function) for function in view.of.functions if function.name == name]
            if found:
                return found
        return []


def chain_at(tokens, at):
    """The names of A::B::C at this place, without `tandem` and `client`, and where it ends."""
    chain = []
    i = at
    while i < len(tokens) and is_name(tokens[i]):
        chain.append(str(tokens[i]))
        if tokens[i + 1:i + 2] != ["::"]:
            i += 1
            break
        i += 2
    while len(chain) > 1 and chain[0] in ("tandem", "client"):
        chain.pop(0)
    return chain, i


class Methods:
    """Which operations functions lead to, each as (struct that declares it, name)."""

    def __init__(self, root, types):
        self.types = types
        self.scope = parse(root, [*headers_in(root, PROXIES), MANAGER, *SOURCES])
        self.asides = set()

    def operation(self, view, chain):
        """The operation that Operations::At or ops::Dict::At is here, or None."""
        if len(chain) == 3 and chain[0] == "ops":
            struct = chain[1]
        elif len(chain) == 2:
            meaning = view.meaning(chain[0])
            struct = meaning.struct if isinstance(meaning, Ops) else None
        else:
            return None
        owner = self.types.owner(struct, chain[-1])
        return (owner, chain[-1]) if owner else None

    def leads(self, this, view, function, seen=None):
        """`this`: the class of the object; `view`: the one of its bases, or itself, that has the function."""
        seen = set() if seen is None else seen
        key = (id(function), this.name)
        if key in seen:
            return set()
        seen.add(key)
        if function.body is None:
            raise Failure(f"{function.where}: {view.of.name}::{function.name} is defined in none of the files that "
                          "tests/structure/operations.py reads; add it to SOURCES there")
        found = self.of_tokens(this, view, function, [*function.rest, *function.body], seen)
        for (name, aside) in ASIDE:
            struct, operation = aside.split("::")
            here = (self.types.owner(struct, operation), operation)
            if name == f"{view.of.name}::{function.name}" and here in found:
                found.discard(here)
                self.asides.add((name, aside))
        return found

    def of_tokens(self, this, view, function, tokens, seen):
        found = set()
        own = {tokens[i + 1] for i, token in enumerate(tokens[:-2]) if token == "using" and tokens[i + 2] == "="}
        own |= set(function.templates) if function else set()
        i = 0
        while i < len(tokens):
            if tokens[i:i + 2] == ["*", "this"] or tokens[i:i + 3] == ["++", "*", "this"]:
                after = tokens[i] if tokens[i] == "++" else "".join(tokens[i + 2:i + 3])
                found |= self.of_call(this, f"operator{after}", 0 if after == "++" else 1, seen)
            chain, end = chain_at(tokens, i)
            if not chain:
                i += 1
                continue
            before = tokens[i - 1] if i else ""
            before = tokens[i - 2] if before == "template" else before
            if before in (".", "->"):
                found |= self.of_member_call(this, view, function, tokens, i, end, seen)
            elif chain[0] not in own:
                operation = self.operation(view, chain)
                if operation:
                    found.add(operation)
                elif len(chain) == 1:
                    found |= self.of_name(this, view, chain[0], seen)
                    found |= self.of_call(this, chain[0], count_arguments(tokens, end), seen)
            self.check_caller(view, function, chain, tokens, end, own)
            found |= self.created(view, function, chain, tokens, end, own)
            i = end
        return found

    def of_name(self, this, view, name, seen):
        """What the use of an alias or a class within a class leads to."""
        for each in [*view.lineage(), *view.around()]:
            if name in each.of.aliases:
                key = (each.of.name, name)
                if key in seen:
                    return set()
                seen.add(key)
                return self.of_tokens(this, each, None, each.of.aliases[name], seen)
            if name in each.of.classes:
                return self.of_class(each.nested(each.of.classes[name]), seen)
        return set()

    def of_class(self, view, seen):
        found = set()
        for function in view.of.functions:
            if function.body is not None:
                found |= self.leads(view, view, function, seen)
        for inner in view.of.classes.values():
            found |= self.of_class(view.nested(inner), seen)
        return found

    def of_call(self, this, name, count, seen):
        """What a call of a method of `this` leads to; of all methods of the name that take so many arguments."""
        if count is None:
            return set()
        methods = this.methods(name)
        fitting = [(view, each) for view, each in methods if each.takes(count)] or methods
        return {each for view, function in fitting for each in self.leads(this, view, function, seen)}

    def of_member_call(self, this, view, function, tokens, i, end, seen):
        """What `receiver.method(…)` leads to, if the receiver is a parameter, a member or a method's result."""
        at = i - 1 - (tokens[i - 1] == "template")
        receiver = tokens[at - 1]
        count = count_arguments(tokens, end)
        if count is None:
            return set()
        of = None
        if receiver == "this":
            of = this
        elif receiver == ")":
            opened = next(j for j in range(at - 2, -1, -1) if tokens[j] == "(" and closing(tokens, j) == at - 1)
            of = next((where.type_of(each.result) for where, each in this.methods(tokens[opened - 1])), None)
        elif is_name(receiver):
            parameter = next((part for part, name in zip(function.parameters, function.parameter_names())
                              if name == receiver), None) if function else None
            if parameter:
                words = parameter[:parameter.index(receiver)]
                constraint = next((function.templates[word] for word in words if word in function.templates), [])
                of = view.type_of(words) or view.type_of(constraint)
                of = this if isinstance(of, View) and of.of is this.of else of
            else:
                of = view.variable(receiver)
        return self.of_call(of, tokens[i], count, seen) if isinstance(of, View) else set()

    def check_caller(self, view, function, chain, tokens, end, own):
        if chain[-1] not in CALLERS or tokens[end:end + 1] != ["<"] or function is None:
            return
        at = end + 1 + (tokens[end + 1] == "typename")
        called, _ = chain_at(tokens, at)
        if called and (called[0] in own or called[0] in view.of.templates or self.operation(view, called)):
            return
        raise Failure(f"{function.where}: {view.of.name}::{function.name} calls {'::'.join(called)}, which is no "
                      "operation that is known here")

    def created(self, view, function, chain, tokens, end, own):
        if view.of.name != "Manager" or chain[-1] not in CREATORS or tokens[end:end + 1] != ["<"]:
            return set()
        created, _ = chain_at(tokens, end + 1)
        if created[0] in own:
            return set()
        proxy = view.type_of(tokens[end + 1:closing_angle(tokens, end)])
        operation = self.operation(proxy, ["Operations", "Create"]) if isinstance(proxy, View) else None
        if operation is None:
            raise Failure(f"{function.where}: Manager::{function.name} creates {'::'.join(created)}, whose operations "
                          "are not known")
        return {operation}

    # ---- the classes whose methods are listed

    def roots(self):
        """Classes and their aliases as users name them: List, and Lock rather than BasicLock."""
        whole = View(WHOLE, self.scope)
        named = {name: view for name in self.scope.aliases if self.is_proxy(view := whole.meaning(name)) and view.bound}
        base = {view.of.name for view in named.values()}
        base |= {view.of.name for each in self.scope.classes.values() for view in View(each, self.scope).bases()
                 if view.of.templates}
        for name, view in named.items():
            view.name = name
        return [*(View(each, self.scope) for name, each in self.scope.classes.items() if name not in base),
                *named.values()]

    @staticmethod
    def is_proxy(view):
        return isinstance(view, View) and any(each.of.name == "Proxy" for each in view.lineage()[1:])

    def hosted_type(self, view):
        """The hosted type that a class is the proxy of, or None."""
        meaning = view.meaning("Operations") if self.is_proxy(view) or view.of.name == "Manager" else None
        return meaning.struct if isinstance(meaning, Ops) else None

    @staticmethod
    def listed(root):
        """The public methods of a class, with those of bases that are templates: they are no classes by themselves."""
        hidden = set()
        for view in root.lineage():
            if view is not root and not view.of.templates:
                continue
            functions = [function for function in view.of.functions if function.name not in hidden]
            hidden |= {function.name for function in functions}
            for function in functions:
                parameter = "".join(function.parameters[0]) if function.parameters else ""
                is_special = function.name in (view.of.name, "~" + view.of.name) or (
                    function.name == "operator=" and parameter.startswith(view.of.name + "&&"))
                if function.access == "public" and not is_special:
                    yield view, function


def count_arguments(tokens, end):
    """How many arguments a call has whose name ends at `end`, or None if it is no call."""
    if tokens[end:end + 1] == ["<"]:
        angle = closing_angle(tokens, end)
        end = angle + 1 if angle else len(tokens)
    if tokens[end:end + 1] != ["("] and tokens[end:end + 1] != ["{"]:
        return None
    return len(split(tokens[end + 1:closing(tokens, end)]))


# ---- the document --------------------------------------------------------------------------------------------


class Entry:
    """A method in the document: the class it is listed for, and the operations it leads to."""

    def __init__(self, root, function, operations, handle):
        self.root = root
        self.function = function
        self.operations = operations
        self.handle = handle  # "[index]" for a method of an element handle, else ""

    def text(self, types, siblings):
        name = self.function.name
        parameters = self.function.parameter_names()
        symbol = name.removeprefix("operator")
        is_operator = symbol != name and not symbol.startswith(" ")
        if self.handle:
            is_change = is_operator and (symbol.endswith("=") and symbol not in ("==", "<=>") or symbol in ("++", "--"))
            if not is_change:
                return self.handle
            return f"{self.handle} {symbol} {parameters[0]}" if symbol not in ("++", "--") else f"{self.handle}{symbol}"
        if is_operator:
            operand = parameters[-1:] if symbol not in ("++", "--", "<<") else []
            return " ".join([symbol, *operand])
        if any(each.operations != self.operations for each in siblings):
            name = f"{name}({', '.join(parameters)})"
        prefix = "" if self.root in types else f"{self.root}::"
        return prefix + name


class Table:
    def __init__(self, root):
        self.types = Types(root)
        self.methods = Methods(root, self.types)
        self.problems = list(self.types.problems)
        self.entries = []
        self.proxies = {}  # hosted type -> View of its proxy
        self.used = set()
        for view in self.methods.roots():
            self.add_class(view)
        for name in self.types.names:
            if name not in self.proxies:
                self.problems.append(f"{PROXIES}: no proxy is found whose Operations are ops::{name}")
        self.check_operations()
        self.problems += [f"tests/structure/operations.py: NO_OPERATION has {name}, which is not needed"
                          for name in sorted(set(NO_OPERATION) - self.used)]
        self.problems += [f"tests/structure/operations.py: ASIDE has {' and '.join(each)}, which is not needed"
                          for each in sorted(set(ASIDE) - self.methods.asides)]

    def add_class(self, root):
        hosted = self.methods.hosted_type(root)
        if hosted in self.types.names:
            self.proxies[hosted] = root
        found = [(view, function, self.methods.leads(root, view, function))
                 for view, function in self.methods.listed(root) if function.body is not None or hosted]
        is_element = any(view.of.name == "Element" for view in root.lineage())
        if not hosted and not self.methods.is_proxy(root) and not any(operations for _, _, operations in found):
            return
        for view, function, operations in found:
            name = f"{view.of.name}::{function.name}"
            if operations:
                self.entries.append(Entry(root.name, function, operations, self.handle(root) if is_element else ""))
            elif name in NO_OPERATION:
                self.used.add(name)
            elif "noexcept" not in function.rest:
                self.problems.append(f"{function.where}: {name} leads to no operation that is found; if it makes no "
                                     "call, NO_OPERATION in tests/structure/operations.py has to say so")

    def handle(self, root):
        """[index] for ListElement: the parameter of the operator[] that returns it."""
        for view in self.methods.roots():
            for each, function in view.methods("operator[]"):
                returned = each.type_of(function.result)
                if isinstance(returned, View) and returned.of is root.of:
                    return f"[{function.parameter_names()[0]}]"
        raise Failure(f"{root.of.path}: no operator[] returns {root.name}")

    def of(self, name, operation):
        """The entries for an operation of a hosted type, in the order of the headers."""
        key = (self.types.owner(name, operation), operation)
        hosted = {proxy.name: each for each, proxy in self.proxies.items()}
        own = [each for each in self.entries if key in each.operations and
               hosted.get(each.root, name) in (name, "Manager")]
        return sorted(own, key=lambda each: each.root != self.proxies[name].name)

    def check_operations(self):
        for name in self.proxies:
            for operation in self.types.listed(name):
                full = self.full_name(name, operation)
                found = self.of(name, operation)
                if not found and full not in NO_METHOD:
                    self.problems.append(
                        f"{self.types.scope.classes[name].path}: no method leads to {name}::{operation}; write one, or "
                        "give the reason in NO_METHOD of tests/structure/operations.py")
                if found and full in NO_METHOD:
                    self.problems.append(f"tests/structure/operations.py: NO_METHOD has {full}, to which "
                                         f"{found[0].root}::{found[0].function.name} leads")
        known = {self.full_name(name, operation) for name in self.proxies for operation in self.types.listed(name)}
        self.problems += [f"tests/structure/operations.py: NO_METHOD has {name}, which is no operation"
                          for name in sorted(set(NO_METHOD) - known)]

    def full_name(self, name, operation):
        """Queue::Page for the Page of all queues: by the first type that has it."""
        owner = self.types.owner(name, operation)
        first = next(each for each in self.types.names if owner in self.types.structs(each))
        return f"{first}::{operation}"

    def groups(self):
        """Hosted types whose proxies are one class template belong together: all queues."""
        groups = {}
        for name in self.types.names:
            groups.setdefault(self.proxies[name].of.name, []).append(name)
        return list(groups.values())

    def row(self, names, operation):
        types = {self.proxies[name].name for name in names}
        entries = [entry for name in names for entry in self.of(name, operation)]
        texts = []
        for entry in entries:
            siblings = [each for each in self.entries
                        if each.root == entry.root and each.function.name == entry.function.name]
            text = f"`{entry.text(types, siblings)}`"
            if text not in texts:
                texts.append(text)
        texts.sort(key=lambda text: text.startswith("`[") and not text.endswith("]`"))  # l[i] before l[i] = x
        declared = self.types.all_of(names[0])[operation]
        methods = ", ".join(texts) or NO_METHOD[self.full_name(names[0], operation)]
        cells = [f"`{operation}`", f"`{declared.signature}`", declared.effect, methods]
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    def section(self, names):
        headers = dict.fromkeys(os.path.basename(self.types.scope.classes[name].path) for name in names)
        proxy = self.proxies[names[0]].of.path.removeprefix("include/tandem/")
        links = ", ".join(f"[ops/{each}]({each})" for each in headers)
        lines = [f"## {', '.join(names)}", "", f"{links}; [{proxy}](../{proxy})"]
        lines += ["", NOTES[names[0]]] if names[0] in NOTES else []
        lines += ["", "| operation | signature | effect | proxy methods |", "|---|---|---|---|"]
        return [*lines, *(self.row(names, operation) for operation in self.types.listed(names[0]))]

    def document(self):
        lines = [HEAD.format(command=COMMAND).rstrip("\n")]
        for names in self.groups():
            lines += ["", *self.section(names)]
        return "\n".join(lines) + "\n"


def check(root):
    """What is wrong in the headers, as lines, and the document that they make, if nothing is."""
    try:
        table = Table(root)
    except (Failure, ParseError) as failure:
        return [str(failure)], None
    problems = list(dict.fromkeys(table.problems))  # a base's method is found once for each class that has it
    return (problems, None) if problems else ([], table.document())


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("root")
    mode = arguments.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true")
    mode.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    problems, document = check(given.root)
    if problems:
        sys.exit("\n".join(problems))
    path = os.path.join(given.root, DOCUMENT)
    if given.write:
        with open(path, "w", encoding="utf-8") as file:
            file.write(document)
    elif not os.path.isfile(path) or read(given.root, DOCUMENT) != document:
        sys.exit(f"{DOCUMENT} is not what the headers say; run: {COMMAND}")
    else:
        print(f"{DOCUMENT} is what the headers say")


if __name__ == "__main__":
    main()
