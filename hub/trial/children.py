"""The sandboxes of plugins as child processes. They end with the hub, however it ends."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import requests

from hub.configuration import TRIAL_PREFIX, Connection, HubConfig
from hub.sdk.sandboxes import SANDBOX_GROUP, HelpdeskSandbox, Sandbox, SocialSandbox
from hub.trial.address import local_url

log = logging.getLogger("hub.trial")

START_WITHIN = 90.0
RESTARTS = 5
RESTARTS_WITHIN = 600.0


class TrialCannotStart(Exception):
    """A sandbox is missing or does not come up; the message says what to do."""


class PatientSession(requests.Session):
    """Waits for an answer that holds thousands of records, whatever the sandbox's hands thought enough."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """As always, with ten minutes' time."""
        return super().send(request, **{**kwargs, "timeout": 600})


class Child:
    """One sandbox's server process."""

    def __init__(self, sandbox: type[Sandbox], folder: Path, port: int) -> None:
        self.kind = sandbox
        self.name = sandbox.name
        self.folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.given_up = False
        self._log: IO[bytes] | None = None
        self._started: list[float] = []

    @property
    def state(self) -> Path:
        """Where the sandbox keeps what it knows."""
        return self.folder / self.name

    @property
    def log_file(self) -> Path:
        """What the server prints."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start the server. Its standard input stays open as long as this process lives: that is its life line."""
        self.state.mkdir(parents=True, exist_ok=True)
        self._log = self._log or self.log_file.open("wb")
        self._started.append(time.monotonic())
        self.process = subprocess.Popen(  # noqa: S603 - the command of an installed plugin
            # -P: a folder "plugins" where the hub was started must not shadow the installed one.
            [sys.executable, "-P", *self.kind.command(self.port, self.state)],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C goes to the hub, which stops its children last
        )

    def is_dead(self) -> bool:
        """True when the server was started and is gone."""
        return self.process is not None and self.process.poll() is not None

    def revive(self) -> None:
        """Start again after a death; after too many of them give up."""
        code = self.process.returncode if self.process else None
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        lately = [at for at in self._started if at > time.monotonic() - RESTARTS_WITHIN]
        if len(lately) > RESTARTS:
            self.given_up = True
            log.error("the sandbox %s keeps dying (last exit %s); see %s", self.name, code, self.log_file)
            return
        log.warning("the sandbox %s ended (exit %s); starting it again", self.name, code)
        self.start()

    def stop(self) -> None:
        """Close the life line and wait; a server that does not heed it is killed."""
        if self.process is None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.process = None
        if self._log is not None:
            self._log.close()
            self._log = None


class Sandboxes:
    """The two sandboxes of the trial: one social, one helpdesk."""

    def __init__(self, config: HubConfig) -> None:
        self.folder = folder_of(config)
        self.wanted = (config.trial.source, config.trial.sink)
        self.children: dict[str, Child] = {}
        self._webhook_base = local_url(config)
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> None:
        """Start both and wait until they answer. Raises :class:`TrialCannotStart`; then nothing is left running."""
        kinds = [find(name) for name in self.wanted]
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = _choose_ports(self.folder, [kind.name for kind in kinds])
        self.children = {kind.name: Child(kind, self.folder, ports[kind.name]) for kind in kinds}
        try:
            for child in self.children.values():
                child.start()
            for child in self.children.values():
                self._wait_for(child)
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, name="sandboxes", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """End both."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join(5)
        for child in self.children.values():
            if child.process is not None and child.process.stdin is not None:
                child.process.stdin.close()  # both at once, then wait for each
        for child in self.children.values():
            child.stop()

    def connections(self) -> list[Connection]:
        """The connections ``trial-<connector>``, live, to the running sandboxes."""
        made = []
        for name in self.wanted:
            connection = TRIAL_PREFIX + name
            with self._hands(name) as sandbox:
                settings = sandbox.connection_settings(webhook_url=f"{self._webhook_base}/hooks/{connection}")
            made.append(Connection(name=connection, connector=name, mode="live", settings=settings))
        return made

    def connections_if_running(self) -> list[Connection]:
        """As :meth:`connections`, from another process than the hub's; none when the sandboxes do not answer."""
        if not self.have_run():
            return []
        for name in self.wanted:
            with self._hands(name) as sandbox:
                if not sandbox.is_ready():
                    return []
        return self.connections()

    def have_run(self) -> bool:
        """True when both were started here at least once."""
        return _read_ports(self.folder).keys() >= set(self.wanted)

    def driver(self, name: str, *, patient: bool = False) -> Sandbox:
        """New hands for one sandbox, with a session of their own; for one thread at a time. ``patient``: they wait
        minutes for an answer."""
        child = self.children.get(name)
        port = child.port if child is not None else _read_ports(self.folder)[name]
        http = PatientSession() if patient else requests.Session()
        http.trust_env = False  # a corporate proxy must not get between the hub and this machine
        return find(name)(f"http://127.0.0.1:{port}", self.folder / name, http)

    @contextmanager
    def _hands(self, name: str) -> Iterator[Sandbox]:
        sandbox = self.driver(name)
        try:
            yield sandbox
        finally:
            sandbox.http.close()

    def social(self) -> SocialSandbox:
        """New hands for the network."""
        sandbox = self.driver(self.wanted[0])
        if not isinstance(sandbox, SocialSandbox):
            raise TrialCannotStart(f'The sandbox "{sandbox.name}" plays no network where customers write.')
        return sandbox

    def helpdesk(self, *, patient: bool = False) -> HelpdeskSandbox:
        """New hands for the helpdesk."""
        sandbox = self.driver(self.wanted[1], patient=patient)
        if not isinstance(sandbox, HelpdeskSandbox):
            raise TrialCannotStart(f'The sandbox "{sandbox.name}" plays no helpdesk.')
        return sandbox

    def _wait_for(self, child: Child) -> None:
        deadline = time.monotonic() + START_WITHIN
        with self._hands(child.name) as sandbox:
            while not sandbox.is_ready():
                if child.is_dead() or time.monotonic() > deadline:
                    why = "ended at once" if child.is_dead() else f"did not answer within {START_WITHIN:.0f} seconds"
                    raise TrialCannotStart(f"The sandbox {child.name} {why}: {_last_line(child.log_file)}")
                time.sleep(0.1)

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            for child in self.children.values():
                if child.is_dead() and not child.given_up:
                    child.revive()


def find(name: str) -> type[Sandbox]:
    """The sandbox that plays for the connector ``name``. Raises :class:`TrialCannotStart` with what to install."""
    points = [point for point in entry_points(group=SANDBOX_GROUP) if point.name == name]
    if not points:
        known = ", ".join(sorted({point.name for point in entry_points(group=SANDBOX_GROUP)})) or "none"
        raise TrialCannotStart(f'No installed plugin brings a sandbox "{name}" (installed: {known}).')
    try:
        kind: type[Sandbox] = points[0].load().SANDBOX
    except ImportError as error:
        raise TrialCannotStart(f'The sandbox "{name}" cannot be loaded: {error}. {_install("trial", name)}') from error
    missing = [module for module in kind.requires if find_spec(module) is None]
    if missing:
        raise TrialCannotStart(f'The sandbox "{name}" needs {", ".join(missing)}. {_install(kind.extra, name)}')
    return kind


def folder_of(config: HubConfig) -> Path:
    """All that the trial keeps."""
    return config.var_dir / "trial"


def reset(config: HubConfig) -> bool:
    """Delete everything the sandboxes know; False when there was nothing. The hub must not be running."""
    folder = folder_of(config)
    if not folder.exists():
        return False
    shutil.rmtree(folder)
    return True


def _install(extra: str, name: str) -> str:
    extras = ",".join(dict.fromkeys([extra or "trial", *(["zendesk"] if name == "zendesk" else [])]))
    return (
        f"Install what it needs: pip install 'social-care-hub[{extras}]' (in a checkout: pip install -e '.[{extras}]'),"
        " or switch the trial off in hub.toml: [trial] enabled = false."
    )


def _read_ports(folder: Path) -> dict[str, int]:
    try:
        found = json.loads((folder / "ports.json").read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): int(port) for name, port in found.items()}


def _choose_ports(folder: Path, names: list[str]) -> dict[str, int]:
    """The ports of last time, so that permalinks stay true; new ones where another program took them."""
    before, chosen = _read_ports(folder), dict[str, int]()
    for name in names:
        port = before.get(name, 0)
        if not port or not _is_free(port):
            with socket.create_server(("127.0.0.1", 0)) as any_port:
                port = int(any_port.getsockname()[1])
        chosen[name] = port
    (folder / "ports.json").write_text(json.dumps(chosen))
    return chosen


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


def _last_line(file: Path) -> str:
    try:
        lines = file.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"{lines[-1]} (all of it: {file})" if lines else f"see {file}"
