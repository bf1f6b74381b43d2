"""From nothing to the first answered customer, as a person goes: an empty folder, the console's page of connecting in a
real browser, consent on the Zendesk sandbox's own page, setup, mode live, a customer, an agent.

``HUB_TEST_SCREENSHOTS=docs/images`` writes the pictures of docs/connecting.md and docs/zendesk.md anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trial.newcomer import Company, wait_for
from tests.trial.test_browser_walk import MORE_QUIET, QUIET, chromium

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[dev]'")

CONNECT = "/console/connections/acme-zendesk/connect"
WIDE, PHONE = {"width": 1100, "height": 900}, {"width": 360, "height": 740}
TALL, KILOBYTES = 900, 150


class Operator:
    """The person in front of the console, who is Zendesk's administrator as well. Each walk is gone once."""

    def __init__(self, company: Company, page: playwright.Page, shots: Path) -> None:
        self.company, self.page, self.shots = company, page, shots
        self.complaints: list[str] = []
        self._connected = self._live = False
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def open_console(self) -> None:
        """The one-time link that `hub run` prints."""
        self.page.goto(self.company.login)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("heading", name="Overview").wait_for()

    def connect(self) -> None:
        """From a block with nothing but base_url to a connection that works; checks each step on the way."""
        if self._connected:
            return
        page, company = self.page, self.company
        self.open_console()
        self.look("connect-overview", page.locator("body"))
        page.get_by_role("listitem").get_by_role("link", name="acme-zendesk").click()
        page.get_by_role("heading", name="Settings that are still missing").wait_for()
        assert page.get_by_role("button", name="Go to Zendesk").count() == 0
        redirect = self.card("register").locator("pre").filter(has_text="/connect/callback").first.inner_text().strip()
        assert redirect == f"{company.address}/connect/callback"
        self.look("connect-guide", page.locator("main"))

        page.goto(self.link_for_a_colleague())
        page.get_by_text("For ask_write = true (next step) also write.").wait_for()
        assert page.get_by_role("button").filter(has_text="Zendesk").count() == 0
        page.goto(company.address + CONNECT)

        company.put_in_client(company.register_client(redirect))
        self.restart()
        page.reload()  # "Then go on here": who was logged in still is
        page.get_by_role("button", name="Test the address").click()
        self.card("reach").get_by_text("It leads to this hub").wait_for()

        self.ask_zendesk("Go to Zendesk", "Deny")
        page.get_by_text("The vendor's page was answered with no").wait_for()
        self.look("connect-denied", page.locator("main"))
        page.get_by_role("link", name="Go on in the console").click()
        self.card("consent").get_by_text("access_denied").wait_for()
        assert self.state_of("consent") == "look here"

        self.ask_zendesk("Go to Zendesk", "Allow")
        page.get_by_text("Done: it is connected.").wait_for()
        assert "code=" not in page.url
        self.look("connect-back", page.locator("main"))
        page.get_by_role("link", name="Go on in the console").click()
        self.card("consent").get_by_text("Connected: ").wait_for()

        page.get_by_role("button", name="Look what is missing").click()
        self.card("setup").get_by_text("view Social: drafts waiting").wait_for()
        assert self.card("setup").get_by_text("done", exact=True).count() == 0
        self.look("connect-plan", self.card("setup"))
        page.get_by_role("button", name="Do the hub's missing steps").click()
        self.card("setup").get_by_text("not on the form").first.wait_for()
        self.look("connect-setup", self.card("setup"))
        company.put_fields_on_form()
        page.get_by_role("button", name="Look what is missing").click()
        self.card("setup").get_by_text(re.compile(r"(\d+) of \1 done")).wait_for()
        page.get_by_role("button", name="Check now").click()
        page.get_by_role("status").filter(has_text="It works").wait_for()
        assert self.state_of("check") == "done"
        self.look("connect-check", self.card("check"))
        assert self.card("check").get_by_role("link", name="Change the mode").is_visible()
        self._connected = True

    def restart(self) -> None:
        """Ctrl-C and `hub run` again, when the browser has fetched the page's last picture."""
        self.page.wait_for_load_state("networkidle")
        self.company.stop()
        self.company.start()

    def ask_zendesk(self, button: str, decision: str) -> None:
        """Over to the vendor's page, and answer there."""
        page = self.page
        page.get_by_role("button", name=button).click()
        page.wait_for_url(f"{self.company.desk.base_url}/oauth/authorizations/new**")
        page.get_by_text("Social Care Hub wants to use this account").wait_for()
        if decision == "Deny":
            self.look("connect-vendor", page.locator("html"))
        page.get_by_role("button", name=decision).click()
        page.wait_for_url(f"{self.company.address}/connect/**")

    def go_live(self) -> None:
        """Both connections, in the console; then the network has been read once."""
        self.connect()
        if self._live:
            return
        self.mode("acme-zendesk", "live")
        self.mode("acme-mastodon", "live")
        self.page.goto(self.company.address + "/console/")
        self.look("connect-live", self.page.locator("main"))
        self._live = True

    def show_ticket(self, subject: str) -> None:
        """The ticket's story in the console."""
        self.page.goto(self.company.address + "/console/tickets")
        self.page.get_by_role("row").filter(has_text=subject).get_by_role("link").click()
        self.page.get_by_text("The answer was published").first.wait_for()
        self.look("connect-ticket", self.page.locator("ol.story"))

    def link_for_a_colleague(self) -> str:
        """The address to send to who holds the rights."""
        self.page.goto(self.company.address + CONNECT)
        self.unfold("consent")
        self.page.get_by_role("button", name="Make a link for a colleague").click()
        return str(self.card("consent").get_by_role("status").locator("pre").inner_text())

    def mode(self, connection: str, mode: str) -> None:
        """Set it, with the tick that says one knows what it means."""
        page = self.page
        page.goto(f"{self.company.address}/console/connections/{connection}")
        page.get_by_role("radio", name=mode).check()
        page.locator("input[name=sure]").check()
        page.get_by_role("button", name="Change the mode").click()
        page.get_by_role("radio", name=mode, checked=True).wait_for()

    def card(self, place: str) -> playwright.Locator:
        """One step of the page of connecting."""
        return self.page.locator("section.card").filter(has=self.page.locator(f"h2#{place}"))

    def unfold(self, place: str) -> None:
        """Open what a finished step keeps to itself."""
        for summary in self.card(place).locator("details.finished > summary").all():
            summary.click()

    def state_of(self, place: str) -> str:
        """The badge of a step."""
        return str(self.page.locator(f"h2#{place} .badge").inner_text())

    def fits(self) -> None:
        """Nothing on the page is wider than the window."""
        self.page.wait_for_load_state()
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.page.viewport_size["width"]

    def look(self, name: str, what: playwright.Locator) -> None:
        """A picture for the docs, of at most 900 pixels' height."""
        self.fits()
        path = self.shots / f"{name}.png"
        what.scroll_into_view_if_needed()
        box = what.evaluate("one => { const b = one.getBoundingClientRect(); return [b.x + scrollX, b.y + scrollY]; }")
        size = what.bounding_box()
        clip = {"x": box[0], "y": box[1], "width": size["width"], "height": min(size["height"], TALL)}
        self.page.screenshot(path=path, full_page=True, clip=clip)
        assert path.stat().st_size < KILOBYTES * 1000, name

    def _heard(self, told: playwright.ConsoleMessage) -> None:
        if told.type == "error" and not told.location["url"].startswith(self.company.desk.base_url):
            self.complaints.append(f"{told.text} {told.location['url']} on {self.page.url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    path = chromium()
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=[*QUIET, *MORE_QUIET])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def company(browser: playwright.Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    made = Company(tmp_path_factory.mktemp("company"))
    try:
        made.init()
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def operator(
    browser: playwright.Browser, company: Company, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    given = os.environ.get("HUB_TEST_SCREENSHOTS")
    shots = Path(given) if given else tmp_path_factory.mktemp("shots")
    context = browser.new_context(viewport=WIDE, locale="en-GB", color_scheme="light")
    made = Operator(company, context.new_page(), shots)
    yield made
    context.close()
    assert made.complaints == []


def test_from_nothing_to_the_first_answered_customer(operator: Operator, company: Company) -> None:
    """An empty folder becomes a hub with both accounts connected; a customer is answered under the post, with proof."""
    operator.go_live()
    post = company.network.post("Anna Rossi", "My parcel AB-123456 has not arrived, where is it?")
    ticket = company.ticket_about("My parcel AB-123456")
    assert (ticket.requester, ticket.group, ticket.priority) == ("Anna Rossi", "Logistics", "high")
    assert company.view("Social: to answer") == [ticket.id]
    link = next(one.permalink for one in company.network.posts() if one.id == post)
    wait_for("the address of the post", lambda: company.fields(ticket.id)["Customer's post"])
    assert company.fields(ticket.id)["Customer's post"] == link
    assert f"Posted on Mastodon: {link}" in ticket.comments[0].text
    assert "will appear on Mastodon under the customer's post, readable by everybody" in ticket.comments[0].text
    assert "Length limit: " in ticket.comments[0].text
    assert company.answers(post) == []
    company.comment(ticket.id, "It was held up and comes tomorrow, Anna.", public=True)
    answer = company.answered(post)
    assert "It was held up and comes tomorrow, Anna." in answer.text
    company.noted(ticket.id, answer.permalink)
    wait_for("the proof", lambda: company.fields(ticket.id)["Published answer"])
    assert company.fields(ticket.id)["Published answer"] == answer.permalink
    operator.page.goto(company.address + CONNECT)
    operator.card("check").get_by_text("delivered: a signed call came").wait_for()
    assert company.hub("connections", "setup", "acme-zendesk").returncode == 0
    operator.show_ticket("My parcel AB-123456")


def test_a_note_stays_inside(operator: Operator, company: Company) -> None:
    """What an agent writes as an internal note never appears, also not after the answer that follows it."""
    operator.go_live()
    post = company.network.post("Luca Bianchi", "Why was I charged twice?")
    ticket = company.ticket_about("Why was I charged twice?")
    company.comment(ticket.id, "NOTE he is a friend of the boss", public=False)
    company.comment(ticket.id, "You get it back within three days.", public=True)
    company.noted(ticket.id, company.answered(post).permalink)
    assert [one.text for one in company.answers(post) if "NOTE" in one.text] == []
    assert len(company.answers(post)) == 1


def test_a_draft_waits_for_the_macro(operator: Operator, company: Company) -> None:
    """In mode draft the answer is a note in the view of drafts; the macro "Send this draft" publishes it, once."""
    operator.go_live()
    operator.mode("acme-mastodon", "draft")
    post = company.network.post("Maya Verdi", "I cannot log in since noon")
    ticket = company.ticket_about("I cannot log in since noon")
    company.comment(ticket.id, "Please reset your password.", public=True)
    assert "sch-send" in company.noted(ticket.id, "Please reset your password.")
    wait_for("the draft in its view", lambda: ticket.id in company.view("Social: drafts waiting") or None)
    assert company.answers(post) == []
    company.desk.apply_macro(ticket.id, "Social care::Send this draft")
    company.noted(ticket.id, company.answered(post).permalink)
    assert len(company.answers(post)) == 1
    wait_for("nothing in the view", lambda: ticket.id not in company.view("Social: drafts waiting") or None)
    operator.mode("acme-mastodon", "live")


def test_the_wide_permission_is_taken_back(operator: Operator, company: Company) -> None:
    """After the setup the hub asks again without write: nothing is missing then, and customers are still answered."""
    operator.go_live()
    company.take_write_back()
    operator.restart()
    page = operator.page
    page.goto(company.address + CONNECT)
    operator.unfold("consent")
    page.get_by_role("button", name="Connect again at Zendesk").click()
    page.get_by_text("read tickets:write users:write webhooks:write macros:write.", exact=False).wait_for()
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("link", name="Go on in the console").click()
    with page.expect_navigation():
        page.get_by_role("button", name="Look what is missing").click()
    assert operator.card("setup").get_by_text(re.compile(r"(\d+) of \1 done")).is_visible()
    post = company.network.post("Ines Neri", "The lamp arrived broken, what now?")
    company.comment(company.ticket_about("The lamp arrived broken").id, "We send another one.", public=True)
    assert "We send another one." in company.answered(post).text


def test_the_same_in_italian_on_a_telephone(operator: Operator, company: Company, browser: playwright.Browser) -> None:
    """The page of connecting and a colleague's link speak Italian and fit a telephone; the link needs no login."""
    operator.connect()
    link = operator.link_for_a_colleague()
    context = browser.new_context(viewport=PHONE, locale="it-IT", color_scheme="light")
    phone = Operator(company, context.new_page(), operator.shots)
    page = phone.page
    page.goto(link)
    page.get_by_text("Come l'hub è registrato presso Zendesk").click()
    page.get_by_text("Un account per l'hub").wait_for()
    assert "hub connections setup" not in page.inner_text("main")
    assert "client_secret" not in page.inner_text("main")
    phone.look("connect-link-phone", page.locator("main"))
    page.get_by_role("button", name="Vai a Zendesk").click()
    page.wait_for_url(f"{company.desk.base_url}/oauth/authorizations/new**")
    page.get_by_role("button", name="Deny").click()
    page.get_by_text("Non è cambiato niente").wait_for()
    assert page.get_by_role("link", name="Continua nella console").count() == 0
    company.login = company.hub("login-link").stdout.strip().split()[-1]
    page.goto(company.login)
    page.get_by_role("button", name="Accedi").click()
    page.goto(company.address + CONNECT)
    page.get_by_role("heading", name="Funziona?").wait_for()
    phone.fits()
    assert phone.card("setup").get_by_text(re.compile(r"(\d+) di \1 fatti")).is_visible()
    context.close()
    assert phone.complaints == []
