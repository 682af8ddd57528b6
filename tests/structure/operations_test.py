#!/usr/bin/env python3
"""The check of operations and methods must be able to say no, and see through what proxies are made of: a small tree,
and changes of it, each with the complaint it deserves."""

import contextlib
import io
import os
import tempfile
import unittest
from unittest import mock

import operations

GOOD = {
    "include/tandem/ops/all.hpp": """
namespace tandem::ops {
using AllTypes = TypeList<Manager, List, Lock, RLock>;
}
""",
    "include/tandem/ops/manager.hpp": """
struct Manager {
  static constexpr std::string_view type = "manager";
  static constexpr std::uint8_t number = 1;
  using Create = Op<1, "create(type, arguments)", Effect::writes, Reference(Text, Items)>;
  using Ping = Op<2, "ping()", Effect::reads, void()>;
  using Run = Op<3, "run(steps)", Effect::frees, Items(Items)>;
  using All = OpList<Create, Ping, Run>;
};
""",
    "include/tandem/ops/list.hpp": """
struct List {
  static constexpr std::string_view type = "list";
  static constexpr std::uint8_t number = 2;
  using Create = Op<0, "create()", Effect::writes, void()>;
  using Append = Op<1, "append(item)", Effect::writes, void(Any)>;  // using Gone = Op<9, "gone()", …>;
  using At = Op<2, "at(index=-1)", Effect::reads, Any(Optional<Int>)>;
  using Set = Op<3, "set(index, item)", Effect::writes, void(Int, Any)>;
  using Page = Op<4, "page(cursor)", Effect::reads, Tuple<Int, Items>(Int)>;
  using GiveBack = Op<5, "give_back(leases)", Effect::frees, void(Items)>;
  using All = OpList<Create, Append, At, Set, Page, GiveBack>;
};
""",
    "include/tandem/ops/lock.hpp": """
using GrantFacts = Tuple<Int, Bool>;
struct LockOperations {
  using Acquire = Op<1, "acquire(limit_us=None)", Effect::waits, GrantFacts(Optional<Int>)>;
};
struct Lock : LockOperations {
  static constexpr std::string_view type = "lock";
  static constexpr std::uint8_t number = 3;
  using Create = Op<0, "create()", Effect::writes, void()>;
  using All = OpList<Create, Acquire>;
};
struct RLock : LockOperations {
  static constexpr std::string_view type = "rlock";
  static constexpr std::uint8_t number = 4;
  using Create = Op<0, "create()", Effect::writes, void()>;
  using All = OpList<Create, Acquire>;
};
""",
    "include/tandem/proxy/proxy.hpp": """
class Proxy {
 public:
  bool valid() const noexcept { return object_ != nullptr; }
 protected:
  template <class Op, class R = void, class... A>
  R call(const A&... arguments) const { return Call(Op::description).send(); }
};
template <class Pages>
class PageIterator {
 public:
  explicit PageIterator(Pages pages) { pages.fetch(); }
};
template <class Derived, class V>
class Element {
 public:
  operator V() const { return self().template read<V>(); }
  V operator+=(const V& delta) const requires(sizeof(V) > 1) { return self().write(delta); }
  template <class U>
  requires(!std::same_as<U, V>) && requires(const V& v, const U& u) { v == u; }
  friend bool operator==(const Derived& element, const U& value) { return element.read() == value; }
 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};
""",
    "include/tandem/proxy/list.hpp": """
template <class T>
class ListElement;
template <class T = nlohmann::json>
class List : public Proxy {
 public:
  using Operations = ops::List;
  using iterator = PageIterator<client::PageOf<Operations::Page, T>>;
  static constexpr int limit = [] { return 3; }();
  List() = default;
  void push_back(const T& item) const { call<Operations::Append>(item); }
  template <class R = T>
  R at(Index index) const {
    return call<Operations::At, R>(index);
  }
  T back() const { return at(-1); }
  T take() const { return at(0); }
  void take(const T& item) const { push_back(item); }
  ListElement<T> operator[](Index index) const { return {*this, index}; }
  iterator begin() const { return iterator(*this); }
  iterator end() const { return {}; }
  template <std::same_as<List> Self>
  friend std::ostream& operator<<(std::ostream& out, const Self& list) { return out << "{'" << list.back(); }
  std::size_t checked() const;
 private:
  friend ListElement<T>;
  void put(Index index, const T& item) const { this->template call<typename Operations::Set>(index, item); }
};
template <class T>
inline std::size_t List<T>::checked() const {
  return back();
}
template <class T>
class ListElement : public Element<ListElement<T>, T> {
 public:
  ListElement(const List<T>& list, Index index) : list_(list), index_{index} {}
  const ListElement& operator=(const T& item) const { return write(item), *this; }
 private:
  friend Element<ListElement, T>;
  template <class R>
  R read() const { return list_.template at<R>(index_); }
  void write(const T& item) const { list_.put(index_, item); }
  List<T> list_;
  Index index_{};
};
class Lease {
 public:
  void give_back() { end<ops::List::GiveBack>(); }
  ~Lease() { give_back(); }
 private:
  template <class Op>
  void end() { client::call_with_leases<Op>(*queue_); }
};
""",
    "include/tandem/proxy/lock.hpp": """
template <class TheOperations>
class BasicLock : public Proxy {
 public:
  using Operations = TheOperations;
  void lock() const { (void)acquire(1); }
  bool try_lock() const { return acquire(0); }
 private:
  bool acquire(int limit) const { return call_and_wait<typename Operations::Acquire, bool>(limit); }
};
using Lock = BasicLock<ops::Lock>;
using RLock = BasicLock<ops::RLock>;
""",
    "include/tandem/manager.hpp": """
class Manager {
 public:
  using Operations = ops::Manager;
  explicit Manager(const char* address);
  template <class T>
  List<T> list() const { return create<List<T>>(); }
  Lock lock() const { return create<Lock>(); }
  RLock rlock() const { return create<RLock>(); }
  template <class P>
  P create() const {
    using Operations = typename P::Operations;
    return call<ops::Manager::Create>(Operations::type, arguments_of<typename Operations::Create>());
  }
  void ping() const;
};
template <>
struct Codec<Manager> {
  static void encode(Encoder& to, const Manager& manager);
};
""",
    "client/manager.cpp": """
#include "tandem/manager.hpp"
Manager::Manager(const char* address) : state_(connect(address)) {}
void Manager::ping() const {
  using Ping = ops::Manager::Ping;
  client::Call call(Ping::description);
}
void Codec<Manager>::encode(Encoder& to, const Manager& manager) {}
""",
    "client/calls/container.cpp": "",
}
TABLES = {
    "NO_METHOD": {"Manager::Run": "(batches)"},
    "NO_OPERATION": {"List::operator[]": "", "List::end": ""},
    "ASIDE": {},
}


def section(document, name):
    """The rows of a type in the document: operation -> (signature, effect, methods)."""
    lines = document.split(f"\n## {name}\n")[1].split("\n## ")[0].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): tuple(row[1:]) for row in rows}


class OperationsTest(unittest.TestCase):
    @contextlib.contextmanager
    def tree(self, changes=(), tables=None):
        """A folder with the good tree, in which each (file, old text, new text) is changed."""
        files = dict(GOOD)
        for path, old, new in changes:
            self.assertIn(old, files[path])
            files[path] = files[path].replace(old, new)
        with tempfile.TemporaryDirectory() as root, mock.patch.multiple(operations, **{**TABLES, **(tables or {})}):
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            yield root

    def document(self, *changes):
        with self.tree(changes) as root:
            problems, document = operations.check(root)
        self.assertEqual(problems, [])
        return document

    def refuses(self, problem, *changes, tables=None):
        with self.tree(changes, tables) as root:
            problems, document = operations.check(root)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(problem, problems[0])
        self.assertIsNone(document)

    def test_good_tree(self):
        document = self.document()
        self.assertEqual(section(document, "Manager"), {
            "Create": ("`create(type: Text, arguments: Items) → Reference`", "writes",
                       "`list`, `lock`, `rlock`, `create`"),
            "Ping": ("`ping() → void`", "reads", "`ping`"),
            "Run": ("`run(steps: Items) → Items`", "frees", "(batches)"),
        })
        self.assertEqual(section(document, "List"), {
            "Create": ("`create() → void`", "writes", "`Manager::list`"),
            "Append": ("`append(item: Any) → void`", "writes", "`push_back`, `take(item)`"),
            "At": ("`at(index: Int = -1) → Any`", "reads", "`at`, `back`, `take()`, `<<`, `checked`, `[index]`"),
            "Set": ("`set(index: Int, item: Any) → void`", "writes", "`[index] = item`, `[index] += delta`"),
            "Page": ("`page(cursor: Int) → Tuple<Int, Items>`", "reads", "`begin`"),
            "GiveBack": ("`give_back(leases: Items) → void`", "frees", "`Lease::give_back`"),
        })
        self.assertEqual(section(document, "Lock, RLock"), {
            "Create": ("`create() → void`", "writes", "`Manager::lock`, `Manager::rlock`"),
            "Acquire": ("`acquire(limit_us: Int = None) → Tuple<Int, Bool>`", "waits", "`lock`, `try_lock`"),
        })

    def test_bars_do_not_end_a_cell(self):
        document = self.document(("include/tandem/proxy/list.hpp", "T back() const", "T operator|(int items) const"),
                                 ("include/tandem/proxy/list.hpp", "back()", "at(0)"))
        self.assertIn(r"`\| items`", document)

    def test_an_operation_without_a_method(self):
        path = "include/tandem/ops/list.hpp"
        self.refuses(f"{path}: no method leads to List::Extra",
                     (path, "  using All", '  using Extra = Op<6, "extra()", Effect::reads, Int()>;\n  using All'),
                     (path, "GiveBack>", "GiveBack, Extra>"))
        self.refuses("no method leads to Lock::Create",
                     ("include/tandem/manager.hpp", "return create<Lock>();", "return create<RLock>();"))

    def test_an_operation_that_is_not_listed(self):
        self.refuses("List::GiveBack is not in `All`", ("include/tandem/ops/list.hpp", ", GiveBack>", ">"))

    def test_a_type_that_is_not_listed_or_has_no_proxy(self):
        self.refuses("RLock is not in AllTypes", ("include/tandem/ops/all.hpp", ", RLock", ""))
        self.refuses("no proxy is found whose Operations are ops::RLock",
                     ("include/tandem/proxy/lock.hpp", "BasicLock<ops::RLock>", "int"),
                     ("include/tandem/manager.hpp", "  RLock rlock() const { return create<RLock>(); }", ""))

    def test_a_method_without_an_operation(self):
        for path, name, method in [
            ("include/tandem/proxy/list.hpp", "List::lost", "void lost() const { client::somewhere(*this); }"),
            ("include/tandem/proxy/lock.hpp", "BasicLock::lost", "void lost() const {}"),
            ("include/tandem/proxy/list.hpp", "Lease::lost", "int lost() const { return 1; }"),
            ("include/tandem/manager.hpp", "Manager::lost", "int lost() const { return 1; }"),
        ]:
            with self.subTest(name=name):
                before = {"Lease::lost": "  void give_back() {", "Manager::lost": "  void ping()",
                          "List::lost": "  T back()", "BasicLock::lost": "  void lock()"}[name]
                self.refuses(f"{name} leads to no operation", (path, before, f"  {method}\n{before}"))
        self.document(("include/tandem/proxy/list.hpp", "  T back()",
                       "  int id() const noexcept { return 1; }\n  T back()"))

    def test_an_operation_that_cannot_be_attributed(self):
        path = "include/tandem/proxy/list.hpp"
        self.refuses("List::at calls Operations::Gone", (path, "Operations::At", "Operations::Gone"))
        self.refuses("List::at calls Elsewhere::At", (path, "Operations::At", "Elsewhere::At"))
        self.refuses("Manager::lock creates Unknown", ("include/tandem/manager.hpp", "create<Lock>", "create<Unknown>"))

    def test_a_method_that_is_defined_elsewhere(self):
        self.refuses("Manager::ping is defined in none of the files",
                     ("client/manager.cpp", "void Manager::ping() const", "void Other::ping() const"))
        self.refuses("client/manager.cpp: line 4: Manager declares no such pong",
                     ("client/manager.cpp", "Manager::ping", "Manager::pong"))

    def test_tables_without_need(self):
        self.refuses("NO_METHOD has Manager::Ping, to which Manager::ping leads",
                     tables={"NO_METHOD": {"Manager::Run": "", "Manager::Ping": ""}})
        self.refuses("NO_METHOD has Manager::Gone, which is no operation",
                     tables={"NO_METHOD": {"Manager::Run": "", "Manager::Gone": ""}})
        self.refuses("NO_OPERATION has List::back, which is not needed",
                     tables={"NO_OPERATION": {**TABLES["NO_OPERATION"], "List::back": ""}})
        self.refuses("ASIDE has List::back and List::Append, which is not needed",
                     tables={"ASIDE": {("List::back", "List::Append"): ""}})

    def test_what_is_aside(self):
        change = ("include/tandem/proxy/list.hpp", "return at(-1);", "push_back({}); return at(-1);")
        with self.tree([change], {"ASIDE": {("List::back", "List::Append"): ""}}) as root:
            problems, document = operations.check(root)
        self.assertEqual(problems, [])
        self.assertEqual(document, self.document())
        self.assertNotEqual(document, self.document(change))

    def test_what_cannot_be_read(self):
        self.refuses("include/tandem/proxy/lock.hpp: line 3: nothing closes this",
                     ("include/tandem/proxy/lock.hpp", "\n};\n", "\n"))
        self.refuses("List::At is no Op<number, signature, effect, result(parameters)>",
                     ("include/tandem/ops/list.hpp", "Op<2, ", "Op<"))
        self.refuses("List::Set: set(index, item) names 2 parameters and has types for 1",
                     ("include/tandem/ops/list.hpp", "void(Int, Any)", "void(Int)"))

    def run_main(self, root, mode):
        """The text with which the command fails, or None."""
        with mock.patch("sys.argv", ["operations.py", root, mode]), contextlib.redirect_stdout(io.StringIO()):
            try:
                operations.main()
            except SystemExit as failure:
                return failure.code
        return None

    def test_the_command(self):
        with self.tree() as root:
            self.assertIn(f"README.md is not what the headers say; run: {operations.COMMAND}",
                          self.run_main(root, "--check"))
            self.assertIsNone(self.run_main(root, "--write"))
            self.assertIsNone(self.run_main(root, "--check"))
            path = os.path.join(root, "include/tandem/proxy/list.hpp")
            with open(path, "w", encoding="utf-8") as file:
                file.write(GOOD["include/tandem/proxy/list.hpp"].replace("push_back", "append"))
            self.assertIn(operations.COMMAND, self.run_main(root, "--check"))
            self.assertIsNone(self.run_main(root, "--write"))
            self.assertIsNone(self.run_main(root, "--check"))


if __name__ == "__main__":
    unittest.main()
