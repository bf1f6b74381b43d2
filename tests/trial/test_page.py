"""The trial page: who may call it, what it does, what it shows, in both languages."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient

from hub.catalogue import Catalogue
from hub.configuration import Hub as HubBlock
from hub.configuration import HubConfig, Team, Teams, Trial
from hub.flow import control, parked
from hub.sdk.sandboxes import SandboxPost
from hub.store import connections, views
from hub.trial import drivers
from hub.trial import scene as scenes
from hub.trial.address import is_private
from hub.trial.drivers import Drivers
from hub.trial.page import make_trial, translations
from hub.trial.scene import Scene
from hub.web import create_app, make_login_link
from tests.fakes.connectors import FakeSink, FakeSource
from tests.fakes.house import House
from tests.trial.sandboxes import START, TinyHelpdesk, TinyNetwork

TRIAL = Path(__file__).parent.parent.parent / "hub" / "trial"


class Stage:
    """A hub with fake vendors, and its trial page over two tiny sandboxes."""

    def __init__(self, folder: Path) -> None:
        self.house = House(f"sqlite:///{folder / 'hub.sqlite'}")
        self.house.hub.connected = {**self.house.hub.connected, "trial-mastodon": self.house.hub.connected["network"]}
        made = {"connector": "mastodon", "side": "source", "mode": "live", "now": START}
        self.house.store.run(lambda tx: connections.ensure(tx, name="trial-mastodon", **made))
        self.network, self.helpdesk = TinyNetwork(), TinyHelpdesk()
        teams = Teams(default_team="care", teams={"care": Team(name="care", sink="desk")})
        self.config = HubConfig(
            path=folder / "hub.toml", var_dir=folder / "var", teams=teams, hub=HubBlock(), trial=Trial(enabled=True)
        )

    def app(self, *, needs_login: bool = False) -> Flask:
        page = make_trial(self.house.hub, self.config, Drivers(self.network, self.helpdesk), needs_login=needs_login)
        return create_app(self.house.hub, self.config, Catalogue.of(FakeSource, FakeSink), blueprints=[page])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    made = Stage(tmp_path)
    yield made
    made.house.close()


@pytest.fixture
def client(stage: Stage) -> FlaskClient:
    return stage.app().test_client()


def scene(client: FlaskClient) -> dict[str, Any]:
    return dict(client.get("/trial/api/scene").get_json())


def test_the_page_claims_the_root(client: FlaskClient) -> None:
    """`/` is the trial page, not a redirect into the console."""
    answer = client.get("/?lang=en")
    assert answer.status_code == 200
    assert "post an example complaint" in answer.text


def test_a_customer_posts_and_the_post_is_shown(stage: Stage, client: FlaskClient) -> None:
    """What is posted through the page is said by that customer, and the page shows it."""
    answer = client.post("/trial/api/post", json={"author": "Anna", "text": "Hello", "private": True})
    assert answer.status_code == 200
    assert [(post.author, post.text, post.privacy) for post in stage.network.said] == [("Anna", "Hello", "direct")]
    assert scene(client)["posts"][0]["text"] == "Hello"


@pytest.mark.parametrize(
    ("verb", "body", "done"),
    [
        ("answer", {"text": "Hi", "public": True}, ("answer", "1", "Hi", True, False)),
        ("answer", {"text": "Hi", "public": False}, ("answer", "1", "Hi", False, False)),
        ("answer", {"text": "Hi", "public": True, "automatic": True}, ("answer", "1", "Hi", True, True)),
        ("make-public", {"comment": "7"}, ("make_public", "1", "7")),
        ("update", {"status": "solved"}, ("update", "1", "solved", ())),
        ("update", {"tag": "sch-send"}, ("update", "1", "", ("sch-send",))),
    ],
)
def test_the_agent_acts_in_the_helpdesk(
    stage: Stage, client: FlaskClient, verb: str, body: dict[str, Any], done: tuple[Any, ...]
) -> None:
    """Each thing an agent can do on the page reaches the helpdesk as it was meant."""
    assert client.post(f"/trial/api/{verb}", json={"record": "1", **body}).status_code == 200
    assert stage.helpdesk.did == [done]


def test_the_mode_is_switched_and_audited(stage: Stage, client: FlaskClient) -> None:
    """The switch changes the hub's connection, under the page's name."""
    assert client.post("/trial/api/mode", json={"mode": "draft"}).status_code == 200
    assert scene(client)["hub"]["mode"] == "draft"
    assert stage.house.rows("SELECT actor, action FROM audit") == [("trial page", "set_mode")]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": "text=x", "content_type": "application/x-www-form-urlencoded"}, 415),
        ({"json": {"author": "A", "text": "x"}, "headers": {"Origin": "https://evil.example"}}, 403),
        ({"json": {"author": "A", "text": "x"}, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({"json": {"author": "A", "text": "x"}, "headers": {"Host": "evil.example"}}, 400),
        ({"json": [1]}, 400),
        ({"data": "{", "content_type": "application/json"}, 400),
        ({"json": {"author": "", "text": "x"}}, 400),
        ({"json": {"author": "A", "text": 5}}, 400),
        ({"data": '{"a":' * 100_000, "content_type": "application/json"}, 400),
        ({"json": {"author": "A", "text": "x" * 5001}}, 400),
        ({"json": {"author": "A", "text": "x", "reply_to": "../1"}}, 400),
    ],
)
def test_what_the_page_never_sends_is_refused(
    stage: Stage, client: FlaskClient, options: dict[str, Any], status: int
) -> None:
    """Forms of other sites, other origins, other hosts and wrong values change nothing."""
    assert client.post("/trial/api/post", **options).status_code == status
    assert stage.network.said == []


def test_its_own_origin_is_let_in(client: FlaskClient) -> None:
    """The browser's own headers of this very page are no obstacle."""
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/trial/api/post", json={"author": "A", "text": "x"}, headers=headers).status_code == 200


def test_unchanged_means_304(client: FlaskClient) -> None:
    """Asking again with the ETag costs no body until something happened."""
    first = client.get("/trial/api/scene")
    again = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/trial/api/scene", headers=again).status_code == 304
    client.post("/trial/api/post", json={"author": "A", "text": "x"})
    assert client.get("/trial/api/scene", headers=again).status_code == 200


def test_ten_viewers_cost_as_much_as_one(stage: Stage) -> None:
    """Within the time an answer is good for, the sandboxes are asked once."""
    time = 100.0
    shared = Scene(stage.house.hub, Drivers(stage.network, stage.helpdesk), "trial-mastodon", clock=lambda: time)
    for _ in range(10):
        shared.now()
    assert stage.network.reads == 1
    time += 1
    shared.now()
    assert stage.network.reads == 2


def test_a_sandbox_that_is_away_is_told_and_the_rest_stays(stage: Stage, client: FlaskClient) -> None:
    """While the network restarts the page keeps what it showed and says what is wrong; acting there is a 502."""
    client.post("/trial/api/post", json={"author": "A", "text": "kept"})
    assert scene(client)["posts"]

    def refuse(**_: Any) -> list[SandboxPost]:
        raise requests.ConnectionError

    stage.network.posts = refuse  # type: ignore[method-assign]
    client.post("/trial/api/mode", json={"mode": "live"})
    shown = scene(client)
    assert shown["posts"][0]["text"] == "kept"
    assert shown["trouble"] == ["Tiny network: it does not answer (ConnectionError)"]
    long = client.post("/trial/api/post", json={"author": "A", "text": "x" * 501})
    assert (long.status_code, long.get_json()) == (502, {"error": "(422)"})


def test_tickets_tell_how_far_they_are(stage: Stage, client: FlaskClient) -> None:
    """The middle pane knows each ticket's steps and how long the post took to the helpdesk."""
    stage.house.settle(seconds=2, most=5)
    stage.house.network.post("anna", "My parcel is late")
    stage.house.settle(seconds=8, most=20)
    ticket = scene(client)["hub"]["tickets"][0]
    assert ticket["done"] == ["received", "sorted", "ticket"]
    assert ticket["author"] == "anna"
    assert 0 <= ticket["lag"] < 10


def answered(stage: Stage, text: str = "It comes tomorrow") -> None:
    """The agent answers the only ticket."""
    stage.house.helpdesk.comment("r1", text)
    stage.house.settle(seconds=8, most=20)


def first_ticket(stage: Stage, client: FlaskClient) -> dict[str, Any]:
    """How the page shows the only ticket, asked anew."""
    client.post("/trial/api/update", json={"record": "1", "status": "open"})
    return dict(scene(client)["hub"]["tickets"][0])


@pytest.fixture
def written(stage: Stage) -> Stage:
    """A customer has written."""
    stage.house.settle(seconds=2, most=5)
    stage.house.network.post("anna", "My parcel is late")
    stage.house.settle(seconds=8, most=20)
    return stage


def test_a_ticket_tells_its_own_connection_and_mode(written: Stage, client: FlaskClient) -> None:
    """The switch is about the trial's connection; a ticket of another one has that one's mode, and is told apart."""
    assert client.post("/trial/api/mode", json={"mode": "draft"}).status_code == 200
    assert first_ticket(written, client)["connection"] == "network"
    control.set_mode(written.house.hub, "network", "observe", actor="test")
    hub = (client.post("/trial/api/update", json={"record": "1", "status": "open"}), scene(client)["hub"])[1]
    assert (hub["mode"], hub["others"]) == ("draft", ["network"])
    assert (hub["tickets"][0]["connection"], hub["tickets"][0]["mode"]) == ("network", "observe")


@pytest.mark.parametrize(
    ("code", "words"), [("en", "How far may trial-mastodon go?"), ("it", "può arrivare trial-mast")]
)
def test_the_page_says_what_it_is_about(client: FlaskClient, code: str, words: str) -> None:
    """The switch names its connection, and the empty network the network."""
    page = client.get(f"/?lang={code}").text
    assert words in page
    assert "Tiny network (sandbox)" in re.search(r'id="threads".*', page)[0]  # type: ignore[index]
    assert "{connection}" not in page.partition("</script>")[2]


def test_what_is_not_answered_does_not_look_done(written: Stage, client: FlaskClient) -> None:
    """An answer counts for the post it answers: when the customer writes again both steps are open again."""
    answered(written)
    assert first_ticket(written, client)["done"] == ["received", "sorted", "ticket", "answered", "published"]
    written.house.network.post("anna", "And where is it now?")
    written.house.settle(seconds=8, most=20)
    ticket = first_ticket(written, client)
    assert ticket["done"] == ["received", "sorted", "ticket"]
    assert ticket["answer"] == ""


def test_a_halted_answer_is_not_published(written: Stage, client: FlaskClient) -> None:
    """While everything that goes out is halted the last step says so; afterwards it is done."""
    control.stop_talking(written.house.hub, actor="test", reason="")
    answered(written)
    ticket = first_ticket(written, client)
    assert (ticket["answer"], "published" in ticket["done"]) == ("halted", False)
    control.talk_again(written.house.hub, actor="test", reason="")
    written.house.settle(seconds=8, most=20)
    assert first_ticket(written, client)["answer"] == "published"


def test_a_draft_is_offered_only_while_it_waits(written: Stage, client: FlaskClient) -> None:
    """However it was released, a draft that is gone is not offered again, and its tag is answered with a word."""
    control.set_mode(written.house.hub, "network", "draft", actor="test")
    answered(written)
    ticket = first_ticket(written, client)
    assert (ticket["draft"], ticket["answer"], "published" in ticket["done"]) == (True, "drafted", False)
    release = {"record": "r1", "tag": "sch-send"}
    assert client.post("/trial/api/update", json=release).get_json() == {"waits": True}
    with written.house.store.read() as read:
        (waiting,) = views.parked(read)
    parked.retry(written.house.hub, "outbox", waiting.id, actor="test", publish_draft=True)
    written.house.settle(seconds=8, most=20)
    ticket = first_ticket(written, client)
    assert (ticket["draft"], ticket["answer"]) == (False, "published")
    assert client.post("/trial/api/update", json=release).get_json() == {"waits": False}


def test_an_answer_in_parts_is_published_once(written: Stage, client: FlaskClient) -> None:
    """The timeline shows one line with the number of parts, not one for each."""
    answered(written, "This is a sentence of a long answer. " * 40)
    told = [event for event in first_ticket(written, client)["events"] if event["kind"] == "answer_published"]
    assert len(told) == 1
    assert told[0]["data"]["parts"] > 1
    assert told[0]["private"] is False


def test_a_private_answer_is_told_as_private(stage: Stage, client: FlaskClient) -> None:
    """Nobody reads that a private answer stands under a post."""
    stage.house.settle(seconds=2, most=5)
    stage.house.network.post("anna", "Between us", private=True)
    stage.house.settle(seconds=8, most=20)
    answered(stage)
    ticket = first_ticket(stage, client)
    assert ticket["private"] is True
    assert [event["private"] for event in ticket["events"] if event["kind"] == "answer_published"] == [True]


def test_open_to_the_world_it_needs_the_console_login(stage: Stage) -> None:
    """When the hub does not listen on loopback, a stranger sees and does nothing; who is logged in does."""
    app = stage.app(needs_login=True)
    client = app.test_client()
    assert client.get("/").headers["Location"] == "/login"
    assert client.get("/trial/api/scene").status_code == 401
    assert client.post("/trial/api/post", json={"author": "A", "text": "x"}).status_code == 401
    client.post(make_login_link(stage.house.hub, "http://localhost").removeprefix("http://localhost"))
    assert client.get("/").status_code == 200
    assert client.get("/trial/api/scene").status_code == 200


@pytest.mark.parametrize(
    ("hub", "private"),
    [
        ({}, True),
        ({"listen": "localhost:8765"}, True),
        ({"listen": "[::1]:8765"}, True),
        ({"listen": "0.0.0.0:8765"}, False),
        ({"listen": "hub.example:8765"}, False),
        ({"public_url": "https://care.example.com"}, False),
        ({"trusted_proxies": ("127.0.0.1/32",)}, False),
    ],
)
def test_who_can_reach_it_decides_about_the_login(stage: Stage, hub: dict[str, Any], private: bool) -> None:
    """Loopback alone needs no login; a public address or a proxy before it does."""
    assert is_private(replace(stage.config, hub=HubBlock(**hub))) is private


def test_both_languages_have_every_text() -> None:
    """English and Italian have the same keys and the same placeholders, and none is empty."""
    english, italian = translations("en"), translations("it")
    assert english.keys() == italian.keys()
    for key, text in english.items():
        assert italian[key].strip()
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", italian[key])), key
    assert len(english["example.texts"].split("|")) == len(italian["example.texts"].split("|"))


def test_scripts_and_template_use_texts_that_exist() -> None:
    """Every key named in the page is in the translations, and the template holds no words of its own."""
    known = translations("en")
    for file in (TRIAL / "static").glob("*.js"):
        for key in re.findall(r'say\("([\w.]+)"', file.read_text()):
            assert key in known, (file.name, key)
    template = (TRIAL / "templates/trial/index.html").read_text()
    for key in re.findall(r't\["([\w.]+)"\]', template):
        assert key in known, key
    text = re.sub(r"<pre.*?</pre>|<!--.*?-->|{%.*?%}|{{.*?}}|<[^>]*>", " ", template, flags=re.DOTALL)
    assert set(re.findall(r"[A-Za-z]{2,}", text)) <= {"Social", "Care", "Hub"}


def test_every_step_of_the_flow_has_words() -> None:
    """Each kind of event that the flow writes into a timeline is told in human words."""
    kinds: set[str] = set()
    for file in (TRIAL.parent / "flow").glob("*.py"):
        kinds |= set(re.findall(r'add_event\(\s*tx,\s*[\w.]+,\s*"(\w+)"', file.read_text()))
    assert len(kinds) > 10
    assert {kind for kind in kinds if f"event.{kind}" not in translations("en")} == set()


def test_texts_of_the_page_are_no_script(stage: Stage, client: FlaskClient) -> None:
    """A team's label with markup in it cannot break out of the page's data block."""
    evil = Team(name="care", sink="desk", label="</script><script>alert(1)</script>")
    stage.config = replace(stage.config, teams=Teams(default_team="care", teams={"care": evil}))
    page = stage.app().test_client().get("/?lang=en").text
    block = re.search(r'id="texts">(.*?)</script>', page, re.DOTALL)
    assert block
    assert json.loads(block[1])["team.care"] == "</script><script>alert(1)</script>"


class SlowNetwork:
    """Makes the stage's network hang in one of its calls until the test ends."""

    def __init__(self, stage: Stage, call: str) -> None:
        self.calls = 0
        self.reached, self.goes_on = threading.Event(), threading.Event()
        self._does = getattr(stage.network, call)
        setattr(stage.network, call, self._hang)

    def _hang(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        self.reached.set()
        assert self.goes_on.wait(60)
        return self._does(*arguments, **options)


@pytest.fixture
def slow(stage: Stage) -> Iterator[Callable[[str], SlowNetwork]]:
    made: list[SlowNetwork] = []

    def make(call: str) -> SlowNetwork:
        made.append(SlowNetwork(stage, call))
        return made[-1]

    yield make
    for one in made:
        one.goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "trial-scene":
            thread.join(10)


def together(number: int, call: Callable[[], Any], *, within: float, then: threading.Event) -> list[Any]:
    """The answers of as many calls side by side; those not there ``within`` seconds are a failure."""
    pool = ThreadPoolExecutor(number)
    jobs = [pool.submit(call) for _ in range(number)]
    until = time.monotonic() + within
    try:
        return [job.result(max(0.0, until - time.monotonic())) for job in jobs]
    finally:
        then.set()
        pool.shutdown()


def test_a_slow_network_holds_no_viewer(
    stage: Stage, slow: Callable[[str], SlowNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one look hangs, forty viewers get what was seen last, and the network is asked once."""
    monkeypatch.setattr(scenes, "PATIENCE", 0.1)
    app = stage.app()
    stage.network.post("anna", "kept")
    assert scene(app.test_client())["posts"]
    app.test_client().post("/trial/api/mode", json={"mode": "live"})
    hanging = slow("posts")
    answers = together(40, lambda: app.test_client().get("/trial/api/scene"), within=20, then=hanging.goes_on)
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].get_json()["posts"][0]["text"] == "kept"
    assert hanging.calls == 1


def test_a_first_look_that_hangs_is_told(
    stage: Stage, slow: Callable[[str], SlowNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything was seen, viewers are told to come back; nobody waits for the network."""
    monkeypatch.setattr(scenes, "PATIENCE", 0.1)
    app, hanging = stage.app(), slow("posts")
    answers = together(10, lambda: app.test_client().get("/trial/api/scene"), within=20, then=hanging.goes_on)
    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in answers} == {(503, "2")}
    assert hanging.calls == 1


def test_acting_on_a_slow_network_leaves_threads_free(
    stage: Stage, slow: Callable[[str], SlowNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one post hangs, others are refused soon: few wait for their turn, the rest are told at once."""
    monkeypatch.setattr(drivers, "WAITS", 1.0)
    app, hanging = stage.app(), slow("post")

    def post() -> int:
        return app.test_client().post("/trial/api/post", json={"author": "A", "text": "x"}).status_code

    with ThreadPoolExecutor(1) as first:
        posted = first.submit(post)
        assert hanging.reached.wait(20)
        assert set(together(20, post, within=20, then=hanging.goes_on)) == {502, 503}
        assert posted.result(20) == 200
    assert len(stage.network.said) == 1


def test_what_is_done_during_a_look_is_seen_by_the_next(
    stage: Stage, slow: Callable[[str], SlowNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that began before something was done does not count as fresh."""
    monkeypatch.setattr(scenes, "PATIENCE", 0.1)
    shared = Scene(stage.house.hub, Drivers(stage.network, stage.helpdesk), "trial-mastodon", clock=lambda: 1.0)
    hanging = slow("posts")
    with pytest.raises(scenes.NothingToShow):
        shared.now()
    shared.stale()
    hanging.goes_on.set()
    monkeypatch.setattr(scenes, "PATIENCE", 20)
    shared.now()
    shared.now()
    assert hanging.calls == 2


def test_a_failed_look_is_not_repeated_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs or fails is asked again after some seconds only, whoever looks."""
    now = 100.0
    shared = Scene(stage.house.hub, Drivers(stage.network, stage.helpdesk), "trial-mastodon", clock=lambda: now)
    asked = []

    def broken(**_: Any) -> list[SandboxPost]:
        asked.append(now)
        raise ValueError

    monkeypatch.setattr(stage.network, "posts", broken)
    for now in (100.0, 101.0, 102.0, 104.0):  # noqa: B007 - the clock reads it
        with pytest.raises(scenes.NothingToShow):
            shared.now()
    assert asked == [100.0, 104.0]
    monkeypatch.setattr(stage.network, "posts", lambda **_: (_ for _ in ()).throw(requests.ConnectionError))
    now = 110.0
    told = shared.now()
    assert json.loads(told.body)["trouble"]
    monkeypatch.undo()
    now = 112.0
    assert shared.now() is told
    now = 114.0
    assert json.loads(shared.now().body)["trouble"] == []


def test_half_a_surrogate_pair_takes_the_page_from_nobody(stage: Stage, client: FlaskClient) -> None:
    """Whoever wrote it, in the sandbox or through the page: it is shown as a question mark."""
    stage.network.said.append(SandboxPost("1", "anna", "a\ud83dz", START))
    body = '{"author": "b\\ud83d", "text": "c\\ud83dz"}'
    assert client.post("/trial/api/post", data=body, content_type="application/json").status_code == 200
    assert [(post["author"], post["text"]) for post in scene(client)["posts"]] == [("b?", "c?z"), ("anna", "a?z")]
    assert (stage.network.said[1].author, stage.network.said[1].text) == ("b?", "c?z")


@pytest.mark.parametrize("path", ["/trial/api/scene", "/trial/api/about"])
def test_another_site_cannot_look(client: FlaskClient, path: str) -> None:
    """Requests another site makes in the visitor's browser are refused; a link to the page itself works."""
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert client.get(path, headers={"Sec-Fetch-Site": site}).status_code == status
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
