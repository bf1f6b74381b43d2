"""``hub run``: everything in one process."""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.opening import CannotStart, cannot_write, config_option, keep_private, load_catalogue, load_config

if TYPE_CHECKING:
    from hub.configuration import HubConfig

THREADS = 32

MAX_CONNECTIONS = 1000
"""Open at once. The rest waits, so idle strangers must not be able to take them all cheaply."""

IDLE_SECONDS = 20
"""A connection on which nothing happens is closed after so long; so is one whose request line and headers take longer,
however busily they trickle in."""

OWN_FILES = 256
"""Open files the hub itself may need beside its connections: databases, logs, vendors, sandboxes."""


@click.command()
@config_option
@click.pass_context
def run(ctx: click.Context, config_path: Path | None) -> None:
    """Run the hub in this terminal until Ctrl-C.

    Prints one address: with the trial on, the page where you can play customer and agent; and the console's one-time
    link. Ends with exit code 0 when it is told to stop; nothing is lost however it ends.
    """
    os.umask(0o077)  # what customers wrote is nobody's business on this machine
    debug = bool(ctx.find_root().params.get("debug"))
    _log_to_stderr(debug)
    config = load_config(config_path)
    with ExitStack() as stack:
        serve = _prepare(config, stack)
        _settle_memory()
        signal.signal(signal.SIGTERM, _end)
        signal.signal(signal.SIGINT, _end)
        serve()
        # From here on a second signal must not break off the orderly end; kill -9 is always safe.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        click.echo("Stopping.", err=True)


def _prepare(config: HubConfig, stack: ExitStack) -> Callable[[], None]:
    """Open and start everything, each with its way to stop on the stack (the last started stops first); return what
    serves until a signal comes."""
    from hub.store import Store, lock_database, migrate
    from hub.trial.address import is_private, local_url
    from hub.trial.children import Sandboxes, TrialCannotStart
    from hub.web import create_app, make_login_link
    from hub.work.assembly import assemble, settle_key
    from hub.work.embedded import Embedded
    from hub.work.engine import Engine

    catalogue = load_catalogue()
    url = config.database_url
    keep_private(config)
    try:
        lock = lock_database(url, owner=f"the hub at {local_url(config)}")
    except OSError as error:
        raise cannot_write(config, error) from error
    stack.callback(lock.release)
    listening = _listen(config)
    stack.callback(listening.close)
    _stop_on_fatal(catalogue.check(config))
    migrate(url)
    store = Store(url)
    store.start()
    stack.callback(store.close)
    settle_key(config, store)
    sandboxes = None
    if config.trial.enabled:
        sandboxes = Sandboxes(config)
        click.echo("Starting the trial's sandboxes…", err=True)
        try:
            sandboxes.start()
        except TrialCannotStart as error:
            raise CannotStart(str(error)) from error
        stack.callback(sandboxes.stop)
        config = config.with_connections(*sandboxes.connections())
    hub = assemble(config, catalogue, store).hub
    blueprints = []
    if sandboxes is not None:
        from hub.trial.drivers import Drivers
        from hub.trial.page import make_trial

        blueprints.append(make_trial(hub, config, Drivers.of(sandboxes), needs_login=not is_private(config)))
    app = create_app(hub, config, catalogue, blueprints=blueprints)
    if config.hub.one_core and sandboxes is None:  # children would be kept to it too
        _keep_to_one_core()
    embedded = Embedded(Engine(hub, config.alerts, reconcile_at=config.hub.reconcile_at), senders=config.hub.senders)
    embedded.start(alone=True)
    stack.callback(embedded.stop)
    address = config.hub.public_url or local_url(config)
    link = make_login_link(hub, address)
    return lambda: _serve(app, listening, _greeting(local_url(config), link, trial=sandboxes is not None))


def _settle_memory() -> None:
    """What is there after the start stays: the collector need not walk it again and again. What an event leaves behind
    holds few circles, so it may also look less often (measured: 5% of the processor time of an event)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _keep_to_one_core() -> None:
    """Python runs one thread at a time; handing over between cores costs a third more (docs/decisions/0006)."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[-1]})  # the first one serves the machine's interrupts


def _stop_on_fatal(problems: list[Any]) -> None:
    """Before any sandbox is started: what is wrong with the whole stops the hub, all of it told at once."""
    from hub.configuration import ConfigurationProblems

    for problem in problems:
        if problem.warning:
            click.echo(f"warning: {problem}", err=True)
    wrong = [problem for problem in problems if not problem.warning]
    if any(problem.fatal for problem in wrong):
        raise ConfigurationProblems(wrong)


def _listen(config: HubConfig) -> socket.socket:
    """The port, bound before anything else is started: a taken one is told at once."""
    host, port = config.hub.address
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise CannotStart(
            f"Cannot listen on {config.hub.listen}: {error.strerror}.\n"
            f"Stop the program that uses port {port}, or choose another one: [hub] listen in {config.path}."
        ) from error


def _greeting(address: str, link: str, *, trial: bool) -> str:
    lines = ["", "Social Care Hub is running."]
    if trial:
        lines.append(f"  Open this page and try it:  {address}/")
    lines.append(f"  Console (one-time link):    {link}")
    lines += ["Stop with Ctrl-C.", ""]
    return "\n".join(lines)


def _serve(app: Any, listening: socket.socket, greeting: str) -> None:
    server = make_server(app, listening)
    click.echo(greeting)
    sys.stdout.flush()
    server.run()  # returns when a signal raised SystemExit in it, after the running requests were answered
    server.close()


def make_server(app: Any, listening: socket.socket) -> Any:
    """The web server on a bound socket: one that many idle or slow connections do not stop."""
    from waitress.channel import HTTPChannel
    from waitress.server import create_server

    from hub.flow.receive import MAX_BODY

    class Channel(HTTPChannel):
        def handle_read(self) -> None:
            before = self.last_activity
            super().handle_read()
            if self.request is not None and not self.request.headers_finished:
                self.last_activity = before  # a byte now and then is no activity

    server: Any = create_server(
        app,
        sockets=[listening],
        threads=THREADS,
        connection_limit=_connections(),
        asyncore_use_poll=True,  # select knows 1024 files only
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=5,
        max_request_body_size=MAX_BODY + 1,  # waitress refuses what is not smaller
        clear_untrusted_proxy_headers=False,
    )
    server.channel_class = Channel
    return server


def _connections() -> int:
    """As many as the process may have files for; its soft limit is raised if need be."""
    wanted = MAX_CONNECTIONS + OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(100, soft - OWN_FILES)
    return MAX_CONNECTIONS


def _end(*_: object) -> None:
    raise SystemExit(0)


def _log_to_stderr(debug: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if debug else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
    # Its warning counts queued requests, which is no news to an operator.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    for chatty in ("urllib3", "alembic", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
