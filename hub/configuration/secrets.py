"""Secrets stay out of TOML: ``{ env = "NAME" }`` and ``{ file = "/path" }``, and the hub's own key."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from hub.configuration.problems import ConfigurationProblems, Problem

KEY_NAME = "HUB_SECRET_KEY"

PLACEHOLDER = "missing"
"""Stands for a secret that is not there while the rest is checked; no hub starts with it."""


_WHY: dict[type[Exception], str] = {
    FileNotFoundError: "there is no such file",
    PermissionError: "this user may not read it",
}


_NO_KEY = "is not a Fernet key (32 bytes, URL-safe base64), and another one than the hub's opens nothing."
_GIVE_UP = "hub secrets forget-lost-key --dry-run"


class KeyLost(Exception):
    """There is no key, and none may be made."""


class Resolver:
    """Replaces references by what they point at, and collects what went wrong on the way."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.resolved: set[str] = set()
        """The paths whose value came from outside the file."""

    def resolve_table(self, table: Mapping[str, Any], path: str, connection: str = "") -> dict[str, Any]:
        """The table with every reference in its values replaced; the table itself is never one."""
        return {key: self.resolve(value, f"{path}.{key}", connection) for key, value in table.items()}

    def resolve(self, value: Any, path: str, connection: str = "") -> Any:
        """The value with every reference in it replaced; a missing secret becomes a problem and a text in its place, so
        that all beside it can be judged."""
        if isinstance(value, list):
            return [self.resolve(item, f"{path}[{index}]", connection) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and value.keys() <= {"env", "file"}:
            (kind, target), *_ = value.items()
            self.resolved.add(path)
            found = self._read(kind, target, path, connection) if isinstance(target, str) and target else None
            if found is None and not any(problem.path == path for problem in self.problems):
                self._problem(path, f"{kind} must name something", connection, f'{{ {kind} = "…" }}')
            return found or PLACEHOLDER
        return {key: self.resolve(item, f"{path}.{key}", connection) for key, item in value.items()}

    def _read(self, kind: str, target: str, path: str, connection: str) -> str | None:
        if kind == "env":
            found = self._environ.get(target, "")
            if not found:
                self._problem(path, f"the environment variable {target} is not set", connection, f'export {target}="…"')
            return found
        file = self._folder / target
        try:
            found = file.read_text(encoding="utf-8").strip()
            readable_by_others = file.stat().st_mode & stat.S_IROTH
        except (OSError, UnicodeDecodeError) as error:
            words = _WHY.get(type(error)) or getattr(error, "strerror", "") or "it is not UTF-8 text"
            self._problem(path, f"cannot read the file {file}: {words}", connection, '{ file = "/run/secrets/token" }')
            return None
        if not found:
            self._problem(path, f"the file {file} is empty", connection, f'echo "…" > {file}')
        if readable_by_others:
            words = f"the file {file} is readable by every user of this machine; chmod o-r it"
            self.warnings.append(Problem(path, words, connection=connection, fatal=False, warning=True))
        return found

    def _problem(self, path: str, message: str, connection: str, example: str = "") -> None:
        self.problems.append(Problem(path, message, example, connection=connection))


def secret_key(var_dir: Path, environ: Mapping[str, str] = os.environ, *, make: bool = True) -> bytes:
    """The key that encrypts secrets and personal fields: ``HUB_SECRET_KEY``, else ``secret.key`` in the hub's folder,
    made on first use and readable by its owner only. Raises :class:`ConfigurationProblems`, and :class:`KeyLost` when
    there is none and none may be made."""
    given = environ.get(KEY_NAME, "").strip()
    if given:
        words = f"{_NO_KEY} Put the one of your backup there, whole. Lost for good: unset it, then: {_GIVE_UP}"
        return _checked(given.encode(), Problem("", words, file=KEY_NAME))
    file = var_dir / "secret.key"
    try:
        if make:
            var_dir.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            if not make:
                raise KeyLost(f"there is no {file}, and {KEY_NAME} is not set")
            _make_key(file)
        found = file.read_bytes().strip()
    except OSError as error:
        words = f"cannot make or read the key ({type(error).__name__}: {error.strerror}); set {KEY_NAME} instead"
        raise ConfigurationProblems([Problem("", words, file=str(file))]) from error
    words = f"{_NO_KEY} Restore it from your backup. Lost for good: mv {file} {file}.broken, then: {_GIVE_UP}"
    return _checked(found, Problem("", words, file=str(file)))


def _make_key(file: Path) -> None:
    # Written aside and linked: processes that start together agree on one whole key, and a crash leaves no half.
    descriptor, aside = tempfile.mkstemp(dir=file.parent, prefix="secret.key.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as new:
            new.write(Fernet.generate_key() + b"\n")
            new.flush()
            os.fsync(new.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, file)
    finally:
        Path(aside).unlink()


def _checked(key: bytes, problem: Problem) -> bytes:
    try:
        Fernet(key)
    except ValueError:
        raise ConfigurationProblems([problem]) from None  # the cause could show a part of the key
    return key
