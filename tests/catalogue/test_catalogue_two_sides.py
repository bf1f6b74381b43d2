"""One connector name on both sides: two entry points, ``name.source`` and ``name.sink``."""

from __future__ import annotations

import pytest

from hub.catalogue import Catalogue
from hub.catalogue.contract import connector_name
from hub.configuration import ConfigurationProblems, Connection


def test_both_sides_of_one_name_are_found() -> None:
    """Metadata cannot hold one name twice, so each side has its suffix; the connectors have one name."""
    catalogue = Catalogue.load(only=["webhook"])
    assert catalogue.broken == []
    assert set(catalogue.sources) == set(catalogue.sinks) == {"webhook"}


def test_a_connection_says_which_side_it_means() -> None:
    """``source:webhook`` and ``sink:webhook`` are clear, the bare name is asked back."""
    catalogue = Catalogue.load(only=["webhook"])

    def connection(connector: str) -> Connection:
        return Connection(name="a", connector=connector, settings={})

    assert catalogue.side_of(connection("source:webhook")) == "source"
    assert catalogue.side_of(connection("sink:webhook")) == "sink"
    with pytest.raises(ConfigurationProblems, match="is a source and a sink; say which"):
        catalogue.side_of(connection("webhook"))


@pytest.mark.parametrize(
    ("entry_point", "name"),
    [("webhook.sink", "webhook"), ("webhook", "webhook"), ("acme.desk", "acme.desk"), ("sink", "sink")],
)
def test_only_a_side_is_a_suffix(entry_point: str, name: str) -> None:
    """Any other dot belongs to the name."""
    assert connector_name(entry_point) == name
