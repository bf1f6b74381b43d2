"""``hub connections setup``: what must be so at the vendor before a connection works."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.opening import Misused, Stop, config_option, json_option, keep_private, load_config, must_know, open_hub

if TYPE_CHECKING:
    from hub.flow.hub import Hub
    from hub.sdk import SetsUp, SetupStep

SHORTEST_SECRET = 4
"""A secret of fewer letters would blot out half of the words around it."""


@click.command()
@click.argument("name")
@click.option("--apply", "do", flag_value="apply", help="Do the missing steps that are the hub's.")
@click.option("--remove", "do", flag_value="remove", help="Take back what --apply made, and nothing else.")
@config_option
@json_option
def setup(name: str, do: str | None, config_path: Path | None, as_json: bool) -> None:
    """Show what must be so at the vendor (fields, queues, webhooks) before NAME works; do it with --apply.

    Works whether the hub runs or not. Exit code 0 when nothing is missing afterwards (with --remove: nothing is left
    for a person to remove), 1 otherwise, so that a script can wait for it.

    As JSON: "connection", "webhook_url", "before" and "steps" (the plan before and after; each step with "title",
    "state": done, missing or unknown, "by": hub or person, and "instructions") and "ready".
    """
    from hub.cli.printing import print_json
    from hub.sdk import ConnectorError
    from hub.store import migrate

    config = load_config(config_path)
    if name not in config.connections and not config.trial.enabled:
        must_know(config.connections, name)
    keep_private(config)
    # A connection is set up before the hub first runs, and its rotating tokens need the vault.
    migrate(config.database_url)
    with open_hub(config, with_connections=True) as hub:
        must_know(hub.connected, name)
        connector, address = _able(hub, name), _webhook_url(hub, name)
        try:
            before = _hidden(hub, name, connector.plan_setup(address))
            if not as_json:
                _show(f"{name}: the plan", before)
            steps = before
            if do == "apply":
                steps = _hidden(hub, name, connector.apply_setup(address))
            elif do == "remove":
                steps = _hidden(hub, name, connector.remove_setup())
        except ConnectorError as error:
            raise Stop(_blotted(hub, name, f"{name}: {type(error).__name__}: {error.summary}")) from error
        finally:
            _count_calls(hub, name)
    # After a removal every step that stays is a person's to do, whatever it was in the plan.
    left = steps if do == "remove" else [step for step in steps if step["state"] == "missing"]
    if as_json:
        told = {"connection": name, "webhook_url": address, "before": before, "steps": steps, "ready": not left}
        print_json(told)
    else:
        _tell_outcome(name, do, steps, left)
    if left:
        raise click.exceptions.Exit(1)


def _able(hub: Hub, name: str) -> SetsUp:
    """The connector, if it can set its vendor up."""
    from hub.sdk import SetsUp

    connector: Any = hub.instance(name)
    if not isinstance(connector, SetsUp):
        kind = connector.display_name
        raise Misused(
            f"{name}: there is nothing the hub can set up at {kind}. Its plugin says what a person does there: "
            f"hub plugins show {connector.name}; then: hub connections check {name}"
        )
    return connector


def _webhook_url(hub: Hub, name: str) -> str:
    """Where the vendor may call; empty without a public address, and for a connector that takes no webhook."""
    from hub.sdk import ReceivesWebhooks

    takes = hub.connected[name].has(ReceivesWebhooks)
    return f"{hub.public_url}/hooks/{name}" if takes and hub.public_url else ""


def _count_calls(hub: Hub, name: str) -> None:
    from hub.store import connections

    calls = hub.calls(name).take()
    hub.store.run(lambda tx: connections.add_calls(tx, name, calls))


def _hidden(hub: Hub, name: str, steps: Sequence[SetupStep]) -> list[dict[str, str]]:
    """The steps without the connection's secrets, should a plugin have let one slip in."""
    return [{key: _blotted(hub, name, value) for key, value in step.model_dump(mode="json").items()} for step in steps]


def _blotted(hub: Hub, name: str, text: str) -> str:
    for secret in _secrets(hub.connected[name].settings):
        text = text.replace(secret, "***")
    return text


def _secrets(value: Any) -> Iterator[str]:
    """Every secret among the settings, however deep."""
    from pydantic import BaseModel, SecretStr

    if isinstance(value, SecretStr):
        if len(value.get_secret_value()) >= SHORTEST_SECRET:
            yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for key in type(value).model_fields:
            yield from _secrets(getattr(value, key))
    elif isinstance(value, dict):
        yield from _secrets(list(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _secrets(item)


def _tell_outcome(name: str, do: str | None, steps: list[dict[str, str]], left: list[dict[str, str]]) -> None:
    if do == "remove" and not steps:
        click.echo(f"\n{name}: everything the hub had made is removed.")
        return
    if do == "remove":
        _show(f"\n{name}: what is left for a person to remove", steps)
        return
    if do == "apply":
        _show(f"\n{name}: after --apply", steps)
    if not left:
        unseen = [step for step in steps if step["state"] == "unknown"]
        seen = "; what is unknown the hub's credentials cannot see: look yourself" if unseen else ""
        click.echo(f"\n{name}: nothing is missing{seen}.")
        return
    mine = [step for step in left if step["by"] == "hub"]
    if mine and do is None:
        click.echo(f"\nLet the hub do its {_steps(mine)}: hub connections setup {name} --apply")
    elif mine:
        click.echo(f"\n{_steps(mine).capitalize()} of the hub did not take.")
    if len(left) > len(mine):
        yours = [step for step in left if step["by"] == "person"]
        click.echo(f"\nYours: {_steps(yours)}, as written above. Then look again: hub connections setup {name}")


def _steps(steps: Sequence[object]) -> str:
    return "one step" if len(steps) == 1 else f"{len(steps)} steps"


def _show(head: str, steps: list[dict[str, str]]) -> None:
    """Each step with its state. Instructions stand unindented and unwrapped: they are there to be copied."""
    from hub.cli.printing import clean

    click.echo(f"{head}\n")
    if not steps:
        click.echo("  nothing to do")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {step['state']:<7}  {step['by']:<6}  {clean(step['title'])}")
        if step["instructions"] and step["state"] != "done":
            text = "\n".join(clean(part).rstrip() for part in step["instructions"].expandtabs(4).splitlines())
            click.echo(f"\n{text}\n")
