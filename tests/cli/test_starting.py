"""What keeps a hub from starting, and what it keeps from others: its folder, its key, its connections."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from hub.catalogue import Catalogue
from hub.cli import main, opening, running
from hub.configuration import HubConfig, load
from hub.sdk import Refused, TemporaryFailure
from hub.store import Store, connections, migrate
from hub.work.assembly import KEY_CHECK, WrongKey, assemble, settle_key

MIB = 1 << 20


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubConfig:
    """As `hub init` writes it, without the trial; no key in the environment."""
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.delenv("HUB_SECRET_KEY", raising=False)
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    file = tmp_path / "config/hub.toml"
    text = file.read_text()
    assert "[trial]\nenabled = true" in text
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = text.replace("[trial]\nenabled = true", "[trial]\nenabled = false").replace(":8765", f":{port}")
    desk = (
        '[connections.desk]\nconnector = "zendesk"\nsubdomain = "acme"\nemail = "bot@acme.example"\napi_token = "x"\n'
    )
    file.write_text(text + "\n" + desk)
    teams = tmp_path / "config/teams.toml"
    teams.write_text(teams.read_text().replace("trial-zendesk", "desk"))
    return load(file)


@pytest.fixture
def store(config: HubConfig) -> Iterator[Store]:
    migrate(config.database_url)
    store = Store(config.database_url)
    yield store
    store.close()


def hub(config: HubConfig, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(config.folder)])


def prepared(config: HubConfig) -> None:
    """All that `hub run` does before it serves, and its end."""
    with ExitStack() as stack:
        running._prepare(config, stack)


def refusal(config: HubConfig) -> str:
    with pytest.raises((opening.CannotStart, WrongKey)) as caught:
        prepared(config)
    told = caught.value if isinstance(caught.value, opening.CannotStart) else opening.explain(caught.value)
    assert told.exit_code == 3
    return told.message


def test_a_second_start_knows_the_key(config: HubConfig) -> None:
    """With the same key the hub starts again and again; the mark in the database does not show the word."""
    prepared(config)
    prepared(config)
    store = Store(config.database_url)
    with store.read() as connection:
        assert connections.read_switch(connection, KEY_CHECK).startswith("gAAAA")
    store.close()


def test_a_lost_key_stops_the_start_and_none_is_made(config: HubConfig) -> None:
    """Exit code 3, what to restore is named, and the folder still has no key; with the old one all is well."""
    prepared(config)
    file = config.var_dir / "secret.key"
    old = file.read_bytes()
    file.unlink()
    assert str(file) in refusal(config)
    assert not file.exists()
    file.write_bytes(old)
    prepared(config)


def test_another_key_stops_the_start(config: HubConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3; a good key that is not the database's is no key."""
    prepared(config)
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    assert "not the one this database was written with" in refusal(config)


def test_assembling_needs_the_key_too(config: HubConfig, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever builds a hub that can talk to vendors has the right key or none."""
    settle_key(config, store)
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    with pytest.raises(WrongKey):
        assemble(config, Catalogue.load(only=["rules"]), store)


def test_the_company_s_own_hosts_reach_every_connection(
    config: HubConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``[http] media_hosts`` names is dialled, where nothing listens; what it does not name is refused before."""
    config.path.write_text(config.path.read_text() + '\n[http]\nmedia_hosts = ["files.intern:9"]\n')
    known = socket.getaddrinfo
    here = {"files.intern": "127.0.0.1", "other.intern": "127.0.0.1"}
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: known(here.get(host, host), *rest, **more))
    fetch = assemble(load(config.path), Catalogue.load(), store).hub.toolbox("desk").fetch_media
    with pytest.raises(TemporaryFailure):
        fetch("http://files.intern:9/a.png", max_bytes=10)
    with pytest.raises(Refused, match="public"):
        fetch("http://other.intern:9/a.png", max_bytes=10)


def test_config_check_judges_the_key(config: HubConfig, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good with the right one; exit code 2 for a malformed one, for another one and for a lost one, and none is
    made."""
    file = config.var_dir / "secret.key"
    assert hub(config, "config", "check").exit_code == 0
    assert not file.exists()
    settle_key(config, store)
    assert hub(config, "config", "check").exit_code == 0
    for key, words in (("my-dog", "is not a Fernet key"), (Fernet.generate_key().decode(), "is not the one")):
        monkeypatch.setenv("HUB_SECRET_KEY", key)
        answer = hub(config, "config", "check")
        assert (answer.exit_code, words in answer.output, "my-dog" in answer.output) == (2, True, False)
    monkeypatch.delenv("HUB_SECRET_KEY")
    file.unlink()
    answer = hub(config, "config", "check")
    assert (answer.exit_code, "The secret key is lost" in answer.output) == (2, True)
    assert not file.exists()


def test_without_the_key_one_can_still_halt_the_hub(config: HubConfig, store: Store) -> None:
    """In a shell that does not have the key stop-talking works, and makes no key."""
    settle_key(config, store)
    (config.var_dir / "secret.key").unlink()
    assert hub(config, "stop-talking").exit_code == 0
    assert not (config.var_dir / "secret.key").exists()


def test_the_folder_is_closed_to_others(config: HubConfig, capsys: pytest.CaptureFixture[str]) -> None:
    """A new folder is its owner's only, without a word; an open one is closed, and that is said once."""
    for says in ("", "could look into"):
        opening.keep_private(config)
        assert stat.S_IMODE(config.var_dir.stat().st_mode) == 0o700
        told = capsys.readouterr().err
        assert (says in told) if says else (told == "")
        config.var_dir.chmod(0o755)


def test_an_open_folder_of_somebody_else_is_told(
    config: HubConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not ours is left as it is, with a warning."""
    config.var_dir.mkdir(mode=0o755)
    config.var_dir.chmod(0o755)
    owner = config.var_dir.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    opening.keep_private(config)
    assert stat.S_IMODE(config.var_dir.stat().st_mode) == 0o755
    assert "chmod 700" in capsys.readouterr().err


def test_run_writes_for_its_owner_only(config: HubConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hub run` sets the umask before anything is written."""
    seen = []

    def stop(*_: Any) -> Callable[[], None]:
        seen.append(os.umask(0o077))
        raise opening.CannotStart("enough")

    monkeypatch.setattr(running, "_prepare", stop)
    before = os.umask(0o022)
    try:
        assert hub(config, "run").exit_code == 3
    finally:
        os.umask(before)
    assert seen == [0o077]


@pytest.mark.parametrize("place", ["folder", "lock"])
def test_a_folder_that_takes_no_file_is_told(config: HubConfig, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Exit code 3 with the place and the setting, whether the folder or a file in it cannot be made."""

    def read_only(self: Path, *_: Any, **__: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, *{"folder": ("mkdir", read_only), "lock": ("open", read_only)}[place])
    words = refusal(config)
    assert "cannot write to" in words
    assert str(config.var_dir) in words
    assert "Read-only file system" in words
    assert "[hub] var" in words


def test_an_early_refusal_leaves_no_database(config: HubConfig) -> None:
    """A hub that never came up has no database for the other commands."""
    with socket.create_server(config.hub.address):
        refusal(config)
    answer = hub(config, "status")
    assert (answer.exit_code, "never run" in answer.output) == (1, True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits a second."""
    monkeypatch.setattr(running, "IDLE_SECONDS", 1)


@pytest.fixture
def served() -> Iterator[tuple[str, int]]:
    """The hub's web server with an application that counts the body's bytes."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        size = len(environ["wsgi.input"].read())
        start("200 OK", [("Content-Type", "text/plain")])
        return [str(size).encode()]

    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    server = running.make_server(application, listening)
    server.adj.cleanup_interval = 1
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield address
    with contextlib.suppress(OSError):  # another request's wake-up may have closed the server before ours is written
        server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))
    thread.join(10)
    server.task_dispatcher.shutdown()
    listening.close()


def half(address: tuple[str, int]) -> socket.socket:
    one = socket.create_connection(address, timeout=10)
    one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    return one


def test_many_half_requests_do_not_switch_the_hub_off(served: tuple[str, int]) -> None:
    """While 150 connections have sent half a header, another one is answered."""
    slow = [half(served) for _ in range(150)]
    try:
        assert requests.get(f"http://{served[0]}:{served[1]}/", timeout=5).text == "0"
    finally:
        for one in slow:
            one.close()


def test_a_header_that_trickles_in_is_cut_off(impatient: None, served: tuple[str, int]) -> None:
    """A byte now and then keeps no connection open."""
    one = half(served)
    one.settimeout(0.1)
    deadline = time.monotonic() + 15
    while True:
        assert time.monotonic() < deadline, "still open"
        try:
            one.sendall(b"x")
            if one.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    one.close()


def test_a_body_of_one_mebibyte_is_taken(served: tuple[str, int]) -> None:
    """The limit itself is allowed; one byte more is refused."""
    url = f"http://{served[0]}:{served[1]}/"
    assert requests.post(url, data=b"x" * MIB, timeout=10).text == str(MIB)
    assert requests.post(url, data=b"x" * (MIB + 1), timeout=10).status_code == 413


def test_files_are_allowed_for_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A low soft limit is raised; a low hard one makes fewer connections, so that the hub keeps files for itself."""
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(running.resource, "setrlimit", lambda _, limits: told.append(limits))
    for limits, found in (((1024, 4096), 1000), ((512, 600), 344), ((4096, 4096), 1000)):
        monkeypatch.setattr(running.resource, "getrlimit", lambda _, limits=limits: limits)
        assert running._connections() == found
    assert told == [(1256, 4096), (600, 600)]
