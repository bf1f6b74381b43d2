"""One item of a vendor's list with something missing, the others as they are."""

from __future__ import annotations

import json
from typing import Any

import requests

from hub.testing.faults import Fault, Forward
from hub.testing.vendor import reply

Miss = tuple[str, ...]
"""The way to the field that is missing; empty: none is."""
WHOLE: Miss = ("*",)
"""Every field is missing."""

MARK = "xylophone"
"""The text of the post that is spoilt: nothing else says it."""

DEPTH = 2
"""How deep fields are left out: a post within a notification, and what is below that no more."""


class Spoiler:
    """Goes between connector and vendor. ``fields`` are what the item had where it was seen."""

    def __init__(self, marks: tuple[str, ...], miss: Miss) -> None:
        self._marks, self._miss = marks, miss
        self.fields: list[Miss] = []
        self.fault = Fault("strange_item", self._happens, (), ())

    def _happens(self, request: requests.PreparedRequest, forward: Forward) -> requests.Response:
        answer = forward()
        raw = answer.content
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if answer.ok and body is not None:
            for items, place in self._found(body):
                self.fields += [way for way in (WHOLE, *_fields(items[place])) if way not in self.fields]
                items[place] = _without(items[place], self._miss)
            raw = json.dumps(body).encode()
        return reply(request, answer.status_code, raw, content_type=answer.headers.get("Content-Type", ""))

    def _found(self, node: Any) -> list[tuple[list[Any], int]]:
        """Where the item stands: in the outermost lists of objects of which one alone bears a mark."""
        if isinstance(node, dict):
            return [found for value in node.values() for found in self._found(value)]
        if not isinstance(node, list) or not all(isinstance(item, dict) for item in node):
            return []
        for mark in self._marks:
            places = [place for place, item in enumerate(node) if _bears(item, mark)]
            if places:
                return [(node, places[0])] if len(places) == 1 else []
        return []


def _bears(node: Any, mark: str) -> bool:
    if isinstance(node, dict | list):
        return any(_bears(value, mark) for value in (node.values() if isinstance(node, dict) else node))
    return mark in str(node) if mark == MARK else str(node) == mark


def _fields(item: dict[str, Any], depth: int = DEPTH) -> list[Miss]:
    """The ways to every field."""
    found: list[Miss] = []
    for name, value in item.items():
        found.append((name,))
        if depth > 1 and isinstance(value, dict):
            found += [(name, *way) for way in _fields(value, depth - 1)]
    return found


def _without(item: dict[str, Any], miss: Miss) -> dict[str, Any]:
    if miss == WHOLE:
        return {}
    left = dict(item)
    if len(miss) == 1:
        left.pop(miss[0], None)
    elif miss and isinstance(left.get(miss[0]), dict):
        left[miss[0]] = _without(left[miss[0]], miss[1:])
    return left
