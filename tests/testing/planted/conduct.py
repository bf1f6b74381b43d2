"""Sources that misbehave on the way: they sleep, print, talk, repeat."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from time import sleep
from typing import Any

import requests

from hub.sdk import (
    Absent,
    Account,
    AnyEvent,
    CannotTell,
    ConnectorError,
    Delivery,
    Event,
    Found,
    Page,
    RateLimited,
    Refused,
    TemporaryFailure,
    Toolbox,
)
from tests.testing.planted.sources import GoodSource
from tests.testing.selftest import breaks

# --- how it behaves --------------------------------------------------------------------------------------------------


@breaks("construction_makes_no_call")
class CallsWhenMade(GoodSource):
    def __init__(self, settings: Any, toolbox: Toolbox) -> None:
        super().__init__(settings, toolbox)
        with contextlib.suppress(ConnectorError):
            self.call("GET", "/hello")


@breaks("never_sleeps")
class Sleeps(GoodSource):
    def complain(self, response: requests.Response, effect: bool) -> None:
        if response.status_code == 429:
            time.sleep(1)
        super().complain(response, effect)


@breaks("never_sleeps")
class SleepsByAnotherName(GoodSource):
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        sleep(1)
        return super().find(delivery)


@breaks("never_prints")
class Prints(GoodSource):
    def complete(self, event: Event) -> Sequence[AnyEvent]:
        print("completing")
        return super().complete(event)


@breaks("never_reads_the_environment")
class ReadsTheEnvironment(GoodSource):
    def fetch_page(self, cursor: dict[str, Any]) -> Page:
        os.environ.get("NETWORK_PAGE_SIZE")
        return super().fetch_page(cursor)


@breaks("leaves_only_by_the_toolbox")
class HasItsOwnSocket(GoodSource):
    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=1)
        return super().find(delivery)


@breaks("secrets_are_never_told")
class LogsTheToken(GoodSource):
    def check_connection(self) -> Account:
        self.toolbox.log.debug("calling with %s", self.settings.token.get_secret_value())
        return super().check_connection()


@breaks("secrets_are_never_told")
class TellsTheTokenInAnError(GoodSource):
    def complain(self, response: requests.Response, effect: bool) -> None:
        if response.status_code == 422:
            raise Refused("no", detail=str(response.request.headers))
        super().complain(response, effect)


class TwoParts(Refused):
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.why = why

    def __reduce__(self) -> Any:
        return (type(self), self.args)


@breaks("errors_survive_pickling")
class RaisesWhatCannotTravel(GoodSource):
    def complain(self, response: requests.Response, effect: bool) -> None:
        if response.status_code == 422:
            raise TwoParts("422", "unprocessable")
        super().complain(response, effect)


# --- the connection --------------------------------------------------------------------------------------------------


@breaks("check_connection_names_the_account")
class HasANewFingerprintEachTime(GoodSource):
    def check_connection(self) -> Account:
        return super().check_connection().model_copy(update={"fingerprint": f"reference#{id(self)}"})


@breaks("check_connection_tells_bad_credentials")
class RemembersThatItWorked(GoodSource):
    account: Account | None = None

    def check_connection(self) -> Account:
        self.account = self.account or super().check_connection()
        return self.account


@breaks("check_connection_under")
class TellsTemporaryTroubleAsWrongSettings(GoodSource):
    def check_connection(self) -> Account:
        try:
            return super().check_connection()
        except RateLimited as error:
            raise Refused("the network does not want us") from error


@breaks("check_connection_repeats_nothing")
class ChecksTwice(GoodSource):
    def check_connection(self) -> Account:
        try:
            return super().check_connection()
        except TemporaryFailure:
            return super().check_connection()
