"""What the bundled connectors say of the hosts they call."""

from __future__ import annotations

import re
from pathlib import Path

from hub.catalogue import Catalogue
from hub.catalogue.reading import read_folder


def test_every_bundled_connector_names_the_hosts_it_calls() -> None:
    """By settings it has, and in words that can be read without running it."""
    catalogue = Catalogue.load()
    connectors = [*catalogue.sources.values(), *catalogue.sinks.values()]
    assert connectors
    for connector in connectors:
        assert connector.reaches, f"{connector.name} does not say whom it calls"
        named = {name for host in connector.reaches for name in re.findall(r"\{(\w+)\}", host)}
        assert named <= connector.Settings.model_fields.keys(), f"{connector.name}: {connector.reaches}"
    for plugin in catalogue.plugins:
        if plugin.side != "router":
            assert read_folder(Path(plugin.folder)).reaches == plugin.reaches
