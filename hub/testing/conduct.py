"""The checks of how a connector behaves: it does not sleep, print, read the environment, leave its toolbox or talk."""

from __future__ import annotations

from typing import ClassVar

from hub.testing.checks import last
from hub.testing.watching import Conduct


class ConductChecks:
    """They look back on everything the connector did in the other checks, and on a tour of its roles."""

    conduct: ClassVar[Conduct]

    def tour(self) -> None:
        """Use every role once."""
        raise NotImplementedError

    def secrets_and_words(self) -> tuple[list[str], dict[str, str]]:
        """The secrets of the connection, and texts in which they must not be, by where they stand."""
        raise NotImplementedError

    @last
    def test_never_sleeps(self) -> None:
        """Waiting is the hub's work: it knows what else could be done meanwhile."""
        self.tour()
        slept = self.conduct.slept
        assert not slept, (
            f"the connector slept {len(slept)} times, first {slept[0]}: raise RateLimited or TemporaryFailure"
        )

    @last
    def test_never_prints(self) -> None:
        """What is worth saying goes to the toolbox's log."""
        self.tour()
        printed = self.conduct.printed
        assert not printed, f"the connector printed {printed[0]!r}: use toolbox.log"

    @last
    def test_never_reads_the_environment(self) -> None:
        """Everything comes by settings: the hub has several connections in one process."""
        self.tour()
        read = self.conduct.environment
        assert not read, f"the connector read the environment: {read[0]}: make it a setting"

    @last
    def test_leaves_only_by_the_toolbox(self) -> None:
        """Every call goes through ``toolbox.http``, which has the timeouts, the proxy and the bill."""
        self.tour()
        opened = self.conduct.sockets
        assert not opened, f"the connector opened a connection of its own to {opened[0]}: use toolbox.http"

    @last
    def test_secrets_are_never_told(self) -> None:
        """No secret of the connection stands in a log line, an error, or a ``repr``."""
        self.tour()
        secrets, told = self.secrets_and_words()
        told |= {f"log line {line[:60]!r}": line for line in self.conduct.logged}
        for error in self.conduct.errors:
            told[f"{type(error).__name__} {str(error)[:60]!r}"] = f"{error!r} {error} {vars(error)}"
        for secret in secrets:
            for where, text in told.items():
                # The place may hold the secret itself: it is not repeated here.
                assert secret not in text, f"a secret is told in {where.replace(secret, '***')}"
