"""What our pages name exists: files, commands, targets, names of the contract, settings; and their code runs."""

from __future__ import annotations
import __future__

import builtins
import importlib
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest

import hub.testing
from hub import sdk
from hub.catalogue import Catalogue
from hub.cli import main
from hub.configuration import shipped, survey
from hub.sdk import hookspecs
from hub.testing.quality import TIERS
from tests.docs.markdown import ROOT, Block, anchors, blocks, code_words, guides, links, pages

GUIDES = guides()
BLOCKS = [block for page in pages() for block in blocks(page)]
TUTORIAL = ROOT / "docs" / "plugins" / "tutorial.md"


def _name(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a file of ours has its file, and its heading there."""
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{_name(page)} links to {link}, which is not there"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{_name(page)} links to {link}: no such heading"


def _commands() -> list[tuple[str, str]]:
    found = [(_name(page), word) for page in pages() for word in code_words(page)]
    found += [(str(block), line) for block in BLOCKS if block.language == "sh" for line in block.text.splitlines()]
    found += [
        (_name(page), line.strip()) for page in pages() for line in re.findall(r"(?m)^    (hub .*)$", page.read_text())
    ]
    return [(where, line) for where, line in found if re.match(r"hub [a-z]", line)]


def test_every_hub_command_exists() -> None:
    """Each ``hub ...`` that a page tells people to type is a command, with the options it is given."""
    lines = _commands()
    assert len(lines) > 30
    for where, line in lines:
        words = shlex.split(line.partition("  #")[0].partition(" && ")[0])[1:]
        command: click.Command = main
        context = click.Context(main, info_name="hub")
        while words and isinstance(command, click.Group) and not words[0].startswith("-"):
            if re.fullmatch(r"[A-Z\[<…].*", words[0]):
                break
            found = command.get_command(context, words[0])
            assert found is not None, f"{where}: `{line}`: there is no such command"
            command, context = found, click.Context(found, info_name=words.pop(0), parent=context)
        options = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
        for word in words:
            option = word.partition("=")[0].strip("[],")
            assert not option.startswith("--") or option in options, f"{where}: `{line}`: there is no {option}"


def test_every_make_target_exists() -> None:
    """Each ``make ...`` that a page tells people to type is a target of the Makefile."""
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    said = [(page, word) for page in pages() for word in code_words(page)]
    said += [(page, line.strip()) for page in GUIDES for line in re.findall(r"(?m)^    (make .*)$", page.read_text())]
    for page, word in said:
        found = re.match(r"make ([a-z-]+)", word)
        assert not found or found[1] in targets, f"{_name(page)}: `{word}`: the Makefile has no such target"


@pytest.mark.parametrize("page", GUIDES, ids=_name)
def test_every_name_of_ours_exists(page: Path) -> None:
    """Names in code type are names of the contract, of the kit, of Python, or of the page's own code."""
    own = " ".join(block.text for block in blocks(page))
    known = {*sdk.__all__, *hub.testing.__all__, *vars(builtins)}
    for module in (
        "connectors",
        "messages",
        "deliveries",
        "sources",
        "sinks",
        "routers",
        "toolbox",
        "text",
        "sandboxes",
    ):
        known |= set(vars(importlib.import_module(f"hub.sdk.{module}")))
    for word in code_words(page):
        for name in re.findall(r"^[A-Z][a-z]+(?:[A-Z][a-z]+)+(?=$|\()", word):
            assert name in known or name in own, f"{_name(page)}: `{name}` does not exist"
        for name in re.findall(r"\bregister_\w+", word):
            assert hasattr(hookspecs, name), f"{_name(page)}: there is no hook `{name}`"
        dotted = re.fullmatch(r"(hub(?:\.\w+)+)(?:\(.*\))?", word)
        if dotted and not word.endswith(".toml"):
            assert _resolves(dotted[1]), f"{_name(page)}: `{word}` cannot be imported"


def _resolves(dotted: str) -> bool:
    module, found = "hub", importlib.import_module("hub")
    for part in dotted.split(".")[1:]:
        module = f"{module}.{part}"
        try:
            found = getattr(found, part) if hasattr(found, part) else importlib.import_module(module)
        except ImportError:
            return False
    return True


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "python" and block.page in GUIDES], ids=str
)
def test_python_blocks_run(block: Block) -> None:
    """Each compiles; those that stand alone are run, so that what they import and use exists."""
    code = compile(block.text, str(block), "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True)
    stubs = block.page.name == "reference.md"
    in_the_tutorial = block.page == TUTORIAL  # its files import each other: they are installed and run as a whole
    if not stubs and not in_the_tutorial:
        exec(code, {"__name__": "docs"})


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=str)
def test_json_blocks_are_json(block: Block) -> None:
    """Each is one JSON value."""
    json.loads(block.text)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "toml"], ids=str)
def test_toml_blocks_are_right(block: Block, tmp_path: Path) -> None:
    """Each parses. One of hub.toml is held against the configuration's check, one of quality.toml against its keys."""
    values = tomllib.loads(block.text)
    if block.file.endswith("quality.toml") or "tier" in values:
        assert values["tier"] in TIERS
        assert values.keys() <= {"tier", "owner", "waivers", "proven"}
    sections = {"hub", "http", "trial", "alerts", "connections", "routers"}
    if not values or not values.keys() <= sections:
        return
    catalogue = Catalogue.load()
    named = {one["connector"].rpartition(":")[2] for one in values.get("connections", {}).values()}
    if not named <= {*catalogue.sources, *catalogue.sinks}:
        assert block.page in (TUTORIAL, TUTORIAL.with_name("publishing.md")), f"{named} are no connectors"
        return  # held against its own plugin by the tutorial's test
    text = re.sub(r'\{ *file *= *"[^"]*" *\}', '{ env = "FROM_A_FILE" }', block.text)
    _write_configuration(tmp_path, text)
    config, problems = survey(tmp_path, _AnyEnvironment())
    assert config is not None, problems
    wrong = [*problems, *(one for one in catalogue.check(config) if not one.warning)]
    # A secret we made up may have another form than the vendor's: that is not the page's mistake.
    ours = {f"{one.path}.{name}" for one in config.connections.values() for name in one.from_outside}
    wrong = [one for one in wrong if not any(path.startswith(one.path) for path in ours)]
    assert not wrong, f"{block}: {wrong[0]}"


def _write_configuration(folder: Path, hub_toml: str) -> None:
    for name, text in shipped().items():
        (folder / name).write_text(text)
    trial = "" if "[trial]" in hub_toml else "[trial]\nenabled = true\nsource = 'mastodon'\nsink = 'zendesk'\n"
    (folder / "hub.toml").write_text(trial + hub_toml)


class _AnyEnvironment(dict[str, str]):
    """Every variable is set."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> str:
        return "0123456789abcdef0123456789abcdef"

    def get(self, name: str, default: Any = None) -> Any:
        """As above."""
        return self[name]


def test_each_check_can_fail(tmp_path: Path) -> None:
    """A page with a wrong link, command, name and code is caught by each of the checks above."""
    page = tmp_path / "bad.md"
    page.write_text(
        "# Bad\n\n[gone](nowhere.md) [here](#bad) `hub fly` `TemporaryFailures` `register_things` `hub.sdk.nothing`\n\n"
        "```python\nfrom hub.sdk import Nothing\n```\n"
    )
    here = "tests.docs.test_pages"
    with (
        mock.patch(f"{here}.ROOT", tmp_path),
        mock.patch(f"{here}.pages", return_value=(page,)),
        mock.patch(f"{here}.BLOCKS", []),
    ):
        with pytest.raises(AssertionError, match="not there"):
            test_links_lead_somewhere(page)
        with pytest.raises(AssertionError, match="TemporaryFailures"):
            test_every_name_of_ours_exists(page)
        assert _commands() == [("bad.md", "hub fly")]
    with pytest.raises(ImportError):
        test_python_blocks_run(Block(ROOT / "README.md", 1, "python", "from hub.sdk import Nothing", ""))
