"""Our Markdown files, and what stands in them: code blocks, links, words in code type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w./-]+\.\w+)`[^\n]*:\n\n\Z")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")


@dataclass(frozen=True)
class Block:
    """One code block. ``file`` is the file it shows, when the line before it names one."""

    page: Path
    line: int
    language: str
    text: str
    file: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def pages() -> tuple[Path, ...]:
    """Every Markdown file of the project; what an installation or a run has left behind is not ours."""
    found = list(ROOT.glob("*.md"))
    for folder in ("benchmarks", "docs", "hub", "plugins", "tests"):
        found += (ROOT / folder).rglob("*.md")
    return tuple(sorted(found))


def guides() -> list[Path]:
    """What we tell people: README, CONTRIBUTING and docs, without the decisions, which are of their day."""
    return [
        page
        for page in pages()
        if page.parent == ROOT or (page.is_relative_to(ROOT / "docs") and "decisions" not in page.parts)
    ]


def blocks(page: Path) -> Iterator[Block]:
    """The code blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        before = text[: found.start()]
        file = _FILE.search(before)
        yield Block(page, before.count("\n") + 2, found[1], found[2], file[1] if file else "")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def code_words(page: Path) -> list[str]:
    """What stands in code type within the prose."""
    return [" ".join(found.split()) for found in _CODE.findall(prose(page))]


def links(page: Path) -> list[str]:
    """Where the links of a page lead."""
    return _LINK.findall(_CODE.sub("", prose(page)))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    found = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in found}
