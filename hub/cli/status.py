"""``hub status``, ``hub stop-talking``, ``hub login-link``, ``hub support-bundle``."""

from __future__ import annotations

import json
import platform
import zipfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.opening import Misused, actor, config_option, json_option, load_config, open_hub

if TYPE_CHECKING:
    from hub.configuration import HubConfig
    from hub.flow.hub import Hub


@click.command()
@config_option
@json_option
def status(config_path: Path | None, as_json: bool) -> None:
    """Tell in one screen how the hub is: connections, what waits, what stopped, alarms."""
    from hub.cli.connections import health_of, print_connections
    from hub.cli.credentials import unreadable
    from hub.cli.printing import ago, as_dict, print_facts, print_json
    from hub.store import views
    from hub.work.assembly import utc_now

    config = load_config(config_path)
    with open_hub(config) as hub:
        with hub.store.read() as connection:
            counts = views.counts(connection)
            overview = views.overview(connection, utc_now())
            alarms = views.alarms(connection)
        why, locked = unreadable(hub, config)
    running = is_running(config)
    if as_json:
        rows = [as_dict(one) | {"health": health_of(one, locked, running=running)} for one in overview]
        print_json({"running": running, "counts": counts, "connections": rows, "alarms": alarms})
        return
    if not running:
        click.secho("The hub is not running: nothing is fetched or sent. Below is how it was left.", bold=True)
    by_state = [
        ", ".join(f"{number} {state}" for state, number in door.items()) for door in (counts.inbox, counts.outbox)
    ]
    print_facts(
        [
            ("hub", "running" if running else "not running"),
            ("talking", _talking(counts.stop_talking, running)),
            ("tickets", str(counts.tickets)),
            ("messages", f"{counts.messages_in} in, {counts.messages_out} out"),
            ("inbox", by_state[0]),
            ("outbox", by_state[1]),
        ]
    )
    for alarm in alarms:
        click.secho(f"ALARM {alarm.connection} ({ago(alarm.opened_at)}): {alarm.text}", fg="red")
    print_connections(overview, running=running, locked=locked)
    if why:
        click.secho(why, fg="red")


def _talking(halted: bool, running: bool) -> str:
    if halted:
        return "HALTED (hub stop-talking --off lets it go on)"
    return "yes" if running else "as soon as it runs"


def is_running(config: HubConfig) -> bool:
    """Whether a hub answers where this one is configured to."""
    import requests

    from hub.trial.address import local_url

    with requests.Session() as http:
        http.trust_env = False
        try:
            return http.get(f"{local_url(config)}/healthz", timeout=2).ok
        except requests.RequestException:
            return False


@click.command("stop-talking")
@config_option
@json_option
@click.option("--off", is_flag=True, help="Let it talk again; what waited goes out.")
@click.option("--reason", default="", help="Why; others will read it.")
def stop_talking(config_path: Path | None, as_json: bool, off: bool, reason: str) -> None:
    """Halt everything that goes out to customers, at once, on all networks. Nothing is lost: it waits."""
    from hub.cli.printing import print_json
    from hub.flow import control

    with open_hub(load_config(config_path)) as hub:
        if off:
            changed = control.talk_again(hub, actor=actor(), reason=reason)
            words = "The hub talks again." if changed else "It was not halted."
        else:
            changed = control.stop_talking(hub, actor=actor(), reason=reason)
            words = "Halted. Let it go on with: hub stop-talking --off" if changed else "It was halted already."
    if as_json:
        print_json({"stop_talking": not off, "changed": changed})
        return
    click.echo(words)


@click.command("login-link")
@config_option
@json_option
def login_link(config_path: Path | None, as_json: bool) -> None:
    """Make a link that opens the console once, within a day."""
    from hub.cli.printing import print_json
    from hub.trial.address import local_url
    from hub.web import make_login_link

    config = load_config(config_path)
    with open_hub(config) as hub:
        link = make_login_link(hub, config.hub.public_url or local_url(config))
    if as_json:
        print_json({"link": link})
        return
    click.echo(link)


@click.command("support-bundle")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@config_option
@json_option
def support_bundle(file: Path | None, config_path: Path | None, as_json: bool) -> None:
    """Write FILE with what a supporter needs: versions, connections, counts, what stopped and why.

    It is a zip of JSON files. Without FILE it goes into the folder var, with the time in its name.

    No secret, no setting's value, nothing that customers or agents wrote, and no name of a person is in it.
    """
    from hub.cli.printing import print_json

    config = load_config(config_path)
    file = file or config.var_dir / f"support-{datetime.now().astimezone():%Y%m%d-%H%M%S}.zip"
    if file.exists():
        raise Misused(f"There already is {file}.")
    with open_hub(config) as hub:
        parts = _bundle(hub, config)
    with zipfile.ZipFile(file, "x", zipfile.ZIP_DEFLATED) as archive:
        for name, value in parts.items():
            archive.writestr(f"{name}.json", json.dumps(value, indent=2, default=str))
    if as_json:
        print_json({"file": file})
        return
    click.echo(
        f"Wrote {file}: a zip of JSON files with versions, connections, counts, and what stopped and why; without "
        "secrets, texts and names of persons. Have a look before you send it."
    )


def _bundle(hub: Hub, config: HubConfig) -> dict[str, Any]:
    import hub as package
    from hub.catalogue import Catalogue
    from hub.store import views

    catalogue = Catalogue.load()
    with hub.store.read() as connection:
        overview = views.overview(connection, hub.now())
        counts = views.counts(connection)
        stopped = views.parked(connection, limit=1000)
        outbox = views.outbox_rows(connection, limit=500)
        inbox = views.inbox_rows(connection, limit=500)
        alarms = views.alarms(connection)
    seen = ("name", "connector", "side", "mode", "health", "last_success_at", "backlog", "parked", "calls")
    rows = ("id", "connection", "what", "state", "attempts", "created_at", "due_at", "done_at")
    return {
        "versions": {"hub": package.__version__, "python": platform.python_version(), "system": platform.platform()},
        "plugins": [f"{one.side} {one.name} ({one.distribution} {one.version})" for one in catalogue.plugins],
        "broken": [str(one) for one in catalogue.broken],
        "configuration": {
            "database": config.hub.database.partition(":")[0],
            "trial": config.trial.enabled,
            # The names of the settings only: a value may be a secret or tell who the company is.
            "connections": {
                name: {"connector": one.connector, "mode": one.mode, "settings": sorted(one.settings)}
                for name, one in config.connections.items()
            },
        },
        "counts": {"inbox": counts.inbox, "outbox": counts.outbox, "tickets": counts.tickets, "alarms": counts.alarms},
        "connections": [{name: getattr(one, name) for name in seen} for one in overview],
        "parked": [
            {name: getattr(one, name) for name in ("door", "id", "connection", "what", "since", "reason")}
            for one in stopped
        ],
        "inbox": [{name: getattr(one, name) for name in rows} for one in inbox],
        "outbox": [{name: getattr(one, name) for name in rows} for one in outbox],
        "alarms": [{"connection": one.connection, "kind": one.kind, "opened_at": one.opened_at} for one in alarms],
    }
