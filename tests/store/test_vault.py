"""A token is renewed once, whoever asks in whatever process, and a person's word is never overwritten."""

from __future__ import annotations

import base64
import multiprocessing
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.store import Store, connections, migrate
from hub.store.secrets import Cipher, StoredVault

KEY = base64.urlsafe_b64encode(b"k" * 32)  # the same in each process


def now() -> datetime:
    return datetime.now(UTC)


def vault_of(store: Store) -> StoredVault:
    return StoredVault(store, Cipher(KEY), "desk", now)


@pytest.fixture
def url(database_url: str) -> str:
    """A database with a connection that has a token."""
    migrate(database_url)
    store = Store(database_url)
    store.run(lambda tx: connections.ensure(tx, name="desk", connector="x", side="sink", mode="live", now=now()))
    vault_of(store).write("oauth", "first")
    store.close()
    return database_url


def renewed(url: str, at_the_vendor: Path, both: Any) -> None:
    """One process. The vendor takes each token once, and tells whoever comes second that it has ended."""

    def renew() -> tuple[str, timedelta | None]:
        try:
            at_the_vendor.open("x").close()
        except FileExistsError:
            time.sleep(0.4)  # the refusal comes after the other one's tokens were stored
            return "ended", None
        time.sleep(0.2)
        return "second", None

    store = Store(url)
    both.wait(20)
    vault_of(store).refresh("oauth", "first", renew)
    store.close()


def test_two_processes_renew_once(url: str, tmp_path: Path) -> None:
    """A command beside a running hub: the refusal of the slower one must not be written over the good tokens."""
    spawn = multiprocessing.get_context("spawn")
    both = spawn.Barrier(2)
    processes = [spawn.Process(target=renewed, args=(url, tmp_path / "taken", both)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    store = Store(url)
    assert vault_of(store).read("oauth") == "second"
    store.close()
    assert list(tmp_path.glob("*.lock")) == []


@pytest.mark.parametrize("kept", ["of a new consent", None])
def test_a_renewal_overtaken_by_a_person_stores_nothing(url: str, kept: str | None) -> None:
    """Connected anew, or removed, while the vendor was asked: that stays."""
    store = Store(url)
    vault = vault_of(store)

    def renew() -> tuple[str, timedelta | None]:
        vault.forget("oauth")
        if kept is not None:
            vault.write("oauth", kept)
        return "of the old consent", timedelta(days=1)

    assert vault.refresh("oauth", "first", renew) == (kept or "of the old consent")
    assert (vault.read("oauth"), vault.expires_at("oauth")) == (kept, None)
    store.close()


def test_alone_is_per_thing(url: str) -> None:
    """One waits for the other at the same thing, and not at another."""
    store, order = Store(url), list[str]()

    def other() -> None:
        with store.alone("this"):
            order.append("second")

    thread = threading.Thread(target=other)
    with store.alone("this"), store.alone("that"):
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    store.close()
