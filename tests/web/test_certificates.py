"""The page of certificates: what differed, what it means, and the command that puts it right."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium

from hub.flow.comparing import KINDS
from hub.store import certificates
from hub.web import make_login_link
from hub.web.translation import LANGUAGES, texts
from tests.fakes.house import House
from tests.web.desk import Browser
from tests.web.serving import serving
from tests.web.test_in_a_browser import chromium

__all__ = ["chromium"]


def certify(house: House, *differences: dict[str, str], name: str = "desk", **more: Any) -> None:
    """A certificate as a comparison leaves it."""
    repaired = sum(bool(one.get("repaired")) for one in differences)
    values: dict[str, Any] = {
        "connection": name,
        "at": house.clock(),
        "since": house.clock() - timedelta(days=7),
        "records": 120,
        "comments": 640,
        "found": len(differences),
        "repaired": repaired,
        "differences": [{"kind": "", "comment": "", "detail": "", "repaired": "", **one} for one in differences],
        "ours": "a1" * 16,
        "theirs": "b2" * 16,
    }
    house.store.run(lambda tx: certificates.add(tx, values | more))


def difference(kind: str, **more: str) -> dict[str, str]:
    """One line."""
    return {"kind": kind, "ticket": "SCH-1", "record": "r1", **more}


def test_without_a_certificate_the_page_says_how_to_get_one(browser: Browser) -> None:
    """And a stranger sees nothing of it."""
    assert "No certificate yet" in browser.page("/console/certificates")
    assert Browser(browser.house, browser.app).get("/console/certificates").status_code in (302, 303, 401)


def test_two_sides_that_agree(browser: Browser) -> None:
    """Green, with the counts, and no command to repair."""
    certify(browser.house, ours="a1" * 16, theirs="a1" * 16)
    page = browser.page("/console/certificates")
    assert "both sides agree" in page
    assert "640" in page
    assert "They are the same: no comment that could be compared differs." in page
    assert "--repair" not in page
    assert "Left out:" not in page
    certify(browser.house, young=2)
    assert "Left out: 2." in browser.page("/console/certificates"), "what was too young to count is not kept silent"


def test_what_differs_what_it_means_and_how_to_repair_it(browser: Browser) -> None:
    """Each difference in words with its ticket; the command copies as it stands."""
    certify(browser.house, difference("comment_unknown", comment="c9"), difference("text_differs", repaired="yes"))
    page = browser.page("/console/certificates")
    assert "1 difference<" in page
    assert texts("en")["difference.comment_unknown"] in page
    assert texts("en")["difference_means.comment_unknown"] in page
    assert "hub reconcile desk --repair" in page
    assert re.search(r'href="/console/tickets/SCH-1"', page)
    certify(browser.house, difference("comment_gone"), whole=True, since=None)
    assert "hub reconcile desk --all --repair" in browser.page("/console/certificates")


def test_the_plot_has_a_bar_for_each_comparison(browser: Browser) -> None:
    """What is left and what was repaired, in proportion; never taller than the plot."""
    for number in range(5):
        at = browser.house.clock() + timedelta(days=number)
        certify(browser.house, *[difference("comment_unknown", repaired="yes" if number % 2 else "")] * number, at=at)
    page = browser.page("/console/certificates")
    assert page.count('class="ok"') == 5
    heights = [float(height) for height in re.findall(r'class="left" [^>]*height="([0-9.]+)"', page)]
    repaired = [float(height) for height in re.findall(r'class="repaired" x[^>]*height="([0-9.]+)"', page)]
    assert heights == [45.0, 90.0]
    assert repaired == [22.5, 67.5]


def test_every_helpdesk_has_its_own_part(browser: Browser) -> None:
    """One does not hide the other."""
    certify(browser.house)
    certify(browser.house, difference("fields_differ", detail="status (open here, solved there)"), name="other")
    page = browser.page("/console/certificates")
    assert page.count('class="plot"') == 2
    assert "status (open here, solved there)" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_difference_has_its_words(language: str) -> None:
    """In both languages, with what it means."""
    known = texts(language)
    assert [kind for kind in KINDS if f"difference.{kind}" not in known] == []
    assert [kind for kind in KINDS if f"difference_means.{kind}" not in known] == []


@pytest.mark.parametrize(("width", "language"), [(360, "it"), (1280, "en")])
def test_in_a_browser(browser: Browser, app: Flask, chromium: Chromium, width: int, language: str) -> None:
    """Not wider than the screen, within the content policy, the plot drawn."""
    house = browser.house
    for number in (0, 0, 3, 1, 0, 2):
        house.clock.forward(86400)
        certify(house, *[difference(kind, comment="c12") for kind in list(KINDS)[:number]])
    with serving(app) as (host, port):
        page = chromium.new_context(viewport={"width": width, "height": 900}, locale=language).new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(make_login_link(house.hub, f"http://{host}:{port}"))
        page.click("button.main")
        page.wait_for_url("**/console/")
        page.goto(f"http://{host}:{port}/console/certificates")
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.querySelector('.plot').getBoundingClientRect().height") > 40
        assert page.evaluate("document.querySelectorAll('.plot rect').length") == 9
        if folder := os.environ.get("HUB_TEST_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"certificates-{width}-{language}.png", full_page=True)
        page.context.close()
    assert complaints == []
