"""`hub run` as a process: it starts, it refuses to start, it ends."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import requests

from tests.trial.conftest import RunningHub, prepare, run_hub, start

pytestmark = pytest.mark.timeout(300)
T = TypeVar("T")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def sandboxes_of(hub: RunningHub) -> list[int]:
    children = Path(f"/proc/{hub.process.pid}/task/{hub.process.pid}/children").read_text().split()
    return [int(pid) for pid in children]


def readable_by_others(folder: Path) -> list[Path]:
    return [path for path in (folder, *folder.rglob("*")) if path.exists() and path.stat().st_mode & 0o077]


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(map(alive, pids)):
        assert time.monotonic() < deadline, "a sandbox outlived its hub"
        time.sleep(0.05)


def said_by_us(hub: RunningHub) -> list[dict[str, object]]:
    """What the company has said on the trial's network."""
    posts = requests.get(f"{hub.url}trial/api/scene", timeout=10).json()["posts"]
    return [post for post in posts if post["own"]]


def until(look: Callable[[], T]) -> T:
    """The first answer that is not empty, within twenty seconds."""
    deadline = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)
    return found


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """Exit code 3 with the port and what to do, before anything is started."""
    port = prepare(tmp_path)
    with socket.create_server(("127.0.0.1", port)):
        answer = run_hub(tmp_path, "run")
    assert answer.returncode == 3
    assert f"127.0.0.1:{port}" in answer.stderr
    assert "[hub] listen" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "var/trial").exists()


def test_a_wrong_configuration_is_told_whole(tmp_path: Path) -> None:
    """Exit code 2 and every problem, without a trace."""
    prepare(tmp_path)
    file = tmp_path / "config/hub.toml"
    file.write_text(file.read_text().replace("senders = 4", "senders = 0\nlisen = 1"))
    answer = run_hub(tmp_path, "run")
    assert answer.returncode == 2
    assert "hub.senders" in answer.stderr
    assert 'did you mean "listen"?' in answer.stderr
    assert "Traceback" not in answer.stderr


def test_from_the_start_to_the_end(tmp_path: Path) -> None:
    """One address is printed and answers; a second hub is refused; commands work beside; SIGTERM ends all with 0; a
    hub killed hard leaves no sandbox behind, and the next start has what the customer wrote."""
    prepare(tmp_path)
    hub = start(tmp_path)
    try:
        assert hub.printed.count("http://") == 2  # the page, and the console's one-time link
        assert requests.get(hub.url, timeout=10).status_code == 200
        assert requests.get(f"{hub.url}healthz", timeout=10).json() == {"status": "ok"}
        assert readable_by_others(tmp_path / "var") == []
        second = hub.hub("run")
        assert second.returncode == 3
        assert f"process {hub.process.pid}" in second.stderr
        assert hub.hub("connections", "check", "trial-zendesk").returncode == 0
        assert hub.hub("trial", "reset", "--yes").returncode == 3
        file = tmp_path / "texts.csv"
        file.write_text("who,text\nanna,My parcel is late\nluca,Where is my refund?\nanna,Still nothing\n")
        replay = ("replay", str(file), "--text-column", "text", "--author-column", "who")
        for _ in range(2):
            done = hub.hub(*replay)
            assert done.returncode == 0, done.stderr
            assert "rows=3 posted=3 skipped=0 arrived=3 missing=0 doubled=0" in done.stdout
        posts = requests.get(f"{hub.url}trial/api/scene", timeout=10).json()["posts"]
        assert len(posts) == 3
        assert hub.hub("trial", "answer", "1", "for the house", "--internal").returncode == 0
        assert hub.hub("trial", "answer", "1", "It comes tomorrow").returncode == 0
        assert [post["text"] for post in until(lambda: said_by_us(hub))] == ["@anna It comes tomorrow"]
        unknown = hub.hub("trial", "answer", "999", "Hello")
        assert (unknown.returncode, "no ticket" in unknown.stderr) == (1, True)
        children = sandboxes_of(hub)
        assert len(children) == 2
        hub.process.send_signal(signal.SIGKILL)
        hub.process.wait(20)
        assert hub.process.stdout is not None
        hub.process.stdout.close()
        wait_until_gone(children)
        hub = start(tmp_path)
        assert len(requests.get(f"{hub.url}trial/api/scene", timeout=10).json()["posts"]) == 4
        children = sandboxes_of(hub)
        assert hub.stop() == 0
        wait_until_gone(children)
        late = hub.hub("trial", "answer", "1", "Too late")
        assert (late.returncode, "Does the hub run?" in late.stderr) == (1, True)
        assert "Traceback" not in (tmp_path / "errors.txt").read_text()
    finally:
        if hub.process.poll() is None:
            hub.stop()
