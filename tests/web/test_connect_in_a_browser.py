"""The walk of connecting in a real browser: no policy broken, nothing wider than a phone, all of it by the keyboard."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import Browser, ConsoleMessage, Page

from hub.catalogue import Catalogue
from hub.web import create_app, make_login_link
from tests.fakes.connectors import FakeSource
from tests.fakes.consenting import ConsentDesk, ConsentVendor
from tests.fakes.guided import GuidedHouse
from tests.web.desk import config_for
from tests.web.serving import serving
from tests.web.test_in_a_browser import chromium

__all__ = ["chromium"]

WORDS = {"en": ("Go to Consent desk", "One more choice"), "it": ("Vai a Consent desk", "Resta una scelta")}
CONTRAST = """
() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const one of document.querySelectorAll("main *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.offsetParent) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) weak.push(one.outerHTML.slice(0, 90));
  }
  return weak;
}
"""


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsentVendor]:
    """The vendor behind a real socket."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("HUB_SECRET_KEY", Fernet.generate_key().decode())
    made = ConsentVendor()
    with serving(made.app) as (host, port):
        made.url = f"http://{host}:{port}"  # type: ignore[attr-defined]
        yield made


def press(page: Page, name: str) -> None:
    """Come to a button by the Tab key, and press it by Enter."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == name:
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"the keyboard does not get to {name!r}")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "language", "scheme"), [(360, "it", "dark"), (1280, "en", "light"), (1280, "it", "light")]
)
def test_the_walk_in_a_browser(
    sqlite_url: str, vendor: ConsentVendor, tmp_path: Path, chromium: Browser, width: int, language: str, scheme: str
) -> None:
    """A person goes to the vendor's page by the keyboard, says yes there and comes back to a connection that works."""
    house = GuidedHouse(sqlite_url, vendor.url)  # type: ignore[attr-defined]
    house.clock.time = datetime.now(UTC)  # the vendor's answers carry the real time
    vendor.accounts = [{"id": "acme", "name": "Acme"}, {"id": "shop", "name": "Acme Shop"}]
    shots = Path(os.environ["HUB_TEST_SCREENSHOTS"]) if "HUB_TEST_SCREENSHOTS" in os.environ else tmp_path
    config = config_for(tmp_path)
    app = create_app(house.hub, config, Catalogue.of(FakeSource, ConsentDesk))
    with serving(app) as (host, port):
        here = f"http://{host}:{port}"
        house.hub.public_url = here
        object.__setattr__(config.hub, "public_url", here)
        vendor.client.redirect_urls.append(f"{here}/connect/callback")
        size = {"width": width, "height": 800}
        context = chromium.new_context(viewport=size, locale=language, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        complaints: list[str] = []

        def ours(told: ConsoleMessage) -> bool:
            return told.type == "error" and vendor.url not in told.location["url"]  # type: ignore[attr-defined]

        page.on("console", lambda told: complaints.append(told.text) if ours(told) else None)

        def look(name: str) -> None:
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.evaluate(CONTRAST) == [], name
            page.screenshot(path=shots / f"connect-{name}-{language}-{width}.png", full_page=True)

        page.goto(make_login_link(house.hub, here))
        page.click("button.main")
        page.goto(f"{here}/console/connections/desk/connect")
        look("start")
        page.locator("#reach ~ form button").first.click()
        page.wait_for_load_state()
        press(page, WORDS[language][0])
        page.wait_for_url(f"{vendor.url}/authorize**")  # type: ignore[attr-defined]
        page.click("button[value=yes]")
        page.wait_for_url(f"{here}/connect/end**")
        assert WORDS[language][1] in page.content()
        assert "code=" not in page.url
        look("end")
        page.click("main a.button")
        page.wait_for_url("**/console/connections/desk/connect")
        look("choose")
        page.click("input[value=shop]")
        page.click("form[action$='/choose'] button")
        page.wait_for_load_state()
        assert "shop (shop)" in page.content()
        page.click("button:has-text('manca'), button:has-text('missing')")
        page.wait_for_load_state()
        page.click("form:has(input[value=apply]) button")
        page.wait_for_load_state()
        look("done")
        page.goto(f"{here}/console/connections/desk/connect")
        page.click("section:has(#consent) summary")
        page.locator("form[action$='/link'] button").click()
        page.wait_for_load_state()
        link = page.locator("div[role=status] pre").inner_text()
        page.goto(link)
        look("link")
        context.close()
    house.close()
    assert complaints == []
