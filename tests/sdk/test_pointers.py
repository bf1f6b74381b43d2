"""JSON pointers: the examples of RFC 6901, wildcards, and words about where a path ends."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from hub.sdk import MISSING, Pointer, PointerText

RFC = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
        ("/foo/2", MISSING),
        ("/foo/00", MISSING),
        ("/foo/-", MISSING),
        ("/foo/bar", MISSING),
        ("/nothing/here", MISSING),
        ("/*", MISSING),
    ],
)
def test_the_examples_of_the_rfc(text: str, value: Any) -> None:
    """Section 5 of RFC 6901, and what is not there."""
    assert Pointer(text).of(RFC) is value or Pointer(text).of(RFC) == value


def test_a_star_is_every_element() -> None:
    """Every value is told with its place, which is a pointer; a branch without the path gives none."""
    body = {"entry": [{"changes": [{"value": 1}, {"value": 2}]}, {"other": 0}, {"changes": {"a/b": {"value": 3}}}]}
    assert Pointer("/entry/*/changes/*/value").each(body) == [
        ("/entry/0/changes/0/value", 1),
        ("/entry/0/changes/1/value", 2),
        ("/entry/2/changes/a~1b/value", 3),
    ]


@pytest.mark.parametrize(
    ("text", "body", "words"),
    [
        ("/entry/*/value", {"object": "page"}, "the body is an object with object, without 'entry'"),
        ("/entry/*/value", {"entry": []}, "/entry is empty"),
        ("/entry/*/value", {"entry": "secret words"}, "/entry is a text, without '*'"),
        ("/entry/0/value", {"entry": [{"x": 1}]}, "/entry/0 is an object with x, without 'value'"),
        ("/a/b", {"a": None}, "/a is null, without 'b'"),
        ("/a", [1, 2], "the body is a list of 2, without 'a'"),
    ],
)
def test_where_a_path_ends_is_told_without_values(text: str, body: Any, words: str) -> None:
    """The place and the kind of what is there, never what a customer wrote."""
    assert Pointer(text).broken_at(body) == words


@pytest.mark.parametrize("text", ["foo", "/a~2", "/~"])
def test_what_is_no_pointer_is_refused(text: str) -> None:
    """A setting that can never work is told when the configuration is read."""
    with pytest.raises(ValidationError, match="must be a JSON pointer"):
        TypeAdapter(PointerText).validate_python(text)
