"""Replays a proof's recording (``hub connections prove``): the connector gets the recorded answers, in order, and any
other request than the recorded one fails.

An installer's recording lies in ``tests/recordings/<plugin>/``; :func:`claim_problem` holds a claim in quality.toml
against it.
"""

from __future__ import annotations

import json
import logging
from datetime import date, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from hub.sdk import HttpSession, Toolbox
from hub.sdk.redacting import Redactor
from hub.testing.rig import MemoryVault

FORMAT = 1

Json = dict[str, Any]


class ReplayDiffers(AssertionError):
    """The connector asked something else than in the recording."""


class Recording:
    """One recording. Make one with :meth:`load`."""

    def __init__(self, told: Json) -> None:
        if told.get("format") != FORMAT:
            raise ValueError(f"this recording has format {told.get('format')}; this hub replays format {FORMAT}")
        self.told = told

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read the file. Raises ``ValueError`` when it is no recording of this format."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    @property
    def code(self) -> str:
        """What told this round's records from those of another."""
        return str(self.told["code"])

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Name and state of every step, as they were."""
        return [(step["name"], step["state"]) for step in self.told["steps"]]

    def replay(self) -> Replay:
        """A fresh replay from the beginning."""
        return Replay(self.told)


class Replay:
    """The recorded vendor, clock and vault. ``differs`` are the requests that were not as recorded."""

    def __init__(self, told: Json) -> None:
        self._told = told
        self._exchanges: list[Json] = list(told["exchanges"])
        self._ticks = [datetime.fromisoformat(one) for one in told["ticks"]]
        self._redactor = Redactor(keep=told.get("keep", ()))
        self.differs: list[str] = []

    def connector(self, kind: type) -> Any:
        """The connector with the recording's settings, whose every call ends here."""
        settings = kind.Settings.model_validate(self._told["settings"])  # type: ignore[attr-defined]
        return kind(settings, self.toolbox())

    def toolbox(self) -> Toolbox:
        """What the hub handed to it then."""
        http = HttpSession(user_agent="social-care-hub-replay")
        for scheme in ("https://", "http://"):
            http.mount(scheme, _Recorded(self))
        vault = MemoryVault()
        for name, found in self._told["vault"].items():
            if found.get("value"):
                ends = found.get("expires_at")
                vault.write(name, _text(found["value"]), expires_at=datetime.fromisoformat(ends) if ends else None)
        return Toolbox(
            connection=self._told["connection"],
            http=http,
            vault=vault,
            now=self.now,
            log=logging.LoggerAdapter(logging.getLogger("hub.replay"), {}),
            made_at=self.now(),
        )

    def now(self) -> datetime:
        """The clock of the recording: it moves with each call and each wait."""
        return self._ticks[0]

    def wait(self, seconds: float) -> None:
        """Wait as then, in no time."""
        if len(self._ticks) > 1:
            self._ticks.pop(0)

    @property
    def left(self) -> list[str]:
        """The recorded requests that nobody made."""
        return [f"{one['method']} {one['url']}" for one in self._exchanges]

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        """The recorded answer, if this is the recorded request. Raises :class:`ReplayDiffers`, or what was raised
        then."""
        asked = {
            "method": request.method,
            "url": self._redactor.url(str(request.url)),
            "body": self._redactor.body(request.body, str(request.headers.get("Content-Type", ""))),
        }
        if not self._exchanges:
            raise self._other(f"{asked['method']} {asked['url']}: the recording is at its end")
        then = self._exchanges[0]
        for part, value in asked.items():
            if value != then[part]:
                raise self._other(
                    f"the {part} is {value!r}; recorded was {then[part]!r} ({then['method']} {then['url']})"
                )
        self._exchanges.pop(0)
        self.wait(0)
        if "failed" in then:
            failure: type[Exception] = getattr(requests.exceptions, then["failed"], requests.ConnectionError)
            raise failure(f"as recorded: {then['failed']}")
        return _response(request, then)

    def _other(self, words: str) -> ReplayDiffers:
        self.differs.append(words)
        return ReplayDiffers(words)


class _Recorded(BaseAdapter):
    """Where the connector's session ends."""

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self._replay = replay

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return self._replay.answer(request)

    def close(self) -> None:
        """Nothing is open."""


def claim_problem(claim: Json, recordings: Path, today: date) -> str:
    """Why ``[proven_live]`` of a quality.toml may not say what it says; empty when it may, or says nothing.

    It names ``date``, ``version`` and ``who``, and a recording of that day, in which something was said and nothing
    failed, lies in ``recordings``.
    """
    if not claim:
        return ""
    for key in ("version", "who"):
        if not str(claim.get(key) or "").strip():
            return f"[proven_live] lacks {key}"
    day = claim.get("date")
    if not isinstance(day, date):
        return "[proven_live] lacks date, written as 2026-03-02"
    if day > today:
        return f"[proven_live] is dated in the future ({day})"
    found = [Recording.load(path) for path in sorted(recordings.glob("*.json"))]
    same = [one for one in found if str(one.told["started_at"]).startswith(day.isoformat())]
    if not same:
        return f"[proven_live] names {day}, and {recordings} holds no recording of that day"
    if not any(one.told["plugin_version"] == claim["version"] and _holds(one.told) for one in same):
        return f"no recording of {day} is a round of version {claim['version']} that spoke and in which nothing failed"
    return ""


def _text(body: Any) -> str:
    value = body or {}
    if "json" in value:
        return json.dumps(value["json"])
    if "form" in value:
        return urlencode(value["form"])
    return str(value.get("text", "x" * int(value.get("bytes", 0))))


def _response(request: requests.PreparedRequest, then: Json) -> requests.Response:
    response = requests.Response()
    response.status_code, response.reason = then["status"], _reason(then["status"])
    response.url, response.request, response.encoding = str(request.url), request, "utf-8"
    response.headers = CaseInsensitiveDict(then["answer_headers"])
    response._content = _text(then["answer"]).encode()  # noqa: SLF001 - as requests' own adapters and every fake of it do
    return response


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _holds(told: Json) -> bool:
    return bool(told["ok"] and told.get("proven"))


__all__ = ["Recording", "Replay", "ReplayDiffers", "claim_problem"]
