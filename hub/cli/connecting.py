"""``hub connections connect``: the walk from nothing to a working connection."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import click

from hub.cli.callback import LOOK_EVERY, answering
from hub.cli.opening import (
    Misused,
    Stop,
    actor,
    config_option,
    examine,
    find_config,
    json_option,
    keep_private,
    load_catalogue,
    must_know,
    open_hub,
    problem_lines,
)

if TYPE_CHECKING:
    from hub.catalogue import Catalogue
    from hub.configuration import HubConfig, Problem
    from hub.flow.connect import Standing
    from hub.flow.hub import Hub
    from hub.sdk import Guide


@click.command()
@click.argument("name")
@click.option("--paste", is_flag=True, help="Paste the address the vendor's page led to: for a server without browser.")
@click.option("--account", default="", help="The account to use, by its id, when the consent covers more than one.")
@click.option("--another-account", is_flag=True, help="Take another account than the connected one; it is paused then.")
@click.option("--again", is_flag=True, help="Ask for a new consent without asking, where it is connected already.")
@click.option("--yes", is_flag=True, help="Prepare the vendor's side without asking.")
@click.option("--language", type=click.Choice(["en", "it"]), help="Of the guide. Default: [hub] language.")
@config_option
@json_option
def connect(
    name: str,
    paste: bool,
    account: str,
    another_account: bool,
    again: bool,
    yes: bool,
    language: str | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Walk from nothing to a working connection: what to register, consent, the vendor's side, a real check.

    Works whether the hub runs or not, and again for a connection that works: it keeps its data and settings, and a new
    consent is asked for after a yes only (--again, --account and --another-account are one).

    Exit code 0 when it works (steps that are optional may be missing); 1 when something is left to do; 2 while settings
    are missing, or where a connected one would need that yes and no terminal is there to give it.

    As JSON one object with all of it; the guide and the address to open go to standard error then.
    """
    from hub.cli.status import is_running

    catalogue = load_catalogue()
    config, problems = _read(config_path, catalogue, name)
    keep_private(config)
    from hub.store import migrate

    migrate(config.database_url)
    with ExitStack() as stack:
        hub = stack.enter_context(open_hub(config, with_connections=True, catalogue=catalogue))
        walk = Walk(hub, config, name, language=language or config.hub.language, as_json=as_json)
        walk.show_guide(catalogue)
        if problems:
            walk.told["problems"] = [str(one) for one in problems]
            walk.print()
            raise Misused(f"\n{problem_lines(problems)}\nPut these in, then: hub connections connect {name}")
        must_know(hub.connected, name)
        running = is_running(config)
        anew = walk.asks_anew(sure=bool(again or account or another_account))
        answers = anew and not paste
        if answers:
            stack.enter_context(answering(hub, config, catalogue))
        if answers or running:  # else nobody answers there
            walk.test_address()
        ready = not anew or walk.consent(paste=paste, account=account, another=another_account)
        if ready:
            prepared = walk.prepare(yes=yes)
            ready = walk.check(beside=running) and prepared
            walk.show_texts()
        walk.told["ready"] = ready
        walk.print()
    if not ready:
        raise click.exceptions.Exit(1)


class Walk:
    """One walk: says each step, and remembers it for JSON."""

    def __init__(self, hub: Hub, config: HubConfig, name: str, *, language: str, as_json: bool) -> None:
        from hub.flow.guide import CALLBACK
        from hub.trial.address import local_url

        self.hub, self.config, self.name, self.language, self.as_json = hub, config, name, language, as_json
        self.redirect_url = (config.hub.public_url or local_url(config)) + CALLBACK
        self.guide: Guide | None = None
        self._parts = 0
        self.told: dict[str, Any] = {"connection": name, "redirect_url": self.redirect_url}

    def say(self, text: str = "") -> None:
        """To whoever reads; standard output belongs to the JSON."""
        click.echo(text, err=self.as_json)

    def head(self, title: str) -> str:
        """The head of the walk's next part, with the next number: what does not apply leaves no hole."""
        self._parts += 1
        gap = "\n" if self._parts > 1 else ""
        return f"{gap}{self.name}: {self._parts}. {title}"

    def print(self) -> None:
        """The JSON, if that was asked for."""
        from hub.cli.printing import print_json

        if self.as_json:
            print_json(self.told)

    def show_guide(self, catalogue: Catalogue) -> None:
        """What to register, with what to paste there, and each permission with its reason."""
        from hub.cli.printing import clean, indented
        from hub.flow import guide, set_up

        hub, name, language = self.hub, self.name, self.language
        if name in hub.connected:
            self.guide = guide.guide(hub, name, language, redirect_url=self.redirect_url)
            self.told["webhook_url"] = set_up.webhook_url(hub, name)
        elif name in self.config.connections:
            block = self.config.connections[name]
            connector = catalogue.connector_of(block)
            self.guide = guide.guide_unfinished(hub, connector, block, language, redirect_url=self.redirect_url)
        shown = self.guide
        self.say(self.head("register the hub at the vendor"))
        if shown is None:
            self.say("  Its plugin has no guide: `hub plugins show` explains its settings.")
            return
        for number, step in enumerate(shown.steps, 1):
            self.say(f"\n  {number}) {clean(step.title)}")
            for text in (step.text, step.url):
                if text:
                    self.say(indented(text, "     "))
            if step.copy_text:
                self.say("\n" + clean(step.copy_text) + "\n")  # unindented: it is there to be copied
        if shown.permissions:
            self.say("\n  Permissions it asks for, and why:")
        for one in shown.permissions:
            self.say(f"    {clean(one.name)}: {clean(one.why)}")

    def test_address(self) -> None:
        """Whether the world reaches this hub; a person may go on in spite of it."""
        from hub.flow.reach import WORDS, reach

        found = reach(self.hub)
        self.told["reached"] = found.cause or "ok"
        detail = f" ({found.detail})" if found.detail else ""
        self.say(self.head(f"can the world reach this hub? {WORDS[found.cause]}{detail}"))

    def asks_anew(self, *, sure: bool) -> bool:
        """True unless it is connected and a person leaves it so. Raises :class:`Misused` where none can be asked."""
        from hub.flow import guide
        from hub.sdk import AsksConsent, HoldsTokens
        from hub.store import connections as rows

        hub, name = self.hub, self.name
        one = hub.connected[name]
        if sure or not (one.has(AsksConsent) and one.has(HoldsTokens)):
            return True
        with hub.store.read() as connection:
            row = rows.get(connection, name) if name in rows.names(connection) else None
        if row is None or not row.fingerprint or row.paused_by == "hub" or not guide.tokens(hub, name):
            return True
        state = f"paused: {row.paused}" if row.paused else f"in mode {row.mode}"
        self.say(f"\n{name} is connected already: {row.fingerprint}, {state}.")
        if sys.stdin.isatty() and not self.as_json:
            return click.confirm("Ask for a new consent?", default=False)
        self.told["outcome"] = "connected"
        self.print()
        raise Misused(
            f"For a new consent: hub connections connect {name} --again\n"
            f"To see whether it works: hub connections check {name}; its vendor's side: hub connections setup {name}"
        )

    def consent(self, *, paste: bool, account: str, another: bool) -> bool:
        """A person says yes; True when the tokens are in place (or none are needed)."""
        from hub.flow import connect as flow
        from hub.sdk import AsksConsent, ConfigurationError

        hub, name = self.hub, self.name
        if not hub.connected[name].has(AsksConsent):
            return True
        try:
            started = flow.start(hub, name, redirect_url=self.redirect_url, actor=actor())
        except ConfigurationError as error:
            raise Stop(f"{name}: {error.summary}") from error
        self.say(self.head(f"open this within 30 minutes, in the browser of who holds the rights:\n\n{started.url}\n"))
        try:
            standing = self._pasted() if paste else self._awaited(started.number)
            if standing.outcome == "choose":
                standing = self._choose(standing, account)
        except flow.ConsentOver as error:
            raise Stop(f"{name}: {error}.") from error
        if standing.outcome == "other_account":
            with hub.store.read() as connection:
                from hub.store import connections as rows

                known = rows.get(connection, name).fingerprint
            self.say(f"Another account said yes: {standing.detail}. {name} belongs to {known}, and is as it was.")
            if another:
                standing = flow.accept_other(hub, standing.number, actor=actor())
                self.say(f"Its tokens are in place, and {name} is paused. Accept it: hub connections resume {name}")
                self.told |= {"outcome": "other_account", "detail": standing.detail}
                return False
            self.say("Give that account a connection of its own, or move this one: --another-account")
        self.told |= {"outcome": standing.outcome, "detail": standing.detail}
        if standing.outcome == "done":
            self.say(f"Connected: {standing.detail}")
        elif standing.outcome == "refused":
            code = standing.detail.partition(":")[0]
            self.say(f"Nothing was changed: {flow.REFUSALS.get(code, 'the vendor said no')} ({standing.detail})")
        elif standing.outcome in ("failed", "expired"):
            self.say(f"Nothing was changed: {standing.detail or 'nobody came back in time'}")
        return standing.outcome == "done"

    def _awaited(self, number: str) -> Standing:
        from hub.flow import connect as flow

        self.say("Waiting for the answer… (Ctrl-C gives up)")
        try:
            while (standing := flow.standing(self.hub, number)).outcome in ("waiting", "asking"):
                time.sleep(LOOK_EVERY)
        except KeyboardInterrupt:
            flow.withdraw(self.hub, self.name)
            raise
        return standing

    def _pasted(self) -> Standing:
        from hub.flow import connect as flow

        pasted = click.prompt("Paste the whole address the browser ended at", err=self.as_json)
        given = {key: values[0] for key, values in parse_qs(urlsplit(pasted.strip()).query).items()}
        return flow.finish(
            self.hub,
            given.get("state", ""),
            code=given.get("code", ""),
            error=given.get("error", ""),
            description=given.get("error_description", ""),
        )

    def _choose(self, standing: Standing, account: str) -> Standing:
        from hub.cli.printing import clean
        from hub.flow import connect as flow

        choices = {one.id: one for one in standing.choices}
        self.told["choices"] = [one.model_dump(mode="json") for one in standing.choices]
        if account and account not in choices:
            raise Stop(f"The consent does not cover the account {account}; it covers: {', '.join(choices)}")
        if not account and self.as_json:
            self.say(f"The consent covers {len(choices)} accounts: say which one with --account")
            return standing
        if not account:
            self.say("The consent covers more than one account:")
            for number, one in enumerate(standing.choices, 1):
                self.say(f"  {number}. {clean(one.name)}  {clean(one.id)}  {clean(one.url)}".rstrip())
            picked = click.prompt("Which one", type=click.IntRange(1, len(choices)))
            account = standing.choices[picked - 1].id
        return flow.choose(self.hub, standing.number, account)

    def prepare(self, *, yes: bool) -> bool:
        """The vendor's side; True when nothing is missing there."""
        from hub.cli.vendor_setup import as_told
        from hub.flow.set_up import SetupFailed, set_up
        from hub.sdk import SetsUp

        hub, name = self.hub, self.name
        if not hub.connected[name].has(SetsUp):
            return True
        try:
            steps = set_up(hub, name, "plan")
            self._steps(self.head("the vendor's side"), steps)
            mine = [step for step in steps if step.state == "missing" and step.by == "hub"]
            asked = mine and not yes and not self.as_json
            if mine and (yes or (asked and click.confirm(f"\nLet the hub do {len(mine)} missing step(s) there?"))):
                steps = set_up(hub, name, "apply")
                self._steps(f"\n{name}: afterwards", steps)
        except SetupFailed as error:
            self.say(f"{name}: {error}")
            self.told["setup_failed"] = str(error)
            return False
        left = [step for step in steps if step.holds_up]
        self.told["steps"] = as_told(steps, self.language)
        if left:
            self.say(f"\n{len(left)} step(s) are still missing. Look again: hub connections setup {name}")
        elif wishes := [step for step in steps if step.state == "missing"]:
            self.say(f"\n{len(wishes)} optional step(s) are missing; it works without them.")
        return not left

    def _steps(self, head: str, steps: Sequence[Any]) -> None:
        from hub.cli.vendor_setup import as_told, show_steps

        if not self.as_json:
            show_steps(head, as_told(steps, self.language))

    def check(self, *, beside: bool) -> bool:
        """One real round trip, and what is known of the webhook."""
        from hub.cli.checking import check_here
        from hub.cli.printing import ago, clean
        from hub.flow import guide, set_up
        from hub.sdk import ConnectorError, ReceivesWebhooks
        from hub.store import connections as rows

        hub, name = self.hub, self.name
        one = hub.connected[name]

        def ensure(tx: Any) -> None:
            kind, mode = one.connector.name, one.config.mode
            rows.ensure(tx, name=name, connector=kind, side=one.side, mode=mode, now=hub.now())

        hub.store.run(ensure)
        try:
            account, stays = check_here(hub, name, beside=beside)
        except ConnectorError as error:
            self.say(self.head(f"does it work? No: {type(error).__name__}: {error.summary}"))
            return False
        with hub.store.read() as connection:
            row = rows.get(connection, name)
        self.told["account"] = account.model_dump(mode="json")
        who = clean(account.handle or account.display_name or account.fingerprint)
        self.say(self.head(f"does it work? {'It answers as ' + who if not row.paused else 'paused: ' + row.paused}"))
        if one.has(ReceivesWebhooks) and hub.public_url:
            last, plan = set_up.last_call(hub, name), set_up.last_seen(hub, name)
            added = plan is not None and not any(step.by == "hub" for step in plan.missing)
            self.told["webhook"] = "delivered" if last else "added" if added else "not added"
            came = f"delivered: a signed call came {ago(last)}" if last else "no signed call has come yet"
            came = came if last or not added else f"added; {came}"
            self.say(f"   webhook {hub.public_url}/hooks/{name}: {came}")
        states = guide.tokens(hub, name)
        self.told["tokens"] = [state.model_dump(mode="json") for state in states]
        for state in states:
            ends = f"ends {state.expires_at:%Y-%m-%d %H:%M} UTC" if state.expires_at else "has no known end"
            renews = ", and the hub renews it before" if state.renews_itself else ""
            self.say(f"   {clean(state.name)} {ends}{renews}")
        if stays:
            self.say(f"\n{stays}")
        if not row.paused:
            self.say(f"\n{name} is connected, in mode {row.mode}. Start the hub, if it does not run yet: hub run")
        return not row.paused

    def show_texts(self) -> None:
        """What to paste into the vendor's review and one's own privacy forms."""
        from hub.cli.printing import clean

        for one in self.guide.texts if self.guide else ():
            self.say(f"\n--- to paste: {clean(one.title)}\n{clean(one.text)}")


def _read(config_path: Path | None, catalogue: Catalogue, name: str) -> tuple[HubConfig, list[Problem]]:
    """The configuration, and what is wrong with this connection only; all else that is wrong is raised."""
    from hub.configuration import ConfigurationProblems, survey

    config, told = survey(find_config(config_path))
    found = [one for one in examine(config, told, catalogue) if not one.warning]
    mine = [one for one in found if one.connection == name]
    others = [one for one in told if one.connection != name]
    if config is None or others or any(one.fatal and one.connection != name for one in found):
        raise ConfigurationProblems(found)
    if name not in config.connections and not config.trial.enabled:
        try:
            must_know(config.connections, name)
        except Stop as error:
            block = f'[connections.{name}]\nconnector = "…"   # one of: hub plugins list'
            raise Misused(f"{error.message}\nA new one begins with this in {config.path}:\n\n{block}") from error
    return config, mine
