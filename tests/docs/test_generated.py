"""What is made from the code says what the code says, and the code says it of every public name."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from hub import sdk
from hub.catalogue.contract import ROLES
from hub.sdk import hookspecs
from tests.docs.markdown import ROOT

DOCS = ROOT / "docs"
HOOKS = [name for name in vars(hookspecs) if name.startswith("register_")]
METHODS = {
    f"{role.__name__}.{name}": getattr(role, name)
    for roles in ROLES.values()
    for role in roles.values()
    for name in dir(role)
    if getattr(getattr(role, name), "__isabstractmethod__", False)
} | {"ReceivesWebhooks.answer_handshake": sdk.ReceivesWebhooks.answer_handshake}


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py."""
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up
    import sys

    sys.modules["docs_generate"] = module
    spec.loader.exec_module(module)
    return module


def test_the_generated_parts_are_current(generate: ModuleType) -> None:
    """Reference, tables of roles, errors and checks are those of the code as it is."""
    stale = [file.name for file, text in generate.pages().items() if not file.exists() or file.read_text() != text]
    assert not stale, f"{', '.join(stale)}: run make docs"


def test_every_public_name_has_a_place_and_a_docstring(generate: ModuleType) -> None:
    """Vendors read nothing else."""
    named = {one.name: one for one in generate.public_names()}
    reference = (DOCS / "plugins" / "reference.md").read_text()
    missing = set(sdk.__all__) - named.keys() - generate.PYDANTIC.keys()
    assert not missing
    for name in sdk.__all__:
        assert f"\n### {name}\n" in reference, name
    empty = [name for name, one in named.items() if not one.doc]
    assert not empty, f"without a docstring: {empty}"


@pytest.mark.parametrize("method", METHODS)
def test_every_role_method_says_all_five_things(method: str) -> None:
    """When it is called, what to return, what may be raised, what the hub does then, since when."""
    words = " ".join((METHODS[method].__doc__ or "").split())
    assert re.search(r"Called .*Return .*[Rr]ais(e|ing) .*Since plugin API \d+\.", words), f"{method}: {words}"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_all_five_things(hook: str) -> None:
    """As the methods of roles; and the guide to plugins names it."""
    words = " ".join((getattr(hookspecs, hook).__doc__ or "").split())
    assert re.search(r"Called .*Return .*raise .*The hub then .*Since plugin API \d+\.", words), words
    assert hook in (DOCS / "plugins" / "index.md").read_text()


def test_what_the_hub_does_not_ask_for_yet_is_said_so() -> None:
    """The guide lists the deliveries that no part of this hub makes; a new one that does is taken off the list."""
    text = (DOCS / "plugins" / "index.md").read_text()
    listed = re.search(r"not sent by this hub yet: ([^.]+)\.", " ".join(text.split()))
    assert listed, "the sentence about deliveries that are not sent is gone"
    proofs = ("prove.py", "rounds.py")  # a proof sends them once, to what it made itself
    files = [file for file in (ROOT / "hub" / "flow").glob("*.py") if file.name not in proofs]
    code = "\n".join(file.read_text() for file in files)
    bodies = ("OpenTicket", "AddComment", "UpdateFields", "RedactComment", "Reply", "EditReply", "DeleteReply")
    never = {name for name in bodies if not re.search(rf"\b{name}\(", code)}
    assert set(re.findall(r"`(\w+)`", listed[1])) == never
