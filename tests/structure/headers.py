"""A small parser of this tree's C++: which classes there are, and of each its bases, aliases, members and functions.

It reads declarations and keeps function bodies as tokens. Namespaces are not told apart, specialisations of templates
are left out, and both branches of an #if are read. What it cannot read is a ParseError.
"""

import re

TOKEN = re.compile(r"""
    (?P<skip>  //[^\n]* | /\*.*?\*/ | \s+ | (?m:^[ \t]*\#)(?:[^\n\\]|\\.)* )
  | [\w]*R"(?P<raw>[^(\s]*)\(.*?\)(?P=raw)" | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)+'
  | \d(?:[\w.]|'\w)* | [A-Za-z_]\w*
  | :: | -> | <=> | <<=? | [<=!+\-*/%&|^]= | \+\+ | -- | && | \|\| | \.\.\. | \S
""", re.VERBOSE | re.DOTALL)
OPEN = {"(": ")", "[": "]", "{": "}"}
ACCESS = ("public", "protected", "private")
# Words before a parenthesis that do not name a function.
NO_FUNCTION = {"requires", "noexcept", "decltype", "explicit", "alignas", "static_assert", "sizeof"}


class ParseError(Exception):
    pass


class Token(str):
    """A token, and the line that it is on."""
    line = 0


def tokens_of(text):
    tokens = []
    line = 1
    for match in TOKEN.finditer(text):
        if match.group("skip") is None:
            token = Token(match.group())
            token.line = line
            tokens.append(token)
        line += match.group().count("\n")
    return tokens


def is_name(token):
    return token[0].isalpha() or token[0] == "_"


def closing(tokens, at):
    """The index of the bracket that closes the one at `at`."""
    open_brackets = []
    for i in range(at, len(tokens)):
        if tokens[i] in OPEN:
            open_brackets.append(OPEN[tokens[i]])
        elif open_brackets and tokens[i] == open_brackets[-1]:
            open_brackets.pop()
            if not open_brackets:
                return i
    raise ParseError(f"line {tokens[at].line}: nothing closes this {tokens[at]}")


def closing_angle(tokens, at):
    """The index of the > that ends the template arguments which begin at `at`, or None if it is a comparison."""
    depth = 0
    i = at
    while i < len(tokens):
        if tokens[i] in OPEN:
            i = closing(tokens, i)
        elif tokens[i] == "<":
            depth += 1
        elif tokens[i] == ">":
            depth -= 1
            if depth == 0:
                return i
        elif tokens[i] in (";", ")", "]", "}"):
            return None
        i += 1
    return None


def top_level(tokens):
    """The indices of the tokens outside of brackets and template arguments; of a group, that of its first token."""
    i = 0
    while i < len(tokens):
        yield i
        if tokens[i] in OPEN:
            i = closing(tokens, i)
        elif tokens[i] == "<" and i > 0 and is_name(tokens[i - 1]) and tokens[i - 1] != "operator":
            i = closing_angle(tokens, i) or i
        i += 1


def split(tokens):
    """The parts between the commas outside of brackets and template arguments."""
    parts = [[]]
    last = 0
    for i in [*top_level(tokens), len(tokens)]:
        parts[-1] += tokens[last:i]
        last = i
        if i < len(tokens) and tokens[i] == ",":
            parts.append([])
            last = i + 1
    return parts if parts != [[]] else []


def before_default(tokens):
    at = next((i for i in top_level(tokens) if tokens[i] == "="), len(tokens))
    return tokens[:at]


class Class:
    def __init__(self, name, templates=(), bases=(), path=""):
        self.name = name
        self.templates = dict(templates)  # its template parameters: name -> what precedes it
        self.bases = list(bases)          # each as tokens
        self.path = path
        self.aliases = {}                 # name -> tokens
        self.members = {}                 # name -> tokens of the type
        self.classes = {}                 # name -> Class
        self.functions = []


class Function:
    def __init__(self, name, result, parameters, rest, templates, access, where):
        self.name = name              # "push_back", "operator+=", "operator V", "~Lease"
        self.result = result          # what precedes the name
        self.parameters = parameters  # each as tokens, with its default
        self.rest = rest              # what follows the parameters: const, noexcept, a constructor's initialisers
        self.templates = templates    # as those of a class
        self.access = "public" if "friend" in result else access
        self.where = where
        self.body = None

    def takes(self, count):
        """Whether it can be called with so many arguments."""
        needed = sum("=" not in part and "..." not in part for part in self.parameters)
        most = None if any("..." in part for part in self.parameters) else len(self.parameters)
        return needed <= count and (most is None or count <= most)

    def parameter_names(self):
        """The name of each parameter; a parameter without a name has its type's last word."""
        return [next((t for t in reversed(before_default(part)) if is_name(t)), "…") for part in self.parameters]

    def parameter_types(self):
        return [before_default(part)[:-1] for part in self.parameters]


def take_templates(head):
    """Splits `template <…>` off the front; returns the parameters, each name with what precedes it, and the rest."""
    names = {}
    while len(head) > 1 and head[0] == "template":
        end = closing_angle(head, 1)
        if end is None:
            raise ParseError(f"line {head[0].line}: template parameters without an end")
        for part in split(head[2:end]):
            declared = before_default(part)
            if declared and is_name(declared[-1]):
                names[declared[-1]] = declared[:-1]
        head = head[end + 1:]
    return names, head


def find_function(head):
    """The places in `head` where a function's name and its parameters begin, or None if it declares none."""
    for i in top_level(head):
        if head[i] == "operator":
            opened = next((j for j in range(i + 1, len(head)) if head[j] == "("), None)
            if opened == i + 1 and head[i + 2:i + 4] == [")", "("]:  # operator()
                opened = i + 3
            if opened is not None:
                return i, opened
        if head[i] == "(" and i > 0 and is_name(head[i - 1]) and head[i - 1] not in NO_FUNCTION:
            return (i - 2 if i > 1 and head[i - 2] == "~" else i - 1), i
    return None


def parse_file(path, text, scope):
    """Adds what a file declares to `scope`, a class without a name that stands for all namespaces."""
    try:
        Parser(path, scope).parse(tokens_of(text), scope, "public")
    except ParseError as error:
        raise ParseError(f"{path}: {error}") from None


class Parser:
    def __init__(self, path, scope):
        self.path = path
        self.scope = scope

    def parse(self, tokens, owner, access):
        head = []
        i = 0
        while i < len(tokens):
            token = tokens[i]
            end = i
            if token == ";":
                self.declare(head, owner, access)
                head = []
            elif token == ":" and len(head) == 1 and head[0] in ACCESS:
                access = head[0]
                head = []
            elif token == "{":
                end = closing(tokens, i)
                if self.is_initialiser(head):
                    head += tokens[i:end + 1]
                else:
                    self.open(head, tokens[i + 1:end], owner, access)
                    head = []
            elif token in OPEN:
                end = closing(tokens, i)
                head += tokens[i:end + 1]
            elif token == "}":
                raise ParseError(f"line {token.line}: nothing opens this }}")
            else:
                head.append(token)
            i = end + 1
        if head:
            raise ParseError(f"line {head[0].line}: a declaration without an end")

    @staticmethod
    def is_initialiser(head):
        """Whether a brace after `head` begins a value or a requires-expression, not a scope or a body."""
        _, rest = take_templates(head)
        top = list(top_level(rest))
        words = [rest[i] for i in top]
        if not words:
            raise ParseError(f"line {head[0].line if head else '?'}: a block that belongs to nothing")
        function = find_function(rest)
        before = words[:top.index(function[0])] if function and function[0] in top else words
        if words[-1] == "requires":
            return True
        if words[-1] == "(" and len(words) > 1 and words[-2] == "requires" and (
                function is None or words[-3] in ("requires", "&&", "||")):
            return True
        if any(word == "=" and words[i - 1] != "operator" for i, word in enumerate(words)):
            return True
        if any(word in ("namespace", "class", "struct", "union", "enum") for word in before):
            return False
        if function is None:
            return True
        is_constructor_list = any(word == ":" for word in words[len(before):])
        return is_constructor_list and (is_name(words[-1]) or words[-1] == "<")

    def open(self, head, inside, owner, access):
        templates, rest = take_templates(head)
        top = list(top_level(rest))
        function = find_function(rest)
        at = next((i for i in top if rest[i] in ("namespace", "class", "struct", "union", "enum")
                   and (function is None or i < function[0])), None)
        if at is None:
            self.define(self.function(rest, function, templates, access), inside, owner, rest[:function[0]])
        elif rest[at] == "namespace":
            self.parse(inside, owner, "public")
        elif rest[at] != "enum":
            opened = self.open_class(rest[at + 1:], templates, owner)
            if opened is not None:
                self.parse(inside, opened, "private" if rest[at] == "class" else "public")

    def open_class(self, rest, templates, owner):
        """The class that `rest` begins; None for a specialisation."""
        colon = next((i for i in top_level(rest) if rest[i] == ":"), len(rest))
        name = [i for i in top_level(rest[:colon]) if rest[i] not in ("[", "::", "final")]
        if name and rest[name[-1]] == "<":
            return None
        path = [rest[i] for i in name if rest[i] != "<"]
        for outer in path[:-1]:
            if outer not in owner.classes:
                raise ParseError(f"line {rest[0].line}: a class within {outer}, which is not known")
            owner = owner.classes[outer]
        bases = [[t for t in part if t not in (*ACCESS, "virtual")] for part in split(rest[colon + 1:])]
        if path[-1] in owner.classes:
            raise ParseError(f"line {rest[0].line}: a second class {path[-1]}")
        opened = Class(path[-1], templates, bases, self.path)
        owner.classes[path[-1]] = opened
        return opened

    def function(self, rest, function, templates, access):
        name, opened = function
        end = closing(rest, opened)
        words = rest[name:opened]
        text = "".join(words) if words[0] == "operator" and not is_name(words[1]) else (
            "~" + words[1] if words[0] == "~" else " ".join(words))
        return Function(text, rest[:name], split(rest[opened + 1:end]), rest[end + 1:], templates, access,
                        f"{self.path}:{rest[name].line}")

    def define(self, function, body, owner, before):
        function.body = body
        if before[-1:] != ["::"]:
            owner.functions.append(function)
            return
        # Outside of its class: the body belongs to the declaration there.
        names = [before[i] for i in top_level(before[:-1]) if is_name(before[i])]
        within = self.scope.classes.get(names[-1]) if names else None
        if within is None:
            return
        for declared in within.functions:
            if declared.name == function.name and declared.parameter_types() == function.parameter_types():
                declared.body = body
                return
        line = function.where.rpartition(":")[2]
        raise ParseError(f"line {line}: {within.name} declares no such {function.name}")

    def declare(self, head, owner, access):
        templates, rest = take_templates(head)
        if not rest:
            return
        if rest[0] == "using":
            if len(rest) > 2 and rest[2] == "=":
                owner.aliases[rest[1]] = rest[3:]
            return
        function = find_function(rest)
        top = [rest[i] for i in top_level(rest)]
        is_value = "=" in top and function is not None and rest.index("=") < function[0]
        if function and not is_value:
            declared = self.function(rest, function, templates, access)
            if not {"default", "delete"} & set(declared.rest) and "::" not in declared.result[-1:]:
                owner.functions.append(declared)
        elif top[0] not in ("friend", "class", "struct", "enum", "typedef", "static_assert", "extern"):
            value = next((i for i in top_level(rest) if rest[i] in ("=", "{")), len(rest))
            if value and is_name(rest[value - 1]):
                owner.members[rest[value - 1]] = rest[:value - 1]
