"""``hub plugins new``: a plugin of its own to start from, tests first."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from hub.cli.opening import Misused

SIDES = ("source", "sink", "router")
PARTS = ("order", "before")
"""Templates of paragraphs: they go into others."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_FOLDERS = {
    "source": ("every", "connector", "source"),
    "sink": ("every", "connector", "sink"),
    "router": ("every", "router"),
}
_PLACES = {"gitignore": ".gitignore"}


@click.command()
@click.argument("side", type=click.Choice(SIDES))
@click.argument("name")
@click.option(
    "--dir",
    "parent",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where the folder is made. Default: here.",
)
def new(side: str, name: str, parent: Path) -> None:
    """Write a plugin to start from, tests first.

    The folder sch-NAME is a distribution of its own: nothing of the hub is touched. Its tests say what to do next.
    Never overwrites a file.
    """
    _check_name(name)
    folder = parent / f"sch-{name.replace('_', '-')}"
    if folder.exists():
        raise Misused(f"There already is {folder}. Nothing was written.")
    for path, text in rendered(side, name).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        click.echo(f"wrote {target}")
    offline = "" if importlib.util.find_spec("setuptools") else "pip install setuptools; "
    click.echo(
        f"\nNext:\n  cd {folder}\n  pip install -e '.[dev]'\n  pytest -x\n\n"
        "pytest says what to do first, and then what to do next; README.md has the order.\n"
        f"Without network: {offline}pip install -e . --no-deps --no-build-isolation\n"
        "No licence is chosen: that is yours to do before you give it away (pyproject.toml)."
    )


def rendered(side: str, name: str) -> dict[str, str]:
    """Path in the new folder -> text."""
    from hub import __version__

    title = name.replace("_", " ").capitalize()
    words = {
        "name": name,
        "NAME": name.upper(),
        "dashed": name.replace("_", "-"),
        "title": title,
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "side": side,
        "Side": side.capitalize(),
        "hub": ".".join(__version__.split(".")[:2]),
    }
    templates = files("hub") / "scaffold"
    given = dict(pair for folder in _FOLDERS[side] for pair in _walk(templates / folder, ""))
    words |= {part: _filled(given.pop(part), words).strip() for part in PARTS}
    found: dict[str, str] = {}
    for path, text in given.items():
        place = re.sub(r"^package/", f"sch_{name}/", _filled(_PLACES.get(path, path), words))
        found[place] = _filled(text, words)
    return dict(sorted(found.items()))


def _walk(folder: Traversable, before: str) -> list[tuple[str, str]]:
    """Path without ``.tmpl`` and text of every template."""
    found: list[tuple[str, str]] = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _walk(item, f"{before}{item.name}/")
        elif item.name.endswith(".tmpl"):
            found.append((before + item.name.removesuffix(".tmpl"), item.read_text("utf-8")))
    return found


def _filled(text: str, words: dict[str, str]) -> str:
    return re.sub(r"%%(\w+?)%%", lambda match: words[match[1]], text)


def _check_name(name: str) -> None:
    """Raises :class:`Misused` when a plugin cannot be called so."""
    if not _NAME.fullmatch(name):
        raise Misused(f'"{name}" cannot be the name: small letters, digits and single _ in between, a letter first.')
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in sys.stdlib_module_names:
        raise Misused(f'"{name}" is a word of Python itself: choose another name.')
    from hub.catalogue.contract import connector_name

    for point in entry_points(group="social_care_hub"):
        if connector_name(point.name) == name:
            owner = point.dist.metadata["Name"] if point.dist else "an installed plugin"
            raise Misused(f'"{name}" is taken by {owner}: two plugins of one name keep the hub from starting.')
    if importlib.util.find_spec(f"sch_{name}") is not None:
        raise Misused(f"A package sch_{name} is installed here already: choose another name.")
