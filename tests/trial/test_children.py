"""Sandboxes as child processes: found, watched, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.configuration import HubConfig, load, shipped
from hub.trial import children
from hub.trial.children import Sandboxes, TrialCannotStart
from tests.trial.sandboxes import TinyHelpdesk, TinyNetwork

ROOT = Path(__file__).parent.parent.parent
KINDS = {"mastodon": TinyNetwork, "zendesk": TinyHelpdesk}


@pytest.fixture
def config(tmp_path: Path) -> HubConfig:
    for name, text in shipped().items():
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / name).write_text(text)
    return load(tmp_path / "config")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "find", lambda name: KINDS[name])


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        # A process that ended but was not waited for is still listed, as a zombie.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.usefixtures("tiny")
def test_connections_are_made_for_the_running_sandboxes(config: HubConfig) -> None:
    """The trial's connections are live, carry the sandboxes' settings and get webhooks at this hub."""
    sandboxes = Sandboxes(config)
    sandboxes.start()
    try:
        made = {one.name: one for one in sandboxes.connections()}
        assert set(made) == {"trial-mastodon", "trial-zendesk"}
        assert made["trial-zendesk"].mode == "live"
        assert made["trial-zendesk"].settings["webhook"] == "http://127.0.0.1:8765/hooks/trial-zendesk"
        assert [one.name for one in Sandboxes(config).connections_if_running()] == list(made)
    finally:
        sandboxes.stop()
    assert Sandboxes(config).connections_if_running() == []


@pytest.mark.usefixtures("tiny")
def test_ports_survive_a_restart_unless_they_are_taken(config: HubConfig) -> None:
    """Permalinks stay true from one start to the next; only a port that another program took is changed."""

    def ports() -> dict[str, int]:
        sandboxes = Sandboxes(config)
        sandboxes.start()
        sandboxes.stop()
        return dict(json.loads((sandboxes.folder / "ports.json").read_text()))

    first = ports()
    assert ports() == first
    with socket.create_server(("127.0.0.1", first["mastodon"])):
        third = ports()
    assert third["mastodon"] != first["mastodon"]
    assert third["zendesk"] == first["zendesk"]


@pytest.mark.usefixtures("tiny")
def test_a_sandbox_that_dies_is_started_again(config: HubConfig) -> None:
    """A killed sandbox answers again on the same port, without anybody doing anything."""
    sandboxes = Sandboxes(config)
    sandboxes.start()
    try:
        child = sandboxes.children["mastodon"]
        assert child.process is not None
        first = child.process.pid
        os.kill(first, signal.SIGKILL)
        until(lambda: child.process is not None and child.process.pid != first, "a new process")
        hands = sandboxes.social()
        until(hands.is_ready, "the new process answers")
        hands.http.close()
    finally:
        sandboxes.stop()


@pytest.mark.usefixtures("tiny")
def test_a_sandbox_that_keeps_dying_is_given_up(config: HubConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five deaths in a short time there is no sixth start, and the log says where to look."""
    monkeypatch.setattr(
        TinyNetwork, "command", classmethod(lambda cls, port, state: ["-c", "raise SystemExit('boom')"])
    )
    child = children.Child(TinyNetwork, config.var_dir, 1)
    config.var_dir.mkdir(parents=True)
    child.start()
    while not child.given_up:
        until(child.is_dead, "the process ends")
        child.revive()
    assert len(child._started) == children.RESTARTS + 1
    child.stop()


@pytest.mark.usefixtures("tiny")
def test_a_sandbox_that_cannot_start_says_why(config: HubConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last words are in the message, and the other sandbox is not left running."""
    monkeypatch.setattr(
        TinyHelpdesk, "command", classmethod(lambda cls, port, state: ["-c", "raise SystemExit('boom')"])
    )
    sandboxes = Sandboxes(config)
    with pytest.raises(TrialCannotStart, match="zendesk ended at once: boom"):
        sandboxes.start()
    assert all(child.process is None for child in sandboxes.children.values())


def test_a_missing_module_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mastodon_mock the message says which extra of the distribution brings it."""
    monkeypatch.setattr(children, "find_spec", lambda name: None)
    with pytest.raises(TrialCannotStart, match=r"needs mastodon_mock.*pip install 'social-care-hub\[trial\]'"):
        children.find("mastodon")


def test_an_unknown_sandbox_names_those_there_are() -> None:
    """A vendor without a sandbox is told with the list of those that have one."""
    with pytest.raises(
        TrialCannotStart, match='no installed plugin brings a sandbox "nope".*mastodon, zendesk'.replace("no i", "No i")
    ):
        children.find("nope")


@pytest.mark.usefixtures("tiny")
def test_reset_deletes_all_of_it(config: HubConfig) -> None:
    """The state of the sandboxes goes as a whole; a second time there is nothing."""
    sandboxes = Sandboxes(config)
    sandboxes.start()
    sandboxes.stop()
    assert children.reset(config)
    assert not sandboxes.folder.exists()
    assert not children.reset(config)


def test_sandboxes_end_with_the_hub_killed_hard(config: HubConfig) -> None:
    """kill -9 of the process that started them leaves no sandbox behind."""
    script = (
        "import sys, time; from hub.configuration import load; from hub.trial import children;"
        "from pathlib import Path; from tests.trial.test_children import KINDS;"
        "children.find = KINDS.__getitem__; s = children.Sandboxes(load(Path(sys.argv[1]))); s.start();"
        "print(*(c.process.pid for c in s.children.values()), flush=True); time.sleep(600)"
    )
    hub = subprocess.Popen(
        [sys.executable, "-c", script, str(config.path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert hub.stdout is not None
    pids = [int(word) for word in hub.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(alive, pids))
    hub.kill()
    hub.wait()
    hub.stdout.close()
    until(lambda: not any(map(alive, pids)), "both sandboxes end")
