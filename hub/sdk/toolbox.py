"""What the hub hands to a connector. A connector touches the world through this and nothing else."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Literal, Protocol, Self

import requests
from requests.adapters import HTTPAdapter

from hub.sdk.commands import Words
from hub.sdk.errors import OutcomeUnknown, RateLimited, Refused, TemporaryFailure
from hub.sdk.messages import Value
from hub.sdk.wire import NotConnected, Wire

DEFAULT_TIMEOUT = (5.0, 20.0)
"""Seconds to connect and to wait for each read. Both together stay well below a delivery's lease."""


class HttpSession(requests.Session):
    """A ``requests.Session`` that always has a timeout, never reads the environment, never retries by itself and
    counts its calls for the connection's bill."""

    def __init__(
        self,
        *,
        user_agent: str,
        proxy: str = "",
        ca_file: str = "",
        timeout: tuple[float, float] = DEFAULT_TIMEOUT,
        on_call: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.timeout = timeout
        self.headers["User-Agent"] = user_agent
        self._on_call = on_call
        self.vendor_time: datetime | None = None
        """What the vendor's clock said in its last answer."""
        if proxy:
            self.proxies = {"http": proxy, "https": proxy}
        if ca_file:
            self.verify = ca_file
        self._adapter = HTTPAdapter(max_retries=0, pool_maxsize=4)
        self._wire = Wire(ca_file)
        self.mount("https://", self._adapter)
        self.mount("http://", self._adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send with the session's timeout when the caller gave none. Raises what ``requests`` raises."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self.timeout
        if self._on_call is not None:
            self._on_call()
        response = super().send(request, **kwargs)
        self.vendor_time = _http_date(response.headers.get("Date", ""))
        return response

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """As of requests, which reads the body of a redirect whole, unpacked, before it follows: none of it is read."""
        target: str | None = super().get_redirect_target(resp)
        if target is not None:
            resp.close()
        return target

    def exchange(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """One request and its whole answer, for the calls a connector makes a hundred times a second.

        As ``request`` with its timeout, proxy and CA, at a tenth of the cost: no redirect is followed, no cookie kept,
        no parameter encoded, nothing compressed. Raises what ``requests`` raises.
        """
        if self.proxies or self.get_adapter(url) is not self._adapter:
            return self.request(method, url, data=body or None, headers=headers, allow_redirects=False)
        if self._on_call is not None:
            self._on_call()
        sent = {"User-Agent": str(self.headers["User-Agent"]), **(headers or {})}
        response = self._wire.exchange(method, url, body, sent, self.timeout)
        self.vendor_time = _http_date(response.headers.get("Date", ""))
        return response

    def close(self) -> None:
        """Close every kept connection."""
        super().close()
        self._wire.close()


def _http_date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a zone of twenty digits: the answer before it counts all the same
        return None
    return parsed if parsed.tzinfo else None


def failure_of_transport(error: requests.RequestException, *, effect_possible: bool) -> Exception:
    """Translate an exception of ``requests`` (raise the result ``from`` it).

    ``effect_possible``: the request would change something. Then only an error that certainly came before the first
    byte left (refused, no name, no route, connect timeout) is a ``TemporaryFailure``; the rest is ``OutcomeUnknown``.
    """
    # Not every ProxyError: urllib3 also calls it so when the answer is cut off behind a proxy, after the bytes left.
    before_sending = isinstance(error, NotConnected | requests.ConnectTimeout) or (
        isinstance(error, requests.ConnectionError) and any(name in repr(error) for name in _BEFORE_SENDING)
    )
    summary = f"no answer from the vendor ({type(error).__name__})"
    if effect_possible and not before_sending:
        return OutcomeUnknown(summary, detail=str(error))
    return TemporaryFailure(summary, detail=str(error))


_BEFORE_SENDING = ("NewConnectionError", "NameResolutionError", "ConnectTimeout", "Tunnel connection failed")


def rate_limited(
    response: requests.Response, now: datetime, *, scope: Literal["lane", "connection"] = "connection"
) -> RateLimited:
    """A ``RateLimited`` from a 429: reads Retry-After (seconds or date) and X-RateLimit-Reset (ISO time or epoch)."""
    wait = _retry_after(response, now)
    return RateLimited("the vendor asks to slow down (429)", retry_after=wait, scope=scope)


def _retry_after(response: requests.Response, now: datetime) -> float | None:
    for header in ("Retry-After", "X-RateLimit-Reset", "RateLimit-Reset"):
        value = response.headers.get(header, "").strip()
        if not value:
            continue
        try:
            seconds = float(value)
            if not math.isfinite(seconds):
                continue
            if header != "Retry-After" and seconds > 1_000_000_000:
                seconds -= now.timestamp()
            return max(0.0, seconds)
        except ValueError:
            pass
        for parse in (parsedate_to_datetime, datetime.fromisoformat):
            try:
                return max(0.0, (parse(value) - now).total_seconds())
            except (ValueError, TypeError):
                continue
    return None


class Vault(Protocol):
    """Rotating tokens of one connection: encrypted, and committed before use."""

    def read(self, name: str) -> str | None:
        """The stored value, or ``None``."""

    def write(self, name: str, value: str, *, expires_at: datetime | None = None) -> None:
        """Store a value; returns after the commit."""

    def expires_at(self, name: str) -> datetime | None:
        """When the stored value ends, as it was written; ``None`` when nobody said, or nothing is stored."""

    def forget(self, name: str) -> None:
        """Delete a value, if there is one; returns after the commit."""

    def refresh(self, name: str, stale: str | None, renew: Callable[[], tuple[str, timedelta | None]]) -> str:
        """The current value if it is no longer ``stale``; else call ``renew`` once, whoever asks, and store it."""


CHUNK = 64 * 1024
IN_MEMORY = 1024 * 1024
"""What a file may have there; a larger one goes to the system's folder for temporary files."""
MOST_SECONDS_TO_SEND = 20.0
"""For one file, so that fetching it, sending it and the call that uses it end within a delivery's lease. The session's
timeout counts anew for each piece."""


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or file: ``size`` bytes in ``file``, which stands at its start. ``mime_type`` is what the server said,
    without parameters.

    Who asked for it closes it (``with toolbox.fetch_media(...) as media:``), and nothing is left on the disk. It is a
    request's body as it is: ``http.post(url, data=media)`` sends it piece by piece, with its Content-Length, and from
    its start each time. Sending raises ``TemporaryFailure`` when it takes longer than 20 seconds in all.
    """

    file: IO[bytes]
    size: int
    mime_type: str
    name: str

    @classmethod
    def of(cls, content: bytes, mime_type: str, name: str) -> Self:
        """What is in memory already."""
        return cls(BytesIO(content), len(content), mime_type, name)

    @classmethod
    def of_answer(cls, response: requests.Response, *, max_bytes: int, name: str) -> Self:
        """The body of an answer that was asked for with ``stream=True``, in memory up to 1 MiB and then on disk.

        Raises ``Refused`` when it is larger than ``max_bytes`` (more is not read), ``TemporaryFailure`` when there is
        no room for it here, and what ``requests`` raises when it is cut; nothing stays on the disk then.
        """
        told = response.headers.get("Content-Length", "")
        if told.isdecimal() and int(told) > max_bytes:
            raise Refused(f"the file is larger than {max_bytes} bytes")
        file, size = SpooledTemporaryFile(max_size=IN_MEMORY), 0  # noqa: SIM115 - the caller closes it
        try:
            for chunk in response.iter_content(CHUNK):
                size += len(chunk)
                if size > max_bytes:
                    raise Refused(f"the file is larger than {max_bytes} bytes")
                _put(file, chunk)
            file.seek(0)
        except BaseException:
            with suppress(OSError):  # what a full disk did not take is written once more
                file.close()
            raise
        mime_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return cls(file, size, mime_type, name)

    @property
    def content(self) -> bytes:
        """All of it at once: for what is small."""
        self.file.seek(0)
        content = self.file.read()
        self.file.seek(0)
        return content

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        until = time.monotonic() + MOST_SECONDS_TO_SEND
        self.file.seek(0)
        while chunk := self.file.read(CHUNK):
            if time.monotonic() > until:
                raise TemporaryFailure("the file takes too long to send")
            yield chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back memory and disk."""
        self.file.close()


def _put(file: IO[bytes], chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise TemporaryFailure("there is no room for a file here", detail=str(error)) from error


class FetchesMedia(Protocol):
    """Fetches a file that a message points at."""

    def __call__(self, url: str, *, max_bytes: int) -> Media:
        """The file at ``url``, the caller's to close. Raises ``Refused`` when the address is not public, the file is
        gone or larger than ``max_bytes``; ``TemporaryFailure`` when it cannot be had now. Needs no login: sends no
        credentials."""


def no_media(url: str, *, max_bytes: int) -> Media:
    """Refuses every file: the default of a toolbox made outside the hub."""
    raise Refused("no files can be fetched here")


class CategoryName(Value):
    """One category of the hub, and what people call it."""

    name: str
    label: Words


class House(Value):
    """What a connection may know of the hub it works for, to furnish the vendor's side: the language its people speak,
    the categories, and the groups of the teams that work in this connection."""

    language: Literal["en", "it"] = "en"
    categories: tuple[CategoryName, ...] = ()
    groups: tuple[str, ...] = ()


EMPTY_HOUSE = House()


@dataclass(frozen=True, slots=True)
class Toolbox:
    """``fetch_media`` gets the file behind an attachment, from public addresses only. ``now`` is the hub's clock (UTC,
    aware). ``log`` is bound to the connection; never log customer text above debug. ``made_at`` is when the
    connection was made: nothing older is ever answered."""

    connection: str
    http: HttpSession
    vault: Vault
    now: Callable[[], datetime]
    log: logging.LoggerAdapter[logging.Logger]
    public_url: str = ""
    made_at: datetime | None = None
    fetch_media: FetchesMedia = no_media
    house: House = EMPTY_HOUSE
