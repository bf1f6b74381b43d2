"""A house whose helpdesk is connected by consent."""

from __future__ import annotations

from hub.configuration import Connection
from hub.flow.hub import Connected
from tests.fakes.consenting import Client, ConsentDesk, ConsentSettings
from tests.fakes.house import House


class GuidedHouse(House):
    """As a house, with :class:`ConsentDesk` as its desk."""

    def __init__(self, url: str, vendor_url: str, **options: object) -> None:
        self.vendor_url = vendor_url
        super().__init__(url, desk=ConsentDesk, **options)  # type: ignore[arg-type]

    def connected(self, name: str, connector: type, url: str) -> Connected:
        """The desk's settings are its own."""
        if connector is not ConsentDesk:
            return super().connected(name, connector, url)
        settings = ConsentSettings(base_url=self.vendor_url, client_id="hub", client_secret=Client.client_secret)  # type: ignore[arg-type]
        return Connected(
            config=Connection(name=name, connector=ConsentDesk.name, mode=self.modes[name]),
            connector=ConsentDesk,
            settings=settings,
        )
