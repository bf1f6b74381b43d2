"""A browser of a few lines before a hub with fake vendors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.catalogue import Catalogue
from hub.configuration import Hub as HubBlock
from hub.configuration import HubConfig, Team, Teams
from hub.web import create_app, make_login_link
from tests.fakes.connectors import FakeSink, FakeSource
from tests.fakes.house import House

LATE = "My parcel is <b>late</b> & I am angry"


def config_for(folder: Path, **hub: Any) -> HubConfig:
    """The configuration of a hub that listens on the usual port."""
    teams = Teams(default_team="care", teams={"care": Team(name="care", sink="desk", group="Care")})
    return HubConfig(path=folder / "hub.toml", var_dir=folder / "var", teams=teams, hub=HubBlock(**hub))


def make_app(house: House, folder: Path, monkeypatch: Any, **hub: Any) -> Flask:
    """The web of the house's hub."""
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    return create_app(house.hub, config_for(folder, **hub), Catalogue.of(FakeSource, FakeSink))


class Browser:
    """Follows one console session."""

    def __init__(self, house: House, app: Flask) -> None:
        self.house, self.app = house, app
        self.client: FlaskClient = app.test_client()

    def log_in(self) -> None:
        """Through a fresh one-time link."""
        link = make_login_link(self.house.hub, "http://localhost")
        assert self.client.post(link.removeprefix("http://localhost")).status_code == 303

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, **options)

    def page(self, path: str) -> str:
        """A page that must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status)
        return answer.text

    def csrf(self) -> str:
        """What this session's forms carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.page("/console/"))
        assert found
        return found.group(1)

    def send(self, path: str, **fields: str) -> TestResponse:
        """Send a form of the console."""
        return self.client.post(path, data={"csrf": self.csrf(), **fields})


def live_through(house: House) -> None:
    """One complaint, one answer, one note, one look of everything."""
    house.settle(seconds=2, most=5)
    house.network.post("anna", LATE)
    house.settle(seconds=8, most=20)
    house.helpdesk.comment("r1", "Tomorrow it comes")
    house.helpdesk.comment("r1", "Between us: it is lost", public=False)
    house.settle(seconds=8, most=20)
