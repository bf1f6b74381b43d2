"""The webhook endpoint: whatever comes gets a 2xx, 4xx or 503, soon, and what is answered 200 is stored."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from hub.sdk import ReceivesWebhooks, WebhookReply, WebhookRequest
from hub.store import StoreBusy, views
from tests.fakes.connectors import FakeSource
from tests.fakes.house import START, House
from tests.web.desk import make_app

MOST_SECONDS = 3.0
FUZZ = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, FlaskClient]]:
    """One hub for everything that must not break it."""
    folder = tmp_path_factory.mktemp("hooks")
    house = House(f"sqlite:///{folder / 'hub.sqlite'}")
    patch = pytest.MonkeyPatch()
    yield house, make_app(house, folder, patch).test_client()
    patch.undo()
    house.close()


def signed(body: bytes) -> dict[str, str]:
    """The headers of a body the vendor really sent."""
    return {"X-Signature": "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()}


def post_body(text: str, number: int = 1) -> bytes:
    """One post as the fake network reports it."""
    entry = {
        "kind": "post",
        "id": f"w{number}",
        "author": "eva",
        "text": text,
        "reply_to": "",
        "thread": f"w{number}",
        "at": START.timestamp() + 1,
        "edited": None,
        "private": False,
    }
    return json.dumps([entry]).encode()


def answered_well(answer: TestResponse, began: float) -> None:
    """The promise of the endpoint."""
    status = answer.status_code
    assert 200 <= status < 300 or 400 <= status < 500 or status == 503, status
    assert time.monotonic() - began < MOST_SECONDS


BODIES = st.one_of(
    st.binary(max_size=4096),
    st.text(max_size=500).map(lambda text: text.encode("utf-16")),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
        max_leaves=30,
    ).map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["post", "deleted", "other"]),
            "id": st.text(max_size=10) | st.integers(),
            "author": st.text(max_size=10) | st.none(),
            "text": st.text(max_size=50, alphabet=st.characters()) | st.just("\ud800") | st.just("\x00"),
            "reply_to": st.just(""),
            "thread": st.text(max_size=10),
            "at": st.floats() | st.integers() | st.none() | st.text(max_size=5),
            "edited": st.none() | st.floats(),
            "private": st.booleans(),
        }
    ).map(lambda entry: json.dumps([entry]).encode()),
)
NASTY = {
    "invalid utf-8": b'[{"text": "\xff\xfe\xc0"}]',
    "half a body": b'[{"kind": "po',
    "100,000 nested lists": b"[" * 100_000,
    "100,000 nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "infinite number": b'[{"at": 1e400}]',
    "5,000 digits": b"[" + b"9" * 5_000 + b"]",
    "900,000 digits": b"[" + b"9" * 900_000 + b"]",
    "NaN": b"[NaN, -Infinity]",
    "lone surrogate": post_body("x").replace(b'"x"', b'"\\ud800"'),
    "a zero byte in a text": post_body("x").replace(b'"x"', b'"\\u0000"'),
    "a year without end": post_body("x").replace(str(START.timestamp() + 1).encode(), b"1e300"),
    "nothing": b"",
    "blanks": b" " * 10_000,
    "a million commas": b"[" + b"," * 1_000_000 + b"]",
    "a form": b"a=b&csrf=c",
}


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("is_signed", [True, False])
def test_nasty_bodies(shared: tuple[House, FlaskClient], name: str, is_signed: bool) -> None:
    """Known evil bodies, signed by the vendor or not, are answered in time and never with a 500."""
    body = NASTY[name]
    began = time.monotonic()
    answer = shared[1].post("/hooks/network", data=body, headers=signed(body) if is_signed else {})
    answered_well(answer, began)
    if not is_signed:
        assert answer.status_code == 401


@FUZZ
@given(
    body=BODIES,
    is_signed=st.booleans(),
    method=st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"]),
    path=st.sampled_from(["/hooks/network", "/hooks/network/s3cret/path", "/hooks/desk", "/hooks/nobody", "/hooks/"]),
    content_type=st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x", ""]
    ),
    encoding=st.sampled_from(["", "gzip", "chunked", "br"]),
    query=st.binary(max_size=40),
    header=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60),
    name=st.sampled_from(["X-Vendor", "Cookie", "Accept-Language", "Host", "Expect", "Range", "Date", "Accept"]),
)
def test_anything_is_answered(
    shared: tuple[House, FlaskClient],
    body: bytes,
    is_signed: bool,
    method: str,
    path: str,
    content_type: str,
    encoding: str,
    query: bytes,
    header: str,
    name: str,
) -> None:
    """Random bodies, methods, types, encodings, queries and headers."""
    headers = {name: header, **(signed(body) if is_signed else {"X-Signature": header})}
    environ: dict[str, Any] = {"QUERY_STRING": query.decode("latin-1"), "HTTP_CONTENT_ENCODING": encoding}
    if encoding == "chunked":
        environ.update({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True})
    began = time.monotonic()
    answer = shared[1].open(
        path, method=method, data=body, headers=headers, content_type=content_type, environ_overrides=environ
    )
    answered_well(answer, began)


@FUZZ
@given(length=st.sampled_from(["", "-1", "abc", "0", "1", "99999", "1048577", "9" * 400, " 5", "1e3", "٣"]))
def test_wrong_content_length(shared: tuple[House, FlaskClient], length: str) -> None:
    """A content-length that does not fit its body is the sender's fault, not ours."""
    began = time.monotonic()
    environ = {"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(b"[]")}
    answered_well(shared[1].post("/hooks/network", environ_overrides=environ), began)


def test_too_large_is_refused_without_reading_it(shared: tuple[House, FlaskClient]) -> None:
    """More than 1 MiB gets 413, told or untold, and is never held in memory whole."""

    class Endless(io.RawIOBase):
        read_so_far = 0

        def readinto(self, buffer: Any) -> int:
            self.read_so_far += len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    told = shared[1].post("/hooks/network", data=b"x" * (1024 * 1024 + 2))
    just = shared[1].post("/hooks/network", data=b"x" * (1024 * 1024 + 1))
    endless = Endless()
    chunked = {
        "CONTENT_LENGTH": "",
        "wsgi.input": endless,
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    untold = shared[1].post("/hooks/network", environ_overrides=chunked)
    assert [told.status_code, just.status_code, untold.status_code] == [413, 413, 413]
    assert endless.read_so_far <= 2 * 1024 * 1024


def test_the_largest_body_is_taken(house: House, app: Flask) -> None:
    """Exactly 1 MiB is still read."""
    body = post_body("y").ljust(1024 * 1024)
    assert app.test_client().post("/hooks/network", data=body, headers=signed(body)).status_code == 200


def test_signed_events_are_stored_before_the_answer(house: House, app: Flask) -> None:
    """A signed body is in the inbox when its 200 leaves, and becomes a ticket."""
    body = post_body("Where is my parcel?")
    answer = app.test_client().post("/hooks/network", data=body, headers=signed(body))
    with house.store.read() as read:
        assert [row.state for row in views.inbox_rows(read)] == ["new"]
    assert (answer.status_code, answer.text) == (200, "stored\n")
    house.settle(seconds=3, most=8)
    with house.store.read() as read:
        assert [row.subject for row in views.ticket_rows(read)] == ["Where is my parcel?"]


def test_a_form_body_reaches_the_plugin_raw(house: House, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, path and header names arrive as they were sent, whatever the content type says."""
    seen: list[WebhookRequest] = []
    monkeypatch.setattr(FakeSource, "verify", lambda self, request: seen.append(request))
    body = b"payload=%7B%7D&x=\xff"
    app.test_client().post(
        "/hooks/network/secret/path?a=1&a=2",
        data=body,
        headers={"X-Vendor-Signature": "AbC"},
        content_type="application/x-www-form-urlencoded",
    )
    assert seen[0].body == body
    assert seen[0].path == "/hooks/network/secret/path"
    assert seen[0].headers["x-vendor-signature"] == "AbC"
    assert seen[0].query == {"a": "1"}


def test_handshakes_are_passed_on(house: House, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plugin answers to a vendor's question goes out as it is."""
    reply = WebhookReply(body="<42>", headers={"X-Answer": "yes"})
    monkeypatch.setattr(ReceivesWebhooks, "answer_handshake", lambda self, request: reply)
    answer = app.test_client().get("/hooks/network?hub.challenge=42")
    assert (answer.status_code, answer.text, answer.headers["X-Answer"]) == (200, "<42>", "yes")
    assert answer.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize("error", [StoreBusy("full"), RuntimeError("disk")])
def test_a_store_that_is_down_asks_for_patience(
    house: House, app: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """503 with Retry-After, so that the vendor sends it again."""

    def refuse(unit: object) -> None:
        raise error

    monkeypatch.setattr(house.store, "submit", refuse)
    body = post_body("lost?")
    answer = app.test_client().post("/hooks/network", data=body, headers=signed(body))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_unknown_connections_and_methods(house: House, app: Flask) -> None:
    """404 and 405 in plain text."""
    client = app.test_client()
    assert client.post("/hooks/nobody").status_code == 404
    assert client.post("/hooks/desk").status_code == 404
    assert client.get("/hooks/network").status_code == 405
    assert client.put("/hooks/network").status_code == 405
    assert "<html" not in client.put("/hooks/network").text


def test_customers_words_stay_out_of_the_log(house: House, app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a refused nor a broken body is quoted in the log."""
    for body in (b'[{"text": "my secret words"}]', b'[{"text": "my secret words"'):
        app.test_client().post("/hooks/network", data=body, headers=signed(body))
        app.test_client().post("/hooks/network", data=body)
    assert "my secret words" not in caplog.text


def test_health(house: House, app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """200 while the database answers, 503 when it does not; under any host name and without login."""
    client = app.test_client()
    assert client.get("/healthz", headers={"Host": "10.1.2.3"}).json == {"status": "ok"}

    def broken() -> None:
        raise OSError("gone")

    monkeypatch.setattr(house.store, "read", broken)
    assert client.get("/healthz").status_code == 503


@pytest.mark.parametrize("name", ["network", "nobody"])
@pytest.mark.parametrize("is_signed", [True, False])
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_the_short_cut_answers_as_the_long_way(
    shared: tuple[House, FlaskClient], name: str, is_signed: bool, host: str
) -> None:
    """A query sends the same webhook through Flask: status, headers and text are the same."""
    body = post_body("hello", number=len(f"{name}{is_signed}{host}"))
    headers = {"Host": host, **(signed(body) if is_signed else {})}
    short, long = (
        shared[1].post(f"/hooks/{name}{query}", data=body, headers=headers, content_type="application/json")
        for query in ("", "?long=1")
    )
    assert (short.status_code, sorted(short.headers), short.data) == (long.status_code, sorted(long.headers), long.data)
    assert short.status_code == (
        400 if host == "evil.example" else 404 if name == "nobody" else 200 if is_signed else 401
    )
