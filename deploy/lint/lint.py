#!/usr/bin/env python3
"""The checks of ./dev lint that no other tool has. Standard library only.

  lint.py [--top DIR] [CHECK...]      checks: includes events trap size names scripts; default all

Prints `file:line: what is wrong` and ends with status 1 if there was any.
"""
import argparse
import ast
import os
import re
import subprocess
import sys

SOURCE = (".cc", ".h")
ROOTS = ("common", "agent", "controller")
LINES_MAX = 450          # style.md says about 400
DEFAULT_TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "include_table.txt")


class Tree:
    """The tracked (or, outside git, all) files under `top`."""

    def __init__(self, top, table=DEFAULT_TABLE):
        self.top = top
        self.table = table
        self.files = sorted(self._git() or self._walk())

    def _git(self):
        run = subprocess.run(["git", "-C", self.top, "ls-files", "-z", "-co", "--exclude-standard"],
                             capture_output=True, check=False)
        if run.returncode != 0:
            return None
        return [f for f in run.stdout.decode().split("\0")
                if f and os.path.isfile(os.path.join(self.top, f))]

    def _walk(self):
        return [os.path.relpath(os.path.join(folder, name), self.top)
                for folder, _, names in os.walk(self.top) for name in names]

    def text(self, path):
        with open(os.path.join(self.top, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def sources(self, roots=ROOTS):
        return [f for f in self.files if f.endswith(SOURCE) and f.split("/")[0] in roots]


def room_of(path):
    """`agent/http/routes.cc` → agent/http; files directly in agent/: agent/loop or agent/main."""
    parts = path.split("/")
    if len(parts) > 2:
        return "/".join(parts[:2])
    return f"{parts[0]}/loop" if parts[1].startswith("loop.") else f"{parts[0]}/main"


def read_table(path):
    rooms, libraries = {}, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if not line:
                continue
            left, right = line.split(":", 1)
            if left.startswith("lib "):
                _, name, prefixes = left.split()
                libraries.append((name, tuple(prefixes.split(",")), set(right.split())))
            else:
                rooms[left.strip()] = set(right.split())
    return rooms, libraries


def check_includes(tree):
    rooms, libraries = read_table(tree.table)
    for path in tree.sources():
        room = room_of(path)
        if room not in rooms:
            yield path, 1, f"room {room} is not in {os.path.basename(tree.table)}"
            continue
        allowed = rooms[room] | {room}
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if not match:
                continue
            target = match.group(1)
            if target.split("/")[0] in ROOTS:
                other = room_of(target)
                if other not in allowed and other.split("/")[0] not in allowed:
                    yield path, number, f"{room} may not include {other} ({target})"
                continue
            for name, prefixes, who in libraries:
                if target.startswith(prefixes) and room not in who:
                    yield path, number, f"{room} may not see {name} ({target})"


EVENT = re.compile(r'log::(debug|info|warn|error)\(\s*"([^"]*)"')
ROW = re.compile(r"^\|\s*`([^`]+)`\s*\|\s*(\w+)\s*\|\s*(.+?)\s*\|$")
EVENT_DOC = "docs/log-events.md"


def check_events(tree):
    code = {}
    for path in tree.sources():
        text = tree.text(path)
        for match in EVENT.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            level, event = match.groups()
            if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", event):
                yield path, line, f"event '{event}' is not of the form room.verb"
            code.setdefault(event, []).append((path, line, level))
    rows = []
    if EVENT_DOC in tree.files:
        for number, line in enumerate(tree.text(EVENT_DOC).splitlines(), 1):
            match = ROW.match(line)
            if match:
                rows.append((match.group(1), match.group(2), number))
    names = [row[0] for row in rows]
    for (before, _, _), (after, _, number) in zip(rows, rows[1:]):
        if after <= before:
            yield EVENT_DOC, number, f"`{after}` is doubled or out of order"
    for event, level, number in rows:
        if event not in code:
            yield EVENT_DOC, number, f"`{event}` is not logged anywhere"
        elif level not in {found for _, _, found in code[event]}:
            yield EVENT_DOC, number, f"`{event}` is logged as {code[event][0][2]}, not {level}"
    for event, places in sorted(code.items()):
        path, line, _ = places[0]
        if event not in names:
            yield path, line, f"event {event} has no row in {EVENT_DOC}"
        for path, line, _ in places[1:]:
            if path == places[0][0]:
                continue  # one place may have two branches
            yield path, line, f"event {event} is logged in {places[0][0]}:{places[0][1]} already"


# What may be built with braces inside a co_await expression: nothing to destroy twice.
TRIVIAL = re.compile(r"(?:std::chrono::\w+|Seconds|Millis|Milliseconds|std::byte|Digest)\s*$")


def blank_literals(text):
    """Comments and string contents become blanks, newlines stay."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
                         re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def awaited_expressions(text):
    """(start, expression) of what follows each co_await, up to where its statement or bracket ends."""
    for match in re.finditer(r"\bco_await\b", text):
        depth, end = 0, match.end()
        while end < len(text):
            char = text[end]
            if char in "([{":
                depth += 1
            elif char in ")]}":
                depth -= 1
                if depth < 0:
                    break
            elif char in ";," and depth == 0:
                break
            end += 1
        yield match.start(), text[match.end():end]


def check_trap(tree):
    for path in tree.sources(ROOTS + ("tests",)):
        text = blank_literals(tree.text(path))
        for start, expression in awaited_expressions(text):
            line = text.count("\n", 0, start) + 1
            if re.search(r"(?<![\w\])])\[[^\]\[]+\]\s*(?:\(|\{|mutable\b|noexcept\b)", expression):
                yield path, line, ("capturing lambda written inside co_await: g++ 12.2 destroys it "
                                   "twice; name it first")
            for brace in re.finditer(r"[\w>]\s*\{|[(,]\s*\{", expression):
                before = expression[:brace.end() - 1]
                inside = re.search(r"\)\s*(?:mutable\s*)?(?:->\s*[\w:<>]+\s*)?$", before)
                if not inside and not TRIVIAL.search(before):
                    yield path, line, ("struct built with braces inside co_await: g++ 12.2 destroys "
                                       "it twice; name it first")
                    break


def check_size(tree):
    for path in tree.sources(ROOTS + ("tests",)):
        lines = tree.text(path).count("\n")
        if lines > LINES_MAX:
            yield path, lines, f"{lines} lines (at most {LINES_MAX}): which noun wants to move out?"


def named_types(text):
    """(line, qualified name) of the types defined directly in a named namespace, as clang-format writes them."""
    spaces = []
    for number, (raw, line) in enumerate(zip(text.splitlines(), blank_literals(text).splitlines()), 1):
        opened = re.match(r"(?:inline )?namespace ([\w:]*) ?\{", line)
        if opened:
            spaces.append(opened.group(1))
        elif raw.startswith("}  // namespace") and spaces:
            spaces.pop()
        defined = re.match(r"(?:struct|class|enum class|enum|union) (\w+)(?= *(?:final\b|:(?!:)|\{))", line)
        if defined and spaces and all(spaces):
            yield number, "::".join([*spaces, defined.group(1)])


def check_names(tree):
    """One name, one type: two of them in one program are merged by the linker, without a word."""
    first = {}
    for path in tree.sources():
        for line, name in named_types(tree.text(path)):
            before = first.setdefault(name, (path, line))
            if before[0] != path:
                yield path, line, f"{name} is defined in {before[0]}:{before[1]} too"


def unused_imports(text):
    """(line, name) of imports that a Python file never uses; raises SyntaxError."""
    module = ast.parse(text)
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    for node in ast.walk(module):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                name = (alias.asname or alias.name).split(".")[0]
                if name not in used:
                    yield node.lineno, name


def check_scripts(tree):
    """Scripts are executable exactly if they have a shebang line; Python parses and imports what it uses."""
    for path in tree.files:
        if not path.endswith((".sh", ".py")):
            continue
        shebang = tree.text(path).startswith("#!")
        if shebang != os.access(os.path.join(tree.top, path), os.X_OK):
            yield path, 1, "executable bit and #! line do not agree"
        if path.endswith(".py"):
            try:
                for line, name in unused_imports(tree.text(path)):
                    yield path, line, f"'{name}' is imported and not used"
            except SyntaxError as error:
                yield path, error.lineno or 1, f"not Python: {error.msg}"


CHECKS = {"includes": check_includes, "events": check_events, "trap": check_trap,
          "size": check_size, "names": check_names, "scripts": check_scripts}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--top", default=os.getcwd())
    parser.add_argument("--table", default=DEFAULT_TABLE)
    parser.add_argument("checks", nargs="*", choices=[[], *CHECKS], metavar="CHECK")
    options = parser.parse_args()
    tree = Tree(options.top, options.table)
    found = 0
    for name in options.checks or CHECKS:
        for path, line, what in CHECKS[name](tree):
            print(f"{path}:{line}: {what} [{name}]")
            found += 1
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
