"""``hub trial`` and ``hub replay``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.opening import CannotStart, Misused, Stop, config_option, load_config, open_hub

if TYPE_CHECKING:
    from hub.configuration import HubConfig
    from hub.trial.children import Sandboxes
    from hub.trial.recording import Memory, Row
    from hub.trial.replay import Outcome

STALLED_AFTER = 60.0
"""Seconds without anything new in the helpdesk after which what is missing is called missing."""


@click.group()
def trial() -> None:
    """Look after the trial: the sandboxes that stand in for the vendors."""


@trial.command()
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(config_path: Path | None, yes: bool) -> None:
    """Delete all that the sandboxes know, and the hub's memory of it when it has no other connections.

    The hub must be stopped.
    """
    from hub.store import DatabaseBusy, lock_database
    from hub.trial import children

    config = load_config(config_path)
    folder = children.folder_of(config)
    if not folder.exists():
        click.echo("There is nothing to delete.")
        return
    try:
        lock = lock_database(config.database_url, owner="hub trial reset")
    except DatabaseBusy as error:
        raise CannotStart(f"Stop the hub first: {error}") from error
    with_database = not config.connections and config.database_url == f"sqlite:///{config.var_dir / 'hub.sqlite'}"
    what = f"{folder}" + (f" and {config.var_dir / 'hub.sqlite'}" if with_database else "")
    try:
        if not yes:
            click.confirm(f"Delete {what}?", abort=True)
        children.reset(config)
        if with_database:
            # The hub's tickets point at records that are gone now; with real connections beside, they stay.
            for file in config.var_dir.glob("hub.sqlite*"):
                if file.suffix != ".lock":
                    file.unlink()
    finally:
        lock.release()
    click.echo(f"Deleted {what}.")


@trial.command()
@click.argument("ticket")
@click.argument("text")
@click.option("--internal", is_flag=True, help="An internal note instead of a public answer.")
@config_option
def answer(ticket: str, text: str, internal: bool, config_path: Path | None) -> None:
    """Answer TICKET as the agent in the trial's helpdesk, as on the trial page.

    TICKET is a code, or the number of the helpdesk's record. The hub must run.
    """
    from hub.configuration import TRIAL_PREFIX
    from hub.store import views
    from hub.trial.children import Sandboxes
    from hub.trial.drivers import Drivers, SandboxRefused

    config = load_config(config_path)
    sandboxes, desk = Sandboxes(config), TRIAL_PREFIX + config.trial.sink
    if not config.trial.enabled or not sandboxes.have_run():
        raise Stop(f"The trial of {config.path} has never run. Start it: hub run")
    with open_hub(config) as hub, hub.store.read() as connection:
        filed = [one.code for one in views.filed_as(connection, ticket) if one.connection == desk]
        found = views.ticket(connection, filed[0] if filed else ticket, hub.decrypt_json)
    if found is None:
        raise Stop(f'There is no ticket "{ticket}".')
    records = [one.vendor_id for one in found.records if one.connection == desk]
    if not records:
        raise Stop(f"{found.code} has no record in the trial's helpdesk ({desk}).")
    drivers = Drivers.of(sandboxes)
    try:
        drivers.on_helpdesk(lambda helpdesk: helpdesk.answer(records[-1], text, public=not internal))
    except SandboxRefused as error:
        raise Stop(f"The trial's helpdesk: {error}. Does the hub run?") from error
    click.echo(f"{'Noted in' if internal else 'Answered'} {found.code}, record {records[-1]} of {desk}.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--text-column", required=True, help="The column with what customers wrote.")
@click.option("--author-column", default="", help="The column that tells customers apart.")
@click.option("--time-column", default="", help="The column with the time of each text.")
@click.option("--speed", type=click.FloatRange(min=0), default=0.0, help="10: ten times as fast as it was. 0: no gaps.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many rows.")
@click.option("--threads", type=click.IntRange(1, 16), default=4, show_default=True, help="How many post side by side.")
@click.option("--skip-too-long", is_flag=True, help="Rows the network refuses do not count as an error.")
@click.option("--url", default="", help="Where the hub runs. Default: as configured.")
@config_option
def replay(
    file: Path,
    text_column: str,
    author_column: str,
    time_column: str,
    speed: float,
    limit: int | None,
    threads: int,
    skip_too_long: bool,
    url: str,
    config_path: Path | None,
) -> None:
    """Post the texts of a CSV file into the running trial and measure the hub.

    Every row is posted once, however often the file is replayed. The last line tells the outcome as name=value pairs,
    counted in the helpdesk itself; lags run from sending a post off to its comment in the helpdesk and are upper bounds
    (the helpdesk counts in whole seconds).
    """
    from hub.trial import recording
    from hub.trial.address import local_url
    from hub.trial.children import Sandboxes

    config = load_config(config_path)
    try:
        rows = recording.read(file, text=text_column, author=author_column, time=time_column, limit=limit)
    except recording.RecordingProblem as error:
        raise Misused(str(error)) from error
    hub_url = (url or local_url(config)).rstrip("/")
    about = _ask(hub_url)
    sandboxes = Sandboxes(config)
    if not sandboxes.have_run():
        raise Stop(
            f"The trial of {config.path} has never run; name the configuration of the hub at {hub_url}: --config"
        )
    memory = recording.Memory(sandboxes.folder, file, (text_column, author_column))
    try:
        outcome = _replay(rows, memory, config, sandboxes, hub_url, about, speed=speed, threads=threads)
    finally:
        memory.close()
    click.echo(outcome.line())
    if not outcome.is_right or (outcome.skipped and not skip_too_long):
        raise click.exceptions.Exit(1)


def _replay(
    rows: list[Row],
    memory: Memory,
    config: HubConfig,
    sandboxes: Sandboxes,
    hub_url: str,
    about: dict[str, Any],
    *,
    speed: float,
    threads: int,
) -> Outcome:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    from hub.trial.replay import find_arrivals, judge, post_all

    fitting = [row for row in rows if about["limit"] is None or len(row.text) <= about["limit"]]
    console = Console(stderr=True)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn(), console=console) as bar:
        posting = bar.add_task("posting", total=len(fitting))
        refused = post_all(
            fitting,
            memory,
            sandboxes.social,
            speed=speed,
            threads=threads,
            after_each=lambda: bar.advance(posting),
            stop=threading.Event(),
        )
        posted = memory.posted()
        wanted = {row.number for row in fitting if row.number in posted}
        arriving = bar.add_task("arriving", total=len(wanted))
        helpdesk, network_url = sandboxes.helpdesk(patient=True), sandboxes.social().base_url

        def look() -> Outcome:
            arrivals = find_arrivals(helpdesk.records(limit=10_000_000), posted, network_url)
            outcome = judge(rows, posted, arrivals)
            bar.update(arriving, completed=outcome.arrived)
            return outcome

        outcome = _wait(look, hub_url)
    for row, words in refused[:20]:
        click.echo(f"row {row.number}: the network refused it ({words})", err=True)
    if len(fitting) < len(rows):
        click.echo(f"{len(rows) - len(fitting)} rows are longer than {about['limit']} characters: skipped", err=True)
    return outcome


def _wait(look: Callable[[], Outcome], hub_url: str) -> Outcome:
    """Until the hub is idle and everything arrived, or nothing moved for a minute."""
    moved_at, last = time.monotonic(), -1
    while True:
        waiting = int(_ask(hub_url)["waiting"])
        # Reading the whole helpdesk costs it time that the hub needs: only when the hub has nothing left to do.
        outcome = look() if waiting == 0 else None
        if outcome is not None and not outcome.missing:
            return outcome
        state = waiting if outcome is None else -outcome.arrived
        if state != last:
            moved_at, last = time.monotonic(), state
        if time.monotonic() - moved_at > STALLED_AFTER:
            return outcome or look()
        time.sleep(1.0)


def _ask(hub_url: str) -> dict[str, Any]:
    import requests

    with requests.Session() as http:
        http.trust_env = False
        try:
            answer = http.get(f"{hub_url}/trial/api/about", timeout=30)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise Stop(
                f"No hub with its trial answers at {hub_url} ({type(error).__name__}). Start it: hub run"
            ) from error
    return found
