"""Write the parts of the docs that say what the code says: ``make docs``. With ``--check`` nothing is written.

The contract reference is read from the source of ``hub.sdk`` (signatures, fields and defaults as they stand there), so
that it cannot say anything else.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from hub import sdk
from hub.catalogue.contract import ROLES
from hub.flow.retry import ACTIONS
from hub.sdk import ConnectorError, connectors, errors

DOCS = Path(__file__).parent
SDK = Path(sdk.__file__).parent

SECTIONS = (
    ("Hooks", "hookspecs", "What a plugin's module implements. [Publishing](publishing.md) shows a whole one."),
    ("Connectors and roles of both sides", "connectors", ""),
    ("Getting connected", "connecting", ""),
    ("Sources", "sources", "A source may also have the roles of both sides, above."),
    ("Sinks", "sinks", "A sink may also have the roles of both sides, above."),
    ("People and the past of a helpdesk", "history", "Roles of a sink."),
    (
        "Agent commands",
        "commands",
        "What agents tell the hub by a tag; a sink that sets up macros or views makes them from these.",
    ),
    ("Routers", "routers", ""),
    (
        "Events and the values in them",
        "messages",
        "All are frozen, refuse unknown fields and serialise to JSON.",
    ),
    ("Deliveries and their outcomes", "deliveries", ""),
    ("Errors", "errors", "What the hub does after each, place by place: [errors](../errors/index.md)."),
    ("Settings", "settings", ""),
    ("Toolbox", "toolbox", ""),
    ("Webhooks", "webhooks", ""),
    ("Signatures of whole requests", "signing", ""),
    ("JSON pointers", "pointers", ""),
    ("Signed calls", "receiver", "Import these from `hub.sdk.receiver`."),
    ("Texts", "text", "Import these from `hub.sdk.text`."),
    ("Sandboxes", "sandboxes", "Import these from `hub.sdk.sandboxes`."),
)
FROM_THEIR_MODULE = ("receiver", "text", "sandboxes")
"""Modules a plugin imports by name; of the others only what ``hub.sdk`` re-exports is public, and the classes and words
that those names are made of."""

PYDANTIC = {
    "Field": "Says of a setting what it is: default, `description`, `examples`, bounds.",
    "model_validator": "Marks a method that checks settings together.",
}
"""What ``hub.sdk`` re-exports as it is: why a plugin needs it."""

GENERATED = "<!-- {edge} generated: {what} -->"


@dataclass(frozen=True)
class Named:
    """One public name: where it stands, and what its docstring says."""

    name: str
    module: str
    node: ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign
    doc: str


def public_names() -> list[Named]:
    """Every name the reference documents, in the order of the source."""
    return [one for _, module, _ in SECTIONS for one in _of_module(module)]


def _of_module(module: str) -> Iterator[Named]:
    body = ast.parse((SDK / f"{module}.py").read_text()).body
    for place, node in enumerate(body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name, doc = node.name, ast.get_docstring(node) or ""
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name, doc = ast.unparse(target), _following(body, place)
        else:
            continue
        if not name.startswith("_") and _is_public(name, module):
            yield Named(name, module, node, doc)


def _is_public(name: str, module: str) -> bool:
    if name in sdk.__all__ or module in FROM_THEIR_MODULE:
        return True
    if module == "hookspecs":
        return name.startswith("register_")
    # Bases and words that public signatures are made of: a reader must find them.
    return name in ("Delivers", "Finds", "Polls", "Value", "Privacy", "SenderKind", "TicketStatus")


def _following(body: list[ast.stmt], place: int) -> str:
    after = body[place + 1] if place + 1 < len(body) else None
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
        return textwrap.dedent(after.value.value).strip()
    return ""


def reference() -> str:
    """The whole contract reference."""
    known = {one.name for one in public_names()}
    parts = [
        "# Contract reference",
        f"Plugin API {connectors.PLUGIN_API}. Made from the source of `hub.sdk` by `make docs`; do not edit. "
        "`from hub.sdk import ...` gives every name here, unless its section says otherwise.",
    ]
    for title, module, words in SECTIONS:
        parts.append(f"## {title}")
        if words:
            parts.append(words)
        for one in _of_module(module):
            parts += _entry(one, known)
        if module == "settings":
            parts += [f"### {name}\n\npydantic's own, re-exported. {about}" for name, about in PYDANTIC.items()]
    return "\n\n".join(parts) + "\n"


def _entry(one: Named, known: set[str]) -> Iterator[str]:
    yield f"### {one.name}"
    yield f"```python\n{_code(one)}\n```"
    yield _prose(one.doc, known - {one.name})
    if isinstance(one.node, ast.ClassDef):
        items = [f"- `{name}`: {_prose(doc, known, one_line=True)}" for name, doc in _members(one.node) if doc]
        if items:
            yield "\n".join(items)
    if one.module == "errors" and one.name != "ConnectorError":
        yield f"[What the hub does next](../errors/{one.name}.md)"


def _members(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for place, item in enumerate(node.body):
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            yield item.name, ast.get_docstring(item) or ""
        elif isinstance(item, ast.AnnAssign) and not ast.unparse(item.target).startswith("_"):
            yield ast.unparse(item.target), _following(node.body, place)


def _code(one: Named) -> str:
    """The name as its source has it, without docstrings and bodies."""
    source = (SDK / f"{one.module}.py").read_text().split("\n")
    node = one.node
    if isinstance(node, ast.FunctionDef):
        return _signature(source, node)
    if not isinstance(node, ast.ClassDef):
        return _lines(source, node.lineno, node.end_lineno)
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and _is_shown(ast.unparse(item.target))]
    methods = [item for item in node.body if isinstance(item, ast.FunctionDef) and _is_shown(item.name)]
    lines = [_lines(source, item.lineno, item.end_lineno) for item in fields]
    lines += [""] if fields and methods else []
    lines += [_signature(source, item) for item in methods]
    return "\n".join([_head(source, node), *lines]) if lines else _head(source, node) + " ..."


def _is_shown(name: str) -> bool:
    return not name.startswith("_") or name in ("__init__", "__call__")


def _signature(source: list[str], node: ast.FunctionDef) -> str:
    return _head(source, node) + " ..."


def _head(source: list[str], node: ast.FunctionDef | ast.ClassDef) -> str:
    """Decorators and the line (or lines) before the body."""
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    return _lines(source, first, node.body[0].lineno - 1).partition("  # type:")[0].rstrip()


def _lines(source: list[str], first: int, last: int | None) -> str:
    return "\n".join(source[first - 1 : last])


def _prose(text: str, known: set[str], *, one_line: bool = False) -> str:
    """A docstring as Markdown: its marked names become code, and links where the reference has them."""

    def mark(found: re.Match[str]) -> str:
        name = found[1]
        return f"[`{name}`](#{name.lower()})" if name in known else f"`{name}`"

    text = re.sub(r":(?:class|func|meth):`~?([^`]+)`", r"``\1``", text)
    text = re.sub(r"``([^`]+)``", mark, text)
    # Unwrapped: a line that happens to begin with "1." or "-" would become a list.
    paragraphs = [" ".join(one.split()) for one in text.split("\n\n")]
    return " ".join(paragraphs) if one_line else "\n\n".join(paragraphs)


def roles() -> str:
    """The table of roles: what a connector may inherit, and the methods each asks for."""
    rows: list[tuple[str, ...]] = [("role", "of a", "what it says", "methods")]
    sides: dict[str, list[str]] = {}
    classes: dict[str, type] = {}
    for side, found in ROLES.items():
        for name, role in found.items():
            sides.setdefault(name, []).append(side)
            classes[name] = role
    for name, role in classes.items():
        methods = [one for one in dir(role) if getattr(getattr(role, one), "__isabstractmethod__", False)]
        first = (role.__doc__ or "").strip().split("\n\n")[0]
        about = re.sub(r"``([^`]+)``", r"`\1`", " ".join(first.split()))
        own = [one for one in methods if one != "check_connection"]
        whose = " or ".join(sides[name])
        rows.append((f"[`{name}`](reference.md#{name.lower()})", whose, about, ", ".join(f"`{one}`" for one in own)))
    return _table(rows)


def error_table() -> str:
    """The table of errors: the hub's action after a failed delivery, and the first sentence about each."""
    rows = [("error", "after `deliver`", "in one sentence")]
    for kind in (*error_classes(), ConnectorError):
        first = " ".join((kind.__doc__ or "").split()).partition(". ")
        about = first[0].rstrip(".") + "."
        rows.append((f"[`{kind.__name__}`]({kind.__name__}.md)", f"`{ACTIONS.get(kind, 'bug')}`", about))
    return _table(rows)


def error_classes() -> list[type[ConnectorError]]:
    """The classes a connector may raise, in the order of the source, without their base."""
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ConnectorError)]
    return [one for one in found if one is not ConnectorError]


def words() -> str:
    """The closed lists of words that cross the door."""
    from hub.sdk import messages

    lists = ("Kind", "Priority", "TicketStatus", "Privacy", "SenderKind")
    rows = [(f"`{name}`", ", ".join(f"`{one}`" for one in get_args(getattr(messages, name)))) for name in lists]
    return _table([("list", "words"), *rows])


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head, *rest = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, tuple("---" for _ in head), *rest))


def _within(text: str, what: str, made: str) -> str:
    begin, end = (GENERATED.format(edge=edge, what=what) for edge in ("begin", "end"))
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"there is no part {begin} ... {end}")
    return f"{before}{begin}\n{made}\n{end}{after}"


def checks() -> str:
    """Every check of the conformance kit with its sentence, and every fault."""
    from hub.testing import RouterConformance, SinkConformance, SourceConformance
    from hub.testing.faults import DELIVERING, SHAPES

    parts = [
        "# The checks",
        "Made from the conformance kit by `make docs`; do not edit. A suite has those checks whose roles the connector "
        "plays. A waiver names a check as here, with its case in brackets where it has several: "
        "`reply_under[read_timeout]`.",
    ]
    for title, suite in (("source", SourceConformance), ("sink", SinkConformance), ("router", RouterConformance)):
        names = [name for kind in reversed(suite.__mro__) for name in vars(kind) if name.startswith("test_")]
        rows: list[tuple[str, ...]] = [("check", "what is true")]
        for name in dict.fromkeys(names):
            about = _prose((getattr(suite, name).__doc__ or "").strip(), set(), one_line=True)
            rows.append((f"`{name.removeprefix('test_')}`", about.replace("|", "\\|")))
        parts += [f"## Of a {title}", _table(rows)]
    rows = [("fault", "of a call that only reads", "of the call that has the effect")]
    for fault in DELIVERING:
        kinds = (() if fault in SHAPES else fault.reading, fault.writing)
        told = (" or ".join(dict.fromkeys(f"`{kind.__name__}`" for kind in some)) for some in kinds)
        rows.append((f"`{fault.name}`", *told))
    parts += ["## Faults", "What goes wrong on the way, and what a connector may make of it.", _table(rows)]
    return "\n\n".join(parts) + "\n"


def pages() -> dict[Path, str]:
    """Every file this program writes, with the text it must have."""
    index, error_index = DOCS / "plugins" / "index.md", DOCS / "errors" / "index.md"
    text = _within(index.read_text(), "roles", roles())
    return {
        DOCS / "plugins" / "reference.md": reference(),
        DOCS / "plugins" / "checks.md": checks(),
        index: _within(text, "words", words()),
        error_index: _within(error_index.read_text(), "errors", error_table()),
    }


def main() -> int:
    """Write what is stale; with ``--check`` only name it and return 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is stale")
    only_check = parser.parse_args().check
    stale = {file: text for file, text in pages().items() if not file.exists() or file.read_text() != text}
    for file, text in stale.items():
        sys.stdout.write(f"{'stale' if only_check else 'written'}: {file.relative_to(DOCS.parent)}\n")
        if not only_check:
            file.write_text(text)
    return 1 if stale and only_check else 0


if __name__ == "__main__":
    sys.exit(main())
