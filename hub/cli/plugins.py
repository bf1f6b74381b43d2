"""``hub plugins``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.installing import install, reach_words, remove, tell_hints
from hub.cli.opening import Stop, json_option
from hub.cli.scaffold import new

if TYPE_CHECKING:
    from hub.sdk.policy import Limit, Policy


@click.group()
def plugins() -> None:
    """Show what can be connected; write, install and remove plugins."""


plugins.add_command(new)
plugins.add_command(install)
plugins.add_command(remove)


@plugins.command("list")
@json_option
def list_plugins(as_json: bool) -> None:
    """Every installed connector and router, whether somebody proved it with its vendor, and what is broken.

    As JSON: an object with the lists "plugins" and "broken", as `show` prints it for one name.
    """
    from hub.catalogue import Catalogue
    from hub.cli.printing import print_json, print_table

    catalogue = Catalogue.load()
    if as_json:
        print_json({"plugins": catalogue.plugins, "broken": catalogue.broken})
        return
    rows = [
        (
            one.name,
            one.side,
            one.display_name,
            one.tier,
            one.proven_live or "never" if one.side != "router" else "",
            f"{one.distribution} {one.version}",
            one.roles,
        )
        for one in catalogue.plugins
    ]
    columns = ("name", "side", "speaks to", "tier", "proven live", "from", "can")
    whole = ("name", "side", "tier")
    print_table(columns, rows, empty="No plugin is installed.", whole=whole, dispensable=("from", "tier"))
    for broken in catalogue.broken:
        click.echo(f"broken: {broken}", err=True)


@plugins.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """What NAME can do, every setting it takes, and its vendor's dated rules.

    As JSON: the object of `list`, with what bears NAME only (a source and a sink may have the same name).
    """
    from hub.catalogue import Catalogue
    from hub.catalogue.reading import read_folder
    from hub.cli.printing import print_facts, print_json, print_table
    from hub.configuration import did_you_mean

    catalogue = Catalogue.load()
    found = [one for one in catalogue.plugins if one.name == name]
    if not found:
        known = {one.name for one in catalogue.plugins}
        broken = [str(one) for one in catalogue.broken if one.entry_point == name]
        raise Stop(broken[0] if broken else f'There is no plugin "{name}"; {did_you_mean(name, known)}')
    if as_json:
        print_json({"plugins": found, "broken": [one for one in catalogue.broken if one.entry_point == name]})
        return
    for one in found:
        facts = [("name", one.name), ("side", one.side), ("speaks to", one.display_name), ("can", one.roles)]
        print_facts(
            [
                *facts,
                ("tier", f"{one.tier}, as its author claims" if one.tier else "none claimed"),
                ("proven live", one.proven_live or "never" if one.side != "router" else ""),
                ("may reach", reach_words(one.reaches) if one.side != "router" else ""),
                ("from", f"{one.distribution} {one.version}"),
                ("lies in", one.folder),
                ("vendor's docs", one.docs_url),
            ]
        )
        rows = [
            (
                row.name,
                "secret" if row.secret else row.type,
                _needed(row.required, row.default),
                row.example,
                row.description,
            )
            for row in one.settings
        ]
        columns = ("setting", "type", "default", "example", "what it is")
        print_table(columns, rows, empty="It takes no settings.", whole=("setting",), dispensable=("type",))
        _print_policy(one.policy)
        if one.folder:
            tell_hints(read_folder(Path(one.folder)).hints)


def _print_policy(policy: Policy) -> None:
    """What the vendor retires and how much it allows, each with its page."""
    from hub.cli.printing import clean

    if policy.checked:
        click.echo(f"\nThe vendor's rules, as compared with its pages on {policy.checked}:")
    for one in policy.retirements:
        click.echo(f"\n  {one.on}  {clean(one.what)}")
        for text in (one.instead and f"instead: {clean(one.instead)}", clean(one.source)):
            if text:
                click.echo(f"              {text}")
    for limit in policy.limits:
        click.echo(f"\n  limit       {clean(limit.what)}{_amount(limit)}\n              {clean(limit.source)}")


def _amount(limit: Limit) -> str:
    told = []
    if limit.calls is not None:
        told.append(f"{limit.calls} calls" + (f" in {limit.per_seconds:g} s" if limit.per_seconds else ""))
    if limit.concurrent is not None:
        told.append(f"{limit.concurrent} at once")
    if limit.objects is not None:
        told.append(f"{limit.objects} in all")
    return f" ({', '.join(told)})" if told else ""


def _needed(required: bool, default: str) -> str:
    return "needed" if required else default
