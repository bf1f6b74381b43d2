"""The ticket page tells of overwritten fields and of agents' commands in the reader's words."""

from __future__ import annotations

from hub.store import tickets, views
from tests.web.desk import Browser


def test_an_overwrite_and_a_command_can_be_read(browser: Browser) -> None:
    """Both values, whose rule, and what was done, in English and in Italian."""
    now = browser.house.clock()
    data = {"field": "priority", "ours": "high", "theirs": "low", "wins": "hub"}

    def happens(tx: object) -> None:
        tickets.add_event(tx, 1, "field_put_back", now=now, actor="desk", **data)  # type: ignore[arg-type]
        tickets.add_event(tx, 1, "category_changed", now=now, actor="Ada", old="delivery", category="billing")  # type: ignore[arg-type]

    browser.house.store.run(happens)
    with browser.house.store.read() as read:
        code = views.ticket_rows(read)[-1].code
    page = " ".join(browser.page(f"/console/tickets/{code}?lang=en").split())
    assert "The hub&#39;s value was put back" in page or "The hub's value was put back" in page
    assert "field: priority · in the hub: high · in the helpdesk: low · the rule says: hub" in page
    assert "before: delivery · category: billing" in page
    page = " ".join(browser.page(f"/console/tickets/{code}?lang=it").split())
    assert "campo: priorità · nell&#39;hub: alta · nell&#39;helpdesk: bassa · la regola dice: hub" in page
    assert "La categoria è stata cambiata" in page
