"""Alarms, pauses and failed steps are said in the reader's language; the words of others are in quotation marks."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

import hub
from hub.store import Tx, connections
from hub.web.reasons import told
from tests.web.desk import Browser

HUB = Path(hub.__file__).parent
VALUE = "2027"
"""What stands for a value in a sentence; it could be a number, a name, a year."""
THEIRS = {"connections.failed", "retry.blame_connection", "retry.pause"}
"""Where an alarm says what a vendor or its plugin said."""


class Sentences:
    """What the texts in one module can be, with ``VALUE`` for each value: an interpreter of very little."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]
        self.functions = {node.name: node for node in nodes}
        self.outer = {id(each): node for node in reversed(nodes) for each in ast.walk(node)}

    def alarms(self) -> Iterator[tuple[str, set[str]]]:
        """The function that opens an alarm, and what the alarm can say."""
        for call in ast.walk(self.tree):
            if isinstance(call, ast.Call) and _name(call.func) == "open_alarm":
                text = next(each.value for each in call.keywords if each.arg == "text")
                texts = self.of(text, self.outer[id(call)])
                # A name that holds nothing, or another's words, on another way through the function.
                yield self.outer[id(call)].name, {each for each in texts if re.search("[a-z]", each)} or texts

    def of(self, node: ast.expr, inside: ast.FunctionDef) -> set[str]:
        """All that an expression can be."""
        match node:
            case ast.Constant(str(text)):
                return {text}
            case ast.JoinedStr(parts):
                return _all(self.of(part, inside) for part in parts)
            case ast.FormattedValue(format_spec=ast.JoinedStr([ast.Constant(str(form))])) if "%" in form:
                return {f"{datetime(2027, 1, 2, tzinfo=UTC):{form}}"}
            case ast.FormattedValue(value):
                return {f"{VALUE}-01-02"} if _name(value) == "on" else self.of(value, inside)
            case ast.BinOp(left, ast.Add(), right):
                return _all([self.of(left, inside), self.of(right, inside)])
            case ast.IfExp(_, yes, no):
                return self.of(yes, inside) | self.of(no, inside)
            case ast.Name(name):
                return self.named(name, inside)
            case ast.List([one]) | ast.ListComp(one):
                return self.of(one, inside)
            case ast.Call(ast.Attribute(ast.Constant("; "), "join"), [parts]):
                several = self.of(parts, inside)
                return several | _all([several, {"; "}, several])
            case ast.Call(function) if _name(function) in self.functions:
                return self.returned(_name(function))
            case ast.Call(ast.Attribute(ast.Name(module), name)) if (HUB / f"flow/{module}.py").exists():
                return Sentences((HUB / f"flow/{module}.py").read_text(encoding="utf-8")).returned(name)
        return {VALUE}

    def returned(self, name: str) -> set[str]:
        """What a function can answer."""
        called = self.functions[name]
        texts = [each.value for each in ast.walk(called) if isinstance(each, ast.Return) and each.value]
        return set().union(*(self.of(each, called) for each in texts))

    def named(self, name: str, inside: ast.FunctionDef) -> set[str]:
        """What a name can be: a parameter is what callers in this module give, the rest is assigned."""
        found: set[str] = set()
        arguments = [each.arg for each in inside.args.args]
        if name in arguments and inside.name.startswith("_"):
            for call in ast.walk(self.tree):
                if isinstance(call, ast.Call) and _name(call.func) == inside.name and len(call.args) == len(arguments):
                    found |= self.of(call.args[arguments.index(name)], self.outer[id(call)])
        for each in ast.walk(inside):
            if isinstance(each, ast.Assign) and name in map(_name, _targets(each)):
                found |= self.of(_part(each, name), inside)
        for each in ast.walk(inside):
            if isinstance(each, ast.AugAssign) and _name(each.target) == name:
                found |= _all([found, self.of(each.value, inside)])
        return found or {VALUE}


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _targets(node: ast.Assign) -> list[ast.expr]:
    (target,) = node.targets
    return target.elts if isinstance(target, ast.Tuple) else [target]


def _part(node: ast.Assign, name: str) -> ast.expr:
    if not isinstance(node.value, ast.Tuple):
        return node.value
    return node.value.elts[[_name(each) for each in _targets(node)].index(name)]


def _all(parts: Iterable[set[str]]) -> set[str]:
    return {"".join(each) for each in itertools.product(*parts)}


def alarms() -> dict[str, set[str]]:
    """Each place that opens an alarm with all it can say."""
    found: dict[str, set[str]] = {}
    for file in sorted([*HUB.glob("flow/*.py"), *HUB.glob("store/*.py")]):
        for function, texts in Sentences(file.read_text(encoding="utf-8")).alarms():
            found[f"{file.stem}.{function}"] = found.get(f"{file.stem}.{function}", set()) | texts
    return found


@pytest.mark.parametrize(("place", "texts"), alarms().items(), ids=list(alarms()))
def test_every_alarm_speaks_italian(app: Flask, place: str, texts: set[str]) -> None:
    """Whatever the flow can put into an alarm is one of the sentences the console knows."""
    with app.test_request_context("/?lang=it"):
        for text in texts:
            said = told(text)
            if place in THEIRS:
                assert (text, said) == (VALUE, f"«{VALUE}»")
            else:
                assert said != text, (place, text)
                assert not said.startswith("«"), (place, text)


def test_the_sentences_are_read_from_the_source() -> None:
    """The interpreter finds the variants: one and more, the old day and the new, both ways on."""
    found = alarms()
    assert len(found) >= 8
    assert f"{VALUE} differences between hub and helpdesk: hub reconcile {VALUE} --all" in found["reconcile._certify"]
    assert f"{VALUE} ended on {VALUE}-01-02 00:00 UTC: put a new one into its settings" in found["radar._alarm"]
    assert f"since {VALUE}-01-02: {VALUE}. Instead: {VALUE} ({VALUE})" in found["radar._alarm"]


def test_an_italian_page_shows_italian_alarms(browser: Browser) -> None:
    """The hub's own sentence is translated; the vendor's is quoted as it came; English stays English."""
    house = browser.house
    own = "another account answers under this name: it was acme, now it is other"
    both = "on 2027-04-30: Tokens; stop. Instead: OAuth (https://v.example); since 2026-01-01: Old things (https://w.example)"

    def raise_them(tx: Tx) -> None:
        connections.open_alarm(tx, "desk", "another_account", text=own, now=house.clock())
        connections.open_alarm(tx, "desk", "retirement", text=both, now=house.clock())
        connections.open_alarm(tx, "network", "unreachable", text="no answer from the vendor (X)", now=house.clock())
        connections.open_alarm(tx, "network", "authentication", text="The <token> is bad", now=house.clock())

    house.store.run(raise_them)
    page = browser.page("/console/?lang=it")
    for words in (
        "sotto questo nome risponde un altro account: era acme, ora è other",
        "il 2027-04-30: «Tokens; stop». Al suo posto: «OAuth» (https://v.example); dal 2026-01-01: «Old things» (",
        "nessuna risposta dal fornitore (X)",
        "«The &lt;token&gt; is bad»",
    ):
        assert words in page, words
    english = browser.page("/console/?lang=en")
    assert own in english
    assert "“The &lt;token&gt; is bad”" in english


def test_a_vendor_that_repeats_our_words_ends_no_page(browser: Browser) -> None:
    """Sentence within sentence, three thousand deep: shown as it came."""
    words = "AuthenticationFailed: " * 3000
    clock = browser.house.clock
    browser.house.store.run(lambda tx: connections.open_alarm(tx, "desk", "unreachable", text=words, now=clock()))
    assert browser.get("/console/?lang=it").status_code == 200
