"""`hub plugins new`: what it writes can be installed, says first what to do, and keeps the contract once filled."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import main
from tests.downstream.conftest import Environment

FILLED = Path(__file__).parent / "filled"
ROOT = Path(__file__).parents[2]
SIDES = ("source", "sink", "router")
REPLACED = {
    "source": {
        "sch_guestbook/payloads.py": {
            "from typing import Any\n": "from datetime import datetime\nfrom typing import Any\n",
            "AnyEvent,": "AnyEvent, Attachment, Identity, Message, MessageDeleted, MessageSeen, Thread,",
            "max_length=500": "max_length=120",
        }
    },
    "sink": {
        "sch_guestbook/payloads.py": {
            "from typing import Any\n": "from datetime import datetime\nfrom typing import Any\n",
            "AnyEvent, Said": "Agent, AnyEvent, Comment, CommentSeen, RecordChanged, Said",
        }
    },
    "router": {
        "tests/test_guestbook.py": {
            '# ("I was charged twice"': '("I was charged twice"',
            '# ("Hello!", None)': '("Hello!", None)',
        }
    },
}
"""What an author changes besides the blanks: imports, the longest answer, the examples."""


def new(side: str, folder: Path, name: str = "guestbook") -> Path:
    """The folder that the command writes."""
    answer = CliRunner().invoke(main, ["plugins", "new", side, name, "--dir", str(folder)])
    assert answer.exit_code == 0, answer.output
    return folder / f"sch-{name.replace('_', '-')}"


def install(environment: Environment, plugin: Path) -> None:
    environment.pip("install", "-e", ".", "--no-deps", "--no-build-isolation", cwd=plugin)


def fill(side: str, plugin: Path) -> None:
    """Do what the author does, in the least way: the blanks, the vendor in memory, one real body."""
    given = FILLED / side
    for name, code in tomllib.loads((given / "blanks.toml").read_text()).items():
        blank = re.compile(rf"( +)raise NotImplementedError\(.*\)  # blank: {name}\n")
        filled = 0
        for file in plugin.glob("sch_*/*.py"):
            text, count = blank.subn(
                lambda match, code=code: textwrap.indent(code.lstrip(), match[1]), file.read_text()
            )
            file.write_text(text)
            filled += count
        assert filled == 1, f"the scaffold has {filled} blanks called {name}"
    for path, changes in REPLACED[side].items():
        text = (plugin / path).read_text()
        for old, new_text in changes.items():
            assert old in text
            text = text.replace(old, new_text)
        (plugin / path).write_text(text)
    for file in given.glob("*.py"):
        shutil.copy(file, plugin / "tests" / file.name)
    for file in given.glob("*.json"):
        shutil.copy(file, plugin / "tests/fixtures" / file.name)


@pytest.mark.parametrize("side", SIDES)
def test_the_first_failure_says_what_to_do(side: str, tmp_path: Path, environment: Environment) -> None:
    """Installed as the command says, the plugin is listed, and its first test asks for the first event."""
    plugin = new(side, tmp_path)
    install(environment, plugin)
    shown = environment.hub("plugins", "list", "--json")
    (one,) = [one for one in json.loads(shown.stdout)["plugins"] if one["name"] == "guestbook"]
    assert (one["side"], one["distribution"], one["tier"]) == (side, "sch-guestbook", "bronze")
    tests = environment.run("-m", "pytest", "-x", cwd=plugin)
    assert tests.returncode == 1
    failures = tests.stdout.partition("= FAILURES =")[2].splitlines()
    assert failures[2].startswith("describe your first "), tests.stdout


@pytest.mark.parametrize("side", SIDES)
def test_a_filled_scaffold_keeps_the_contract(side: str, tmp_path: Path, environment: Environment) -> None:
    """With its blanks filled in the least way, every check of the conformance kit passes."""
    plugin = new(side, tmp_path)
    fill(side, plugin)
    install(environment, plugin)
    if side != "router":
        wrote = environment.run("-m", "pytest", "--update-expected", "-k", "expected_events", cwd=plugin)
        assert wrote.returncode == 0, wrote.stdout + wrote.stderr
    tests = environment.run("-m", "pytest", cwd=plugin)
    assert tests.returncode == 0, tests.stdout[-6000:] + tests.stderr
    assert "NotImplementedError" not in "".join(file.read_text() for file in plugin.glob("sch_*/*.py"))


def test_a_scaffold_is_clean_code(tmp_path: Path) -> None:
    """What is written passes our own format, lint and strict types, so an author's tools find only the author's."""
    for side in SIDES:
        plugin = new(side, tmp_path, name=f"a_{side}")
        for tool in (
            ("ruff", "format", "--check", "--config", str(ROOT / "ruff.toml"), "."),
            ("ruff", "check", "--config", str(ROOT / "ruff.toml"), "--ignore", "S101,S105,RUF012,ERA001", "."),
            # One cache: the hub's own modules are checked once for all sides.
            (
                "mypy",
                "--config-file",
                str(ROOT / "setup.cfg"),
                "--cache-dir",
                str(tmp_path / "mypy"),
                "-p",
                f"sch_a_{side}",
            ),
        ):
            done = subprocess.run(
                [sys.executable, "-m", *tool],
                cwd=plugin,
                env={**os.environ, "MYPYPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{' '.join(tool)}:\n{done.stdout}{done.stderr}"


def test_every_blank_is_named_once(tmp_path: Path) -> None:
    """Each thing left to do bears the word the README says to search for, and nothing else raises."""
    for side in SIDES:
        for file in new(side, tmp_path, name=f"a_{side}").rglob("*.py"):
            left = [line for line in file.read_text().splitlines() if "NotImplementedError" in line]
            assert all("  # blank: " in line for line in left), file


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second time it refuses, and what stands there stays as it is."""
    plugin = new("source", tmp_path)
    (plugin / "README.md").write_text("mine")
    answer = CliRunner().invoke(main, ["plugins", "new", "sink", "guestbook", "--dir", str(tmp_path)])
    assert (answer.exit_code, (plugin / "README.md").read_text()) == (2, "mine")
    assert "Nothing was written" in answer.output


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Guestbook", "cannot be the name"),
        ("guest-book", "cannot be the name"),
        ("2ch", "cannot be the name"),
        ("_x", "cannot be the name"),
        ("x__y", "cannot be the name"),
        ("../x", "cannot be the name"),
        ("class", "a word of Python"),
        ("match", "a word of Python"),
        ("email", "a word of Python"),
        ("mastodon", "taken by social-care-hub"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, words: str, tmp_path: Path) -> None:
    """With the reason, exit code 2, and nothing written."""
    answer = CliRunner().invoke(main, ["plugins", "new", "source", name, "--dir", str(tmp_path)])
    assert answer.exit_code == 2
    assert words in answer.output
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_to_type_next(tmp_path: Path) -> None:
    """Three commands, how it goes without network, and that the licence is still to be chosen."""
    answer = CliRunner().invoke(main, ["plugins", "new", "source", "guestbook", "--dir", str(tmp_path)])
    lines = [line.strip() for line in answer.output.partition("Next:")[2].splitlines()]
    assert lines[1:4] == [f"cd {tmp_path / 'sch-guestbook'}", "pip install -e '.[dev]'", "pytest -x"]
    assert "--no-deps --no-build-isolation" in answer.output
    assert "No licence is chosen" in answer.output
