"""Eyes on a connector while its own code runs: what it must not do is noted, and made harmless."""

from __future__ import annotations

import builtins
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from hub.sdk import ConnectorError


@dataclass(slots=True)
class Conduct:
    """What a connector did that it must not do, and all it said: collected over every check of its suite."""

    slept: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    environment: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def raised(self, error: BaseException) -> None:
        """Keep an error, unless an equal one is kept: each holds its trace, and with it a whole rig, in memory."""
        if not any(type(error) is type(kept) and vars(error) == vars(kept) for kept in self.errors):
            self.errors.append(error)


class Watch:
    """Watches one connector class. ``slept`` is told how long it meant to sleep."""

    def __init__(
        self, connector: type, conduct: Conduct, slept: Callable[[float], object] = lambda seconds: None
    ) -> None:
        self.connector = connector
        self.conduct = conduct
        self.slept = slept
        self.on = False
        # Hundreds of modules for each of hundreds of rigs: what is quick to ask is asked first.
        package = connector.__module__.rpartition(".")[0] or connector.__module__
        self._sleepers = [
            module
            for name, module in list(sys.modules.items())
            if name.startswith(package) and self._is_own(name) and vars(module).get("sleep") is time.sleep
        ]

    def call(self, call: Callable[[], Any]) -> Any:
        """Run ``call`` as the connector's own code; its errors are kept."""
        with self._guards():
            try:
                return call()
            except ConnectorError as error:
                self.conduct.raised(error)
                raise

    @contextlib.contextmanager
    def lifted(self) -> Iterator[None]:
        """What happens inside is the vendor's or the kit's doing."""
        before, self.on = self.on, False
        try:
            yield
        finally:
            self.on = before

    def where(self, frame: FrameType | None, depth: int) -> str:
        """The place in the connector's own package that a call came from, at most ``depth`` frames up; else empty."""
        for _ in range(depth):
            if frame is None:
                return ""
            module = frame.f_globals.get("__name__", "")
            if self._is_own(module):
                return f"{module}:{frame.f_lineno}"
            frame = frame.f_back
        return ""

    def _is_own(self, module: str) -> bool:
        own = self.connector.__module__
        return module == own or module.startswith((own.rpartition(".")[0] or own) + ".")

    @contextlib.contextmanager
    def _guards(self) -> Iterator[None]:
        """Sleeping returns at once, sockets are refused; each is noted."""
        if self.on:  # a call inside a call: the guards stand already
            yield
            return
        real_print, real_sleep, real_environ = builtins.print, time.sleep, os.environ
        real_connect, real_names = socket.socket.connect, socket.getaddrinfo

        def sleeps(seconds: float) -> None:
            if not self.on:
                return real_sleep(seconds)
            self.conduct.slept.append(f"{seconds} s")
            self.slept(seconds)
            return None

        def prints(*args: Any, **kwargs: Any) -> None:
            where = self.where(sys._getframe(1), 1) if self.on else ""  # noqa: SLF001
            if where:
                self.conduct.printed.append(f"{' '.join(map(str, args))[:80]} ({where})")
            else:
                real_print(*args, **kwargs)

        def connects(opened: socket.socket, address: Any) -> None:
            if not self.on:
                return real_connect(opened, address)
            self.conduct.sockets.append(str(address))
            raise ConnectionRefusedError(111, f"the conformance kit lets nobody out (to {address})")

        def resolves(*args: Any, **kwargs: Any) -> Any:
            if not self.on:
                return real_names(*args, **kwargs)
            self.conduct.sockets.append(f"the name {args[0]}")
            raise socket.gaierror(-2, f"the conformance kit resolves no names ({args[0]})")

        listening = Keeps(self.conduct)
        builtins.print, time.sleep = prints, sleeps  # type: ignore[assignment]
        os.environ = _Environment(self, real_environ)  # type: ignore[assignment]  # noqa: B003 - put back below
        socket.socket.connect, socket.getaddrinfo = connects, resolves  # type: ignore[method-assign, assignment]
        logging.getLogger().addHandler(listening)
        for module in self._sleepers:  # "from time import sleep"
            module.sleep = sleeps  # type: ignore[attr-defined]
        self.on = True
        try:
            yield
        finally:
            self.on = False
            for module in self._sleepers:
                module.sleep = real_sleep  # type: ignore[attr-defined]
            logging.getLogger().removeHandler(listening)
            builtins.print, time.sleep, os.environ = real_print, real_sleep, real_environ
            socket.socket.connect, socket.getaddrinfo = real_connect, real_names  # type: ignore[method-assign]


class Watched:
    """An instance, every call of which is watched. ``itself`` is the instance."""

    def __init__(self, watch: Watch, instance: Any) -> None:
        self._watch = watch
        self.itself = instance

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.itself, name)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self._watch.call(lambda: value(*args, **kwargs))


class _Environment(MutableMapping[str, str]):
    """The environment, which notes when the connector's own code reads it."""

    def __init__(self, watch: Watch, real: MutableMapping[str, str]) -> None:
        self._watch = watch
        self._real = real

    def __getitem__(self, key: str) -> str:
        # From here: os.getenv, get or "in" of the mapping, then who asked.
        where = self._watch.where(sys._getframe(1), 4) if self._watch.on else ""  # noqa: SLF001
        if where:
            self._watch.conduct.environment.append(f"{key} ({where})")
        return self._real[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._real[key] = value

    def __delitem__(self, key: str) -> None:
        del self._real[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._real)

    def __len__(self) -> int:
        return len(self._real)


class Keeps(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, conduct: Conduct) -> None:
        super().__init__(logging.DEBUG)
        self._conduct = conduct

    def emit(self, record: logging.LogRecord) -> None:
        """The line, with the trace of its exception."""
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self._conduct.logged.append(text)


def logger_of(conduct: Conduct) -> logging.Logger:
    """A logger of its own that keeps every line, debug ones included."""
    logger = logging.Logger("social_care_hub.conformance", logging.DEBUG)  # noqa: LOG001 - one per suite, in no tree
    logger.addHandler(Keeps(conduct))
    return logger
