"""What a plugin's code says of itself, found by reading it. Nothing is imported, nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HOOKS = {"register_sources": "source", "register_sinks": "sink", "register_routers": "router"}

_MODULES = {
    "subprocess": "can start programs",
    "multiprocessing": "can start processes",
    "pty": "can start programs",
    "socket": "can open connections past the toolbox",
    "http.client": "can open connections past the toolbox",
    "urllib.request": "can open connections past the toolbox",
    "ftplib": "can open connections past the toolbox",
    "smtplib": "can open connections past the toolbox",
    "imaplib": "can open connections past the toolbox",
    "telnetlib": "can open connections past the toolbox",
    "aiohttp": "can open connections past the toolbox",
    "httpx": "can open connections past the toolbox",
    "urllib3": "can open connections past the toolbox",
    "ctypes": "can run machine code",
    "cffi": "can run machine code",
    "pickle": "can run code out of data",
    "marshal": "can run code out of data",
    "importlib": "can load other modules",
    "runpy": "can run other modules",
    "sqlite3": "can open database files",
    "sqlalchemy": "can open databases",
    "threading": "can go on working on its own",
    "asyncio": "can go on working on its own",
    "hub": "reaches into the hub past hub.sdk",
}
_CALLS = {
    "eval": "runs code out of text",
    "exec": "runs code out of text",
    "compile": "makes code out of text",
    "__import__": "loads other modules",
    "open": "opens files",
    "os.system": "starts programs",
    "os.popen": "starts programs",
    "os.fork": "starts processes",
    "os.getenv": "reads the environment",
    **{f"requests.{verb}": "calls past the toolbox" for verb in ("get", "post", "put", "patch", "delete", "request")},
    "requests.Session": "calls past the toolbox",
    "time.sleep": "makes the hub's threads wait",
}
_NAMES = {"os.environ": "reads the environment", "builtins.__dict__": "hides what it calls"}
_STARTS = ("os.exec", "os.spawn", "os.posix_spawn")


@dataclass(frozen=True, slots=True)
class Hint:
    """One place where code does something a connector seldom needs. No proof of anything, in either direction."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Declared:
    """What the classes and functions of a plugin say of themselves in so many words.

    ``reaches`` is ``None`` when no class has it; ``plugin_apis`` is empty when none states a number.
    """

    sides: tuple[str, ...]
    plugin_apis: tuple[int, ...]
    reaches: tuple[str, ...] | None
    hints: tuple[Hint, ...]


def read(sources: Iterable[tuple[str, bytes]]) -> Declared:
    """Read Python files, each a name and its bytes. A file that cannot be parsed becomes a hint."""
    sides: set[str] = set()
    apis: set[int] = set()
    reaches: list[str] | None = None
    hints: list[Hint] = []
    for name, source in sources:
        try:
            tree = ast.parse(source, name)
            hints += dict.fromkeys(_hints(name, tree))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            hints.append(Hint(name, getattr(error, "lineno", None) or 1, f"cannot be read: {type(error).__name__}"))
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name in HOOKS:
                sides.add(HOOKS[node.name])
            elif isinstance(node, ast.ClassDef):
                values = dict(_constants(node))
                if isinstance(values.get("plugin_api"), int):
                    apis.add(int(str(values["plugin_api"])))
                if isinstance(values.get("reaches"), tuple):
                    reaches = [*(reaches or []), *map(str, values["reaches"])]  # type: ignore[call-overload]
    order = [side for side in HOOKS.values() if side in sides]
    return Declared(
        tuple(order), tuple(sorted(apis)), None if reaches is None else tuple(dict.fromkeys(reaches)), tuple(hints)
    )


def read_folder(folder: Path) -> Declared:
    """As :func:`read`, of an installed package; a single module when ``folder`` is a file."""
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]
    where = folder.parent
    return read((file.relative_to(where).as_posix(), file.read_bytes()) for file in files)


def _constants(node: ast.ClassDef) -> Iterator[tuple[str, object]]:
    """The attributes of a class whose values can be read off."""
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            name, value = line.targets[0].id, line.value
        elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
            name, value = line.target.id, line.value
        else:
            continue
        try:
            found = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, RecursionError):
            continue
        yield name, tuple(found) if isinstance(found, list) else found


def _hints(name: str, tree: ast.Module) -> Iterator[Hint]:
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                yield from _module(name, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            yield from _module(name, node.lineno, node.module, [alias.name for alias in node.names])
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = _dotted(node.func, known)
            if called in _CALLS:
                yield Hint(name, node.lineno, f"{called}(): {_CALLS[called]}")
            elif called.startswith(_STARTS):
                yield Hint(name, node.lineno, f"{called}(): starts programs")
        elif isinstance(node, ast.Attribute | ast.Name):
            used = _dotted(node, known)
            if used in _NAMES:
                yield Hint(name, node.lineno, f"{used}: {_NAMES[used]}")


def _module(name: str, line: int, module: str, taken: Iterable[str] = ()) -> Iterator[Hint]:
    if module == "hub":
        for one in taken:
            if one != "sdk":
                yield Hint(name, line, f"imports hub.{one}: {_MODULES['hub']}")
        return
    if module == "hub.sdk" or module.startswith("hub.sdk."):
        return
    for known, why in _MODULES.items():
        of_it = known.rpartition(".")[0] == module and known.rpartition(".")[2] in taken
        if module == known or module.startswith(known + ".") or of_it:
            yield Hint(name, line, f"imports {known if of_it else module}: {why}")


def _dotted(node: ast.expr, known: dict[str, str]) -> str:
    """``os.environ`` for an expression that means it, whatever it was imported as; empty for anything else."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        left = _dotted(node.value, known)
        return f"{left}.{node.attr}" if left else ""
    return ""
