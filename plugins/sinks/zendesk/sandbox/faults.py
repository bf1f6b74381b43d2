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

EFFECTS = ("status", "ratelimit", "malformed", "timeout_before", "timeout_after")


@dataclass
class Fault:
    """``path`` may hold ``*``; ``count`` calls are hit."""

    effect: str
    methods: tuple[str, ...]
    path: str
    count: int
    options: dict[str, Any] = field(default_factory=dict)


class Faults:
    """The list of faults still to come, shared by the server's threads."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, body: dict[str, Any]) -> None:
        """``{"match": {"methods": [...], "path": "..."}, "effect": {"type": ..., ...}, "count": 1}``."""
        match, effect = body.get("match", {}), dict(body["effect"])
        kind = effect.pop("type")
        if kind not in EFFECTS:
            raise ValueError(f"effect must be one of {', '.join(EFFECTS)}")
        fault = Fault(
            kind, tuple(match.get("methods", ())), match.get("path", "*"), int(body.get("count", 1)), options=effect
        )
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this call, if one is due."""
        with self._lock:
            for fault in self._faults:
                if (not fault.methods or method in fault.methods) and fnmatch.fnmatch(path, fault.path):
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
    if fault.effect == "timeout_after":
        call()
    time.sleep(float(options.get("seconds", 30)))
    return Response("", 504)
