"""``hub connections prove``: a round on one's own test account, with a report and a recording."""

from __future__ import annotations

import json
import os
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.opening import (
    Misused,
    Stop,
    actor,
    config_option,
    json_option,
    keep_private,
    load_config,
    must_know,
    open_hub,
)

if TYPE_CHECKING:
    from hub.catalogue import Catalogue
    from hub.configuration import HubConfig
    from hub.flow.hub import Hub
    from hub.flow.prove import Step
    from hub.flow.proving import Proved, Versions

TITLES = {
    "check_connection": "whose account it is",
    "cursor": "where reading begins",
    "open_ticket": "open a ticket",
    "find": "find it again, as after a lost answer",
    "add_comment": "add a comment of the customer",
    "internal_note": "add an internal note",
    "same_key_again": "nothing happens twice under one key",
    "read_back": "read the ticket back",
    "changes": "read what changed",
    "agent_answers": "an agent's answer reaches the hub",
    "redact": "redact a comment",
    "update_fields": "set a tag and the status",
    "customer_writes": "a customer's message reaches the hub",
    "reply": "answer it",
    "edit": "edit the answer",
    "delete": "delete the answer",
    "clean_up": "clean up",
}


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Begin without asking.")
@click.option("--unattended", is_flag=True, help="Leave out what a person must do meanwhile.")
@click.option("--on-live-account", is_flag=True, help="Also where the connection is live and has real tickets.")
@click.option("--clean-up", "only_clean", is_flag=True, help="Only delete what earlier rounds left, after a kill.")
@config_option
@json_option
def prove(
    name: str,
    yes: bool,
    unattended: bool,
    on_live_account: bool,
    only_clean: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Prove NAME with its real vendor, on your own test account: a whole round, that deletes what it made.

    Writes a report and a redacted recording into var/proofs. Exit code 0 when nothing failed, 1 when something did or
    nothing could be done; what a connector cannot do is skipped, with the reason. As JSON the report.
    """
    from hub.cli.opening import load_catalogue
    from hub.store import migrate

    catalogue = load_catalogue()
    config = load_config(config_path)
    if name not in config.connections and not config.trial.enabled:
        must_know(config.connections, name)
    keep_private(config)
    migrate(config.database_url)
    folder = config.var_dir / "proofs"
    with open_hub(config, with_connections=True, catalogue=catalogue) as hub:
        must_know(hub.connected, name)
        _ensure(hub, name)
        versions = _versions(catalogue, hub, name)
        if only_clean:
            _clean(hub, name, folder, versions, as_json=as_json)
            return
        _agree(hub, name, yes=yes, unattended=unattended, on_live_account=on_live_account, as_json=as_json)
        _run(hub, config, name, folder, versions, unattended=unattended, as_json=as_json)


def _agree(hub: Hub, name: str, *, yes: bool, unattended: bool, on_live_account: bool, as_json: bool) -> None:
    """Say what will be done and where, and get a yes. Raises :class:`Stop`."""
    from hub.cli.printing import clean
    from hub.flow import check as checking
    from hub.flow import proving
    from hub.sdk import ConnectorError
    from hub.store import connections as rows

    why = proving.why_not(hub, name)
    if why and not on_live_account:
        raise Stop(f"{name}: {why}. Prove it on a test account; or here all the same: --on-live-account")
    try:
        account = checking.check(hub, name)
    except ConnectorError as error:
        raise Stop(f"{name}: {type(error).__name__}: {error.summary}") from error
    with hub.store.read() as connection:
        paused = rows.get(connection, name).paused
    if paused:
        raise Stop(f"{name} is paused: {paused}. Nothing was written.")
    who = clean(account.display_name or account.handle or account.fingerprint)
    where = f"{hub.connected[name].connector.display_name}, as {who}" + (
        f" ({clean(account.url)})" if account.url else ""
    )
    click.echo(f"{name}: a round at {where}. It will", err=as_json)
    for line in proving.plan(hub, name, unattended=unattended):
        click.echo(f"  - {line}", err=as_json)
    if not yes and not click.confirm("Begin?", err=as_json):
        raise Stop("Nothing was written.")


def _run(
    hub: Hub, config: HubConfig, name: str, folder: Path, versions: Versions, *, unattended: bool, as_json: bool
) -> None:
    from hub.flow import proving

    def ask(words: str) -> None:
        click.echo(f"\n>>> {words} Waiting… (Ctrl-C ends the round and cleans up)\n", err=as_json)

    _record(hub, name)
    proved = proving.prove(
        hub,
        name,
        folder,
        versions,
        sleep=time.sleep,
        ask=None if unattended else ask,
        told=_teller(as_json=as_json),
    )
    files = write(folder, proved)
    if as_json:
        click.echo(json.dumps({**proved.report, "files": [str(one) for one in files.values()]}, indent=2))
    else:
        click.echo("\nRead the recording before you give it away: it holds the texts of what changed meanwhile.\n")
    if not proved.ok:
        raise Stop(f"{_failed(name, proved)}\n{_outcome(name, proved, files)}")
    click.echo(_outcome(name, proved, files), err=as_json)


def _record(hub: Hub, name: str) -> None:
    """A round writes at the vendor, on a live account only when somebody wants that: who began it is in the audit."""
    from hub.store import connections as rows

    def unit(tx: Any) -> None:
        mode = rows.get(tx.connection, name).mode
        rows.write_audit(tx, actor=actor(), action="prove", object_=name, now=hub.now(), mode=mode)

    hub.store.run(unit)


def _clean(hub: Hub, name: str, folder: Path, versions: Versions, *, as_json: bool) -> None:
    from hub.flow import proving

    found = proving.clean_up(hub, name, folder, versions, sleep=time.sleep, told=_teller(as_json=as_json))
    if as_json:
        click.echo(json.dumps([one.report for one in found], indent=2))
    elif not found:
        click.echo(f"{name}: no round has left anything.")
    for one in found:
        # Nothing made is nothing to do, and no failure.
        if any(step["state"] == "failed" for step in one.report["steps"]):
            raise Stop(f"{name}: not all could be cleaned up.\n{_failed(name, one)}")


def _failed(name: str, proved: Proved) -> str:
    """What went wrong, a step a line, and how to tidy up when that did not work."""
    failed = {step["name"]: step["reason"] for step in proved.report["steps"] if step["state"] == "failed"}
    lines = [f"  {step}: {reason}" for step, reason in failed.items()] or ["  nothing could be done"]
    if "clean_up" in failed:
        lines.append(f"When that is mended: hub connections prove {name} --clean-up")
    return "\n".join(lines)


def _outcome(name: str, proved: Proved, files: dict[str, Path]) -> str:
    """The last line: what is proven, by how much, where it is written, and why the command ends with this code."""
    report = proved.report
    states = [step["state"] for step in report["steps"]]
    counted = ", ".join(f"{states.count(state)} {state}" for state in ("ok", "failed", "skipped"))
    if not report["ok"]:
        code = "exit code 1: a step failed" if "failed" in states else "exit code 1: nothing could be done"
    elif report["proven"]:
        code = "exit code 0: nothing failed"
    else:
        code = "exit code 0: nothing failed, but it was only looked at"
    written = "; ".join(f"{what}: {files[what]}" for what in ("report", "recording") if what in files)
    return f"{name}: {_verdict(report)}. Steps: {counted} ({code}). {written[0].upper()}{written[1:]}"


def _verdict(report: dict[str, Any]) -> str:
    return "proven" if report["proven"] else "not proven"


def _teller(*, as_json: bool) -> Any:
    def tell(step: Step) -> None:
        words = f"  {step.state:<7}  {TITLES.get(step.name, step.name)}  ({step.ms} ms)"
        click.echo(words + (f"\n           {step.reason}" if step.reason else ""), err=as_json)

    return tell


def write(folder: Path, proved: Proved) -> dict[str, Path]:
    """Put report (for people and for programs) and recording into the folder; mode 0600. Returns where each is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    report = proved.report
    stamp = report["started_at"][:19].replace("-", "").replace(":", "") + "Z"
    stem = f"{report['connection']}-{stamp}"
    texts = {"report": (".md", as_page(report)), "as JSON": (".json", json.dumps(report, indent=2) + "\n")}
    if proved.recording is not None:
        texts["recording"] = (".recording.json", json.dumps(proved.recording, indent=1, ensure_ascii=False) + "\n")
    written = {}
    for what, (ending, text) in texts.items():
        file = folder / f"{stem}{ending}"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(text)
        written[what] = file
    return written


def as_page(report: dict[str, Any]) -> str:
    """The report for people, in Markdown."""
    head = [
        f"# {report['connector']}: {_verdict(report)}",
        "",
        f"- connection: {report['connection']} ({report['side']})",
        f"- from {report['started_at'][:19]} to {report['ended_at'][:19]} UTC, {report['calls']} calls",
        f"- hub {report['hub_version']}; plugin {report['distribution']} {report['plugin_version']}",
        f"- {'without' if report['unattended'] else 'with'} a person; the round's code is {report['code']}",
        *(["- on a live account, which has real tickets (--on-live-account)"] if report["live_account"] else []),
        "",
        "| step | state | what was seen | vendor's ids | ms |",
        "| --- | --- | --- | --- | --- |",
    ]
    for step in report["steps"]:
        seen = ", ".join(f"{key}: {value}" for key, value in step["seen"].items())
        told = "; ".join(part for part in (step["reason"], seen) if part).replace("|", "\\|")
        head.append(f"| {step['name']} | {step['state']} | {told} | {', '.join(step['ids'])} | {step['ms']} |")
    return "\n".join(head) + "\n"


def _ensure(hub: Hub, name: str) -> None:
    """The connection's row: a proof may come before the hub's first run."""
    from hub.store import connections as rows

    one = hub.connected[name]

    def unit(tx: Any) -> None:
        kind, mode = one.connector.name, one.config.mode
        rows.ensure(tx, name=name, connector=kind, side=one.side, mode=mode, now=hub.now())

    hub.store.run(unit)


def _versions(catalogue: Catalogue, hub: Hub, name: str) -> Versions:
    from hub.flow.proving import Versions

    one = hub.connected[name]
    found = [info for info in catalogue.plugins if (info.name, info.side) == (one.connector.name, one.side)]
    if not found:
        raise Misused(f"{name}: its plugin is not installed")
    try:
        mine = version("social-care-hub")
    except PackageNotFoundError:
        mine = "unknown"
    return Versions(hub=mine, plugin=found[0].version, distribution=found[0].distribution)
