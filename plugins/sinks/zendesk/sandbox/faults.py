# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: the next matching calls go wrong in a chosen way."""

from __future__ import annotations

import fnmatch
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Response, json

EFFECTS = (
    *("status", "ratelimit", "malformed", "timeout_before", "timeout_after"),
    *("html", "html_after", "truncated", "unauthorized", "nulls"),
)
_DOWN = "<!doctype html><html><head><title>Zendesk</title></head><body><h1>Sorry, something broke</h1></body></html>"


@dataclass
class Fault:
    """``path`` may hold ``*``; after ``skip`` calls that go well, ``count`` calls are hit."""

    effect: str
    methods: tuple[str, ...]
    path: str
    count: int
    skip: int = 0
    options: dict[str, Any] = field(default_factory=dict)


class Faults:
    """The list of faults still to come, shared by the server's threads."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, body: dict[str, Any]) -> None:
        """``{"match": {"methods": [...], "path": "..."}, "effect": {"type": ..., ...}, "count": 1, "skip": 0}``.

        ``status``, ``ratelimit``, ``timeout_before``, ``html`` (502) and ``unauthorized`` (401) do nothing of what is
        asked; ``malformed``, ``timeout_after``, ``html_after``, ``truncated`` and ``nulls`` do it and spoil the answer:
        ``nulls`` puts null in the place of ``fields`` (dotted, ``*`` for every row), or of all values of the record.
        """
        match, effect = body.get("match", {}), dict(body["effect"])
        kind = effect.pop("type")
        if kind not in EFFECTS:
            raise ValueError(f"effect must be one of {', '.join(EFFECTS)}")
        fault = Fault(
            kind,
            tuple(match.get("methods", ())),
            match.get("path", "*"),
            int(body.get("count", 1)),
            int(body.get("skip", 0)),
            effect,
        )
        with self._lock:
            self._faults.append(fault)

    def waiting(self) -> int:
        """How many have not hit all their calls yet."""
        with self._lock:
            return len(self._faults)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this call, if one is due."""
        with self._lock:
            for fault in self._faults:
                if (not fault.methods or method in fault.methods) and _fits(path, fault.path):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.count -= 1
                    if fault.count <= 0:
                        self._faults.remove(fault)
                    return fault
        return None


def applied(fault: Fault, call: Callable[[], Response]) -> Response:
    """The answer with the fault in it. ``call`` does what was asked; some faults do not ask."""
    options = fault.options
    if fault.effect == "status":
        body = options.get("body", {"error": "SandboxFault", "description": "asked for"})
        text = body if isinstance(body, str) else json.dumps(body)
        return Response(text, int(options.get("status", 500)), headers=options.get("headers", {}))
    if fault.effect == "ratelimit":
        wait = options.get("retry_after", 30)
        headers = {} if wait is None else {"Retry-After": str(wait)}
        return Response(json.dumps({"error": "APIRateLimitExceeded"}), 429, headers=headers)
    if fault.effect == "malformed":
        call()
        return Response("<html>not what you expected</html>", 200, content_type="text/html")
    if fault.effect == "unauthorized":
        return Response(json.dumps({"error": "Couldn't authenticate you"}), 401, content_type="application/json")
    if fault.effect in ("html", "html_after"):
        if fault.effect == "html_after":
            call()
        return Response(_DOWN, int(options.get("status", 502)), content_type="text/html")
    if fault.effect == "truncated":
        answer = call()
        answer.set_data(answer.get_data()[: -max(1, len(answer.get_data()) // 3)])
        return answer
    if fault.effect == "nulls":
        return _with_nulls(call(), options.get("fields"))
    if fault.effect == "timeout_after":
        call()
    time.sleep(float(options.get("seconds", 30)))
    return Response("", 504)


def _fits(path: str, pattern: str) -> bool:
    return fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(path.removesuffix(".json"), pattern)


def _with_nulls(answer: Response, fields: list[str] | None) -> Response:
    body = json.loads(answer.get_data())
    if fields is None:
        body = {name: dict.fromkeys(value) if isinstance(value, dict) else None for name, value in body.items()}
    for name in fields or ():
        _put_null(body, name.split("."))
    answer.set_data(json.dumps(body))
    return answer


def _put_null(node: Any, path: list[str]) -> None:
    if path[0] == "*":
        for row in node if isinstance(node, list) else ():
            _put_null(row, path[1:])
    elif isinstance(node, dict) and path[0] in node:
        if len(path) == 1:
            node[path[0]] = None
        else:
            _put_null(node[path[0]], path[1:])
