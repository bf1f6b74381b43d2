"""``hub secrets``: change the key that everything lies encrypted under, or go on without one that is lost.

A change can be cut off anywhere: the new key is on the disk before the database knows it, the database changes in one
transaction, and the old key is set aside only then. Whoever finds it half done (the hub says so) runs it again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.opening import Stop, actor, cannot_write, config_option, keep_private, load_config, open_store

if TYPE_CHECKING:
    from hub.configuration import HubConfig
    from hub.store import Store


@click.group()
def secrets() -> None:
    """The key that tokens and personal fields lie encrypted under (secret.key, or HUB_SECRET_KEY)."""


@secrets.command()
@config_option
def rotate(config_path: Path | None) -> None:
    """Put everything under a new key. Stop the hub first (exit code 3 while it runs). Browsers must log in again.

    With the key in a file the old one stays beside it as secret.key.old-DATE: backups made before open with that one
    only. With the key in HUB_SECRET_KEY it prints what to put there. Cut off anywhere, run it again.
    """
    from cryptography.fernet import Fernet

    from hub.configuration.secrets import KEY_NAME
    from hub.store import rekey
    from hub.store.secrets import Cipher
    from hub.work.assembly import NEW_KEY, WrongKey, utc_now

    config = load_config(config_path)
    in_environment = bool(os.environ.get(KEY_NAME, "").strip())
    new_file = config.var_dir / NEW_KEY
    with _alone(config) as store:
        mark, present, new = _mark(store), _present_key(config), _read_key(new_file)
        if _opens(mark, present):
            if new is not None and new == present:  # in the environment by now: nothing is left to do
                new_file.unlink()
                click.echo(f"{KEY_NAME} is the new key: the change is complete. {new_file} is deleted.")
                return
            new = Fernet.generate_key()  # over one of a run that was cut off before the database knew it
            _write_key(config, new_file, new)
            old, fresh = Cipher(present or b""), Cipher(new)
            try:
                counted = store.run(lambda tx: rekey.rotate(tx, old, fresh, actor=actor(), now=utc_now()))
            except rekey.Unreadable as error:
                new_file.unlink()
                raise Stop(f"Nothing was changed: {error}.") from error
            click.echo(f"Under the new key now: {_told(counted)}.")
            click.echo("Whoever was logged in to the console must log in again: hub login-link")
        elif not _opens(mark, new):
            raise WrongKey("Neither the key that is set nor a new one opens this database.")
        assert new is not None  # noqa: S101 - it opens the database
        unread = ""
        try:
            click.echo(f"Read back with it: {rekey.verify(store, Cipher(new))} values.")
        except rekey.Unreadable as error:  # another command wrote under the old key in between: the change stands
            unread = (
                f"Not all of it can be read back: {error}. Keep the old key, and tell whoever looks after this hub."
            )
        if in_environment:
            click.echo(f"\nPut this where {KEY_NAME} is set, then run `hub secrets rotate` once more:\n")
            click.echo(f"{KEY_NAME}={new.decode()}")
            click.echo(f"\nIt also lies in {new_file}, for this user only, until then.")
        else:
            kept = _swap(config, new_file)
            click.echo(f"The old key is {kept}: older backups open with it only. Delete it when you need none of them.")
        if unread:
            raise Stop(unread)


@secrets.command("forget-lost-key")
@click.option("--dry-run", is_flag=True, help="Only say how much that would be.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@config_option
def forget_lost_key(dry_run: bool, yes: bool, config_path: Path | None) -> None:
    """The key is lost for good: drop what only it opens, and let the hub start with a new one.

    Tickets, texts and the whole history stay. What goes: the connections' tokens (connect them again), customers'
    e-mail addresses and phones, collected fields. Look for the key in your backups first. Stop the hub before.
    """
    from hub.store import connections, rekey
    from hub.store.secrets import Cipher
    from hub.work.assembly import NEW_KEY, settle_key, utc_now

    config = load_config(config_path)
    with _alone(config) as store:
        mark, present = _mark(store), _present_key(config)
        if _opens(mark, present):
            raise Stop("The key opens this database: nothing is lost.")
        if _opens(mark, _read_key(config.var_dir / NEW_KEY)):
            raise Stop("The key is not lost, a change of it was cut off; finish it: hub secrets rotate")
        for file in sorted(config.var_dir.glob("secret.key*")):
            if _opens(mark, _read_key(file)):
                raise Stop(_lies_there(config, file))
        cipher = Cipher(present) if present else None
        counted = store.run(lambda tx: rekey.give_up(tx, cipher, actor=actor(), now=utc_now(), only_count=True))
        click.echo(f"Cannot be read without the lost key: {_told(counted)}.")
        if dry_run:
            return
        if not yes:
            click.confirm("This cannot be undone, unless you have a backup of the database. Drop it all?", abort=True)
        store.run(lambda tx: rekey.give_up(tx, cipher, actor=actor(), now=utc_now()))
        settle_key(config, store)
        with store.read() as connection:
            bare = [row.name for row in connections.every(connection) if "went with the lost key" in row.paused]
    click.echo("Dropped. The hub starts with a new key now; back it up.")
    for name in bare:
        click.echo(f"  Connect again: hub connections connect {name}")
        click.echo(f"  Then its webhook, if it has one, needs a new secret: hub connections setup {name} --apply")
    if rekey.PAST_TICKETS in counted:
        click.echo("  Read the past again: hub backfill NAME")


@contextmanager
def _alone(config: HubConfig) -> Iterator[Store]:
    """The database, with no hub at work on it. Raises ``DatabaseBusy`` naming the one that is."""
    from hub.store import lock_database, migrate

    keep_private(config)
    with open_store(config):  # says so when there is none
        pass
    lock = lock_database(config.database_url, owner="hub secrets")
    try:
        migrate(config.database_url)
        with open_store(config) as store:
            yield store
    finally:
        lock.release()


def _mark(store: Store) -> str:
    from hub.store import connections
    from hub.store.rekey import KEY_CHECK

    with store.read() as connection:
        mark = connections.read_switch(connection, KEY_CHECK)
    if mark is None:
        raise Stop("Nothing lies under a key yet: this hub has never run.")
    return str(mark)


def _present_key(config: HubConfig) -> bytes | None:
    from hub.configuration import secret_key
    from hub.configuration.secrets import KeyLost

    try:
        return secret_key(config, make=False)
    except KeyLost:
        return None


def _opens(mark: str, key: bytes | None) -> bool:
    from hub.store.secrets import Cipher, SecretUnreadable

    if key is None:
        return False
    try:
        Cipher(key).decrypt(mark)
    except (SecretUnreadable, ValueError):
        return False
    return True


def _lies_there(config: HubConfig, file: Path) -> str:
    from hub.configuration.secrets import KEY_NAME

    found = f"The key is not lost: {file} opens this database"
    if file == config.var_dir / "secret.key":
        return f"{found}, but {KEY_NAME} is set to another one. Unset it."
    return f"{found}. Make it the key again: cp {file} {config.var_dir / 'secret.key'}"


def _read_key(file: Path) -> bytes | None:
    return file.read_bytes().strip() if file.exists() else None


def _write_key(config: HubConfig, file: Path, key: bytes) -> None:
    """Whole or not at all, for this user only, and on the disk before anything is encrypted under it."""
    aside = file.with_name(file.name + ".part")
    try:
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(key + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
        Path(aside).replace(file)
        _sync(file.parent)
    except OSError as error:
        raise cannot_write(config, error) from error


def _swap(config: HubConfig, new_file: Path) -> Path:
    """The new key takes the place of the old one, which is set aside first."""
    from hub.work.assembly import utc_now

    file = config.var_dir / "secret.key"
    kept = config.var_dir / f"secret.key.old-{utc_now():%Y-%m-%d}"
    if kept.exists() and kept.read_bytes() != file.read_bytes():
        kept = kept.with_name(f"{kept.name}-{utc_now():%H%M%S}")
    try:
        if not kept.exists() and file.exists():
            os.link(file, kept)
        _sync(config.var_dir)
        Path(new_file).replace(file)
        _sync(config.var_dir)
    except OSError as error:
        raise cannot_write(config, error) from error
    return kept


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{what}: {number}" for what, number in counted.items()) or "nothing"
