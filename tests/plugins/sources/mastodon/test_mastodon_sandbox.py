"""The sandbox: its people, its memory, and its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests
from mastodon_stage import running

from plugins.sources.mastodon.sandbox import BRAND, SANDBOX, MastodonSandbox, _handle
from plugins.sources.mastodon.sandbox.__main__ import main


def test_the_entry_point_finds_it() -> None:
    """The hub looks for SANDBOX and starts it as a module."""
    assert SANDBOX is MastodonSandbox
    assert SANDBOX.command(81, Path("x"))[:2] == ["-m", "plugins.sources.mastodon.sandbox"]


@pytest.mark.parametrize(
    ("name", "taken", "handle"),
    [
        ("Mario Rossi", set(), "mario_rossi"),
        ("Élodie Ñuñez", set(), "elodie_nunez"),
        ("mario.rossi", {"mario_rossi"}, "mario_rossi_2"),
        ("陈", set(), "customer"),
        ("陈伟", {"customer"}, "customer_2"),
        ("x" * 80, set(), "x" * 24),
        ("Brand", set(), "customer_brand"),
        (BRAND, set(), "brand"),
    ],
)
def test_names_become_handles(name: str, taken: set[str], handle: str) -> None:
    """Whatever people are called, they get a handle Mastodon takes, and nobody gets another's."""
    assert _handle(name, taken) == handle


def test_the_same_key_posts_once(sandbox: MastodonSandbox) -> None:
    """A replay that is started again does not post twice."""
    assert sandbox.post("Nora", "once", key="row-1") == sandbox.post("Nora", "once", key="row-1")
    assert sandbox.post("Nora", "once", key="row-2") != sandbox.post("Nora", "once", key="row-1")


def test_people_are_shown_by_their_names(sandbox: MastodonSandbox) -> None:
    """Two people of the same handle stem stay two, and posts are listed newest first under their names."""
    first = sandbox.post("Ugo Neri", "one")
    second = sandbox.post("ugo-neri", "two", private=True)
    newest = sandbox.posts(limit=2)
    assert [(post.id, post.author, post.privacy, post.own) for post in newest] == [
        (second, "ugo-neri", "direct", False),
        (first, "Ugo Neri", "public", False),
    ]


def test_a_reply_to_a_private_post_is_private(sandbox: MastodonSandbox) -> None:
    """As in every app, an answer does not become public by itself."""
    private = sandbox.post("Olga", "psst", private=True)
    reply = sandbox.post("Olga", "still here", reply_to=private)
    (post,) = [post for post in sandbox.posts(limit=5) if post.id == reply]
    assert (post.privacy, post.reply_to) == ("direct", private)


def test_more_posts_than_a_page(sandbox: MastodonSandbox) -> None:
    """The list goes on where the server's page ends."""
    ids = [sandbox.post("Pia", f"number {number}") for number in range(45)]
    assert [post.id for post in sandbox.posts(limit=45)] == ids[::-1]


def test_permalinks_show_the_post_and_what_belongs_to_it(sandbox: MastodonSandbox) -> None:
    """What the hub shows as proof can be read by anybody: the post, what it answers, the answers, as text."""
    first = sandbox.post("Rita", "look <b>here</b>")
    answer = sandbox.post("Rita", "I am the answer", reply_to=first)
    below = sandbox.post("Rita", "and I stand under it", reply_to=answer)
    links = {post.id: post.permalink for post in sandbox.posts(limit=3)}
    for post_id in (first, answer, below):
        page = requests.get(links[post_id], timeout=5)
        assert page.status_code == 200
        assert "token" not in page.text
        order = [page.text.index(words) for words in ("look &lt;b&gt;", "I am the answer", "and I stand")]
        assert order == sorted(order)
    assert 'lang="it"' in requests.get(links[first], headers={"Accept-Language": "it-CH, en"}, timeout=5).text


def test_permalinks_show_nothing_private(sandbox: MastodonSandbox) -> None:
    """A private post, one that was deleted, another account's name and odd numbers are a page that is not there."""
    public = sandbox.post("Rosa", "seen by all")
    private = sandbox.post("Rosa", "between us", private=True)
    under = sandbox.post("Rosa", "whispered below", reply_to=public, private=True)
    gone = sandbox.post("Rosa", "regretted")
    sandbox.delete("Rosa", gone)
    odd = ("0", "x", "9" * 30, "٣", "1.5")
    places = [*(f"rosa/{number}" for number in (private, under, gone, *odd)), f"brand/{public}"]
    for place in places:
        answer = requests.get(f"{sandbox.base_url}/@{place}", timeout=5)
        assert answer.status_code == 404, place
        assert "between us" not in answer.text
    assert "whispered" not in requests.get(f"{sandbox.base_url}/@rosa/{public}", timeout=5).text


def test_it_remembers_and_it_ends_with_its_starter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Posts and people outlive a restart, also on another port and with a torn or lost file of tokens; the process
    ends by itself when its standard input closes; and it writes no access log."""
    with running(tmp_path) as (sandbox, process):
        post_id = sandbox.post("Sara", "before")
        account = sandbox.posts(limit=1)[0].author
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
    accounts = tmp_path / "accounts.jsonl"
    assert accounts.stat().st_mode & 0o077 == 0
    with accounts.open("a") as file:
        file.write('{"name": "torn')
    with running(tmp_path) as (sandbox, _):
        settings = sandbox.connection_settings(webhook_url="")
        sandbox.edit("Sara", post_id, "after")
        sandbox.post("Tea", "new here")
        assert [(post.author, post.text) for post in sandbox.posts(limit=2)] == [
            ("Tea", "@brand new here"),
            (account, "@brand after"),
        ]
        again = MastodonSandbox(sandbox.base_url, tmp_path, sandbox.http)
        assert again.connection_settings(webhook_url="") == settings
        names = [json.loads(line)["name"] for line in accounts.read_text().splitlines() if line.endswith("}")]
        assert names == [BRAND, "Sara", "Tea"]
        accounts.unlink()
        lost = MastodonSandbox(sandbox.base_url, tmp_path, sandbox.http)
        lost.edit("Sara", post_id, "found again")
        assert [post.text for post in lost.posts(limit=2)][1] == "@brand found again"
    assert capfd.readouterr().out == ""


def test_an_unready_server_does_not_raise(tmp_path: Path) -> None:
    """The hub may ask before the server listens."""
    with requests.Session() as http:
        assert not MastodonSandbox("http://127.0.0.1:9", tmp_path, http).is_ready()


def test_it_needs_a_port(capsys: pytest.CaptureFixture[str]) -> None:
    """Started by hand without its arguments it says which are missing."""
    with pytest.raises(SystemExit):
        main([])
    assert "--port" in capsys.readouterr().err
