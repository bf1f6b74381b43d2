"""A house whose helpdesk is a vendor of the conformance kit, behind its real connector, on the test's clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import BaseAdapter

from hub.configuration import Connection
from hub.flow.hub import Connected
from hub.flow.reconcile import Comparison
from hub.sdk import Toolbox
from hub.store.certificates import CertificateView
from hub.testing import HelpdeskVendor
from tests.fakes.house import House


class Here(BaseAdapter):
    """Where the connector's session ends."""

    def __init__(self, answer: Callable[[requests.PreparedRequest], requests.Response]) -> None:
        super().__init__()
        self._answer = answer

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """In memory."""
        return self._answer(request)

    def close(self) -> None:
        """Nothing is open."""


class VendorHouse(House):
    """A hub between the fake network and a helpdesk in memory."""

    def __init__(self, url: str, vendor: HelpdeskVendor, sink: type, settings: dict[str, Any]) -> None:
        self.vendor, self.sink, self.settings = vendor, sink, settings
        super().__init__(url)

    def connected(self, name: str, connector: type, url: str) -> Connected:
        """The helpdesk is the vendor's."""
        if name != "desk":
            return super().connected(name, connector, url)
        sink: Any = self.sink
        config = Connection(name=name, connector=sink.name, mode="live")
        return Connected(config, sink, sink.Settings(**self.settings))

    def start(self) -> None:
        """As a house starts, with the way to the vendor."""
        self.vendor.now = self.clock  # type: ignore[method-assign]
        super().start()
        toolbox = self.hub.toolbox

        def with_vendor(name: str) -> Toolbox:
            made = toolbox(name)
            made.http.mount("https://", Here(self.vendor.answer))
            return made

        self.hub.toolbox = with_vendor  # type: ignore[method-assign]
        vars(self.hub._local).clear()  # the start may have made an instance, without that way

    def live(self, rounds: int = 60) -> None:
        """Let a minute go by."""
        for _ in range(rounds):
            self.step()
            self.clock.forward(1)

    def live_through(self) -> None:
        """A customer with two posts, an agent's answer and note, its proof, a status."""
        self.live(5)
        post = self.network.post("anna", "My parcel is late")
        self.live()
        self.network.post("anna", "Hello?", reply_to=post)
        self.live()
        (record,) = self.vendor.records()
        self.vendor.agent_answers(record.id, "It comes tomorrow")
        self.vendor.agent_answers(record.id, "It is lost", public=False)
        self.live()
        self.vendor.agent_sets_status(record.id, "solved")
        self.live()
        self.clock.forward(3600)

    def compare(self, *, repair: bool = False) -> CertificateView:
        """One whole comparison."""
        comparison = Comparison(self.hub, "desk", since=None, repair=repair)
        while comparison.left:
            self.clock.forward(comparison.pause())
            comparison.step()
        return comparison.finish()
