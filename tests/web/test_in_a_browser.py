"""What only a browser can tell: nothing scrolls sideways, nothing breaks the policy, the keyboard gets there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, sync_playwright

from hub.store import views
from hub.web import make_login_link
from tests.fakes.house import House
from tests.web.desk import live_through
from tests.web.serving import serving

# Nothing but loopback: a browser left alone calls home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """The machine's own chromium, or the one HUB_TEST_CHROMIUM names."""
    path = os.environ.get("HUB_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine; set HUB_TEST_CHROMIUM to one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.mark.parametrize(("width", "language"), [(360, "it"), (1280, "en")])
def test_every_page_in_a_browser(house: House, app: Flask, chromium: Browser, width: int, language: str) -> None:
    """A person logs in by the link's button and walks through all pages: none is wider than the screen, none breaks
    the content policy, and the first stop of the keyboard is the way past the menu."""
    live_through(house)
    house.network.post("averyveryverylonghandlewithoutanyspaces@social.example", "Perché? " + "x" * 300)
    house.settle(seconds=6, most=15)
    with house.store.read() as read:
        codes = [row.code for row in views.ticket_rows(read)]
    with serving(app) as (host, port):
        page = chromium.new_context(viewport={"width": width, "height": 800}, locale=language).new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(make_login_link(house.hub, f"http://{host}:{port}"))
        page.click("button.main")
        page.wait_for_url("**/console/")
        paths = ["", "parked", "inbox", "inbox/1", "outbox", "outbox/1", "tickets", "audit", "connections/network"]
        for path in [*paths, *(f"tickets/{code}" for code in codes)]:
            page.goto(f"http://{host}:{port}/console/{path}")
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.className") == "skip", path
        assert page.evaluate("document.documentElement.lang") == language
        page.context.close()
    assert complaints == []
