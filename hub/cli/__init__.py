"""The command ``hub``. One file per group of commands; each is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("hub.cli.running:run", "Run the hub, with its trial if that is on."),
    "init": ("hub.cli.settings:init", "Write a configuration to start from."),
    "config": ("hub.cli.settings:config", "Check the configuration."),
    "plugins": ("hub.cli.plugins:plugins", "Show what can be connected."),
    "connections": ("hub.cli.connections:connections", "See and steer the connections."),
    "backfill": ("hub.cli.backfill:backfill", "Read a helpdesk's past: tickets, comments, who solved what."),
    "reconcile": ("hub.cli.reconcile:reconcile", "Compare a helpdesk with what the hub holds; repair what differs."),
    "status": ("hub.cli.status:status", "Tell in one screen how the hub is."),
    "ticket": ("hub.cli.tickets:ticket", "See tickets and their whole story."),
    "parked": ("hub.cli.parked:parked", "See what stopped; try it again or give it up."),
    "stop-talking": ("hub.cli.status:stop_talking", "Halt everything that goes out, at once."),
    "secrets": ("hub.cli.secret_key:secrets", "Change the secret key, or go on without one that is lost."),
    "login-link": ("hub.cli.status:login_link", "Make a one-time link into the console."),
    "support-bundle": ("hub.cli.status:support_bundle", "Pack what a supporter needs, without secrets and texts."),
    "trial": ("hub.cli.trial:trial", "Look after the trial."),
    "replay": ("hub.cli.trial:replay", "Post recorded customer texts into the trial and measure the hub."),
}

EPILOG = """\b
Exit codes:
  0  all is well
  1  something is wrong with what was asked (unknown ticket, connection refused, ...)
  2  the configuration or the command line is wrong
  3  the hub cannot start (another one runs, port taken, sandbox missing)

Every command that shows something takes --json. The configuration is looked for in --config, in ./config/hub.toml
and in $HUB_CONFIG."""


class LazyGroup(click.Group):
    """Knows the commands' names and one line about each, and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which one needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """An operator sees what is wrong, never a trace; ``--debug`` shows it."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            # A reader that had enough (`| head`) is no error: click ends quietly.
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            from hub.cli.opening import explain

            raise explain(error) from error


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show where an unexpected error came from, and log more.")
@click.version_option(package_name="social-care-hub", prog_name="hub")
def main(debug: bool) -> None:
    """Social Care Hub: between social networks and helpdesks.

    Customers' posts become tickets; agents' public answers appear under the post.
    """
