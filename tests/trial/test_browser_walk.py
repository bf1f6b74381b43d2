"""The whole way with a real browser: a customer posts, the ticket is in the helpdesk, the answer under the post."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
import requests

from tests.trial.conftest import RunningHub

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[dev]'")

WITHIN = 30_000
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
MORE_QUIET = ("--no-sandbox", "--disable-component-update", "--disable-sync")


def chromium() -> str:
    """The browser; a test run without one says so, CI must have one."""
    found = os.environ.get("HUB_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
    if not found:
        words = "no chromium here: install the package chromium, or name one in HUB_TEST_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    path = chromium()
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=[*QUIET, *MORE_QUIET])
        yield opened
        opened.close()


class Visitor:
    """Somebody in front of the page."""

    def __init__(self, page: playwright.Page) -> None:
        self.page = page
        page.set_default_timeout(WITHIN)

    def post(self, author: str, text: str, *, private: bool = False) -> None:
        self.page.get_by_label("Your name").fill(author)
        self.page.get_by_label("What do you write to the company?").fill(text)
        self.page.get_by_label("As a private message").set_checked(private)
        self.page.get_by_role("button", name="Post", exact=True).click()

    def open_record(self, subject: str) -> None:
        self.page.locator("#records").get_by_role("button").filter(has_text=subject).click()
        self.page.locator("#record .comment").filter(has_text=subject).first.wait_for()

    def answer(self, text: str, kind: str = "Public answer") -> None:
        self.page.get_by_role("radio", name=kind, exact=True).check()
        self.page.get_by_role("textbox", name="Your text").fill(text)
        self.page.get_by_role("button", name="Send").click()
        self.comment(text).wait_for()

    def comment(self, text: str) -> playwright.Locator:
        return self.page.locator("#record .comment").filter(has_text=text).first

    def mode(self, name: str) -> None:
        with self.page.expect_response("**/trial/api/mode"):
            self.page.get_by_role("radio", name=name, exact=True).check()

    def published(self, text: str) -> playwright.Locator:
        return self.page.locator("#threads .post.own").filter(has_text=text)

    def happened(self, text: str) -> playwright.Locator:
        return self.page.locator("#journeys li").filter(has_text=text)


@pytest.fixture
def visitor(browser: playwright.Browser, running_hub: RunningHub) -> Iterator[Visitor]:
    page = browser.new_page(viewport={"width": 1400, "height": 900}, locale="en-GB")
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(running_hub.url)
    yield Visitor(page)
    page.close()
    assert wrong == []


def test_an_answer_comes_back_under_the_post(visitor: Visitor) -> None:
    """A customer posts, the ticket appears in the helpdesk, the agent answers, the answer stands under the post."""
    visitor.post("Anna", "My parcel 4711 has not arrived")
    visitor.open_record("My parcel 4711 has not arrived")
    visitor.answer("It comes tomorrow, promised")
    visitor.published("It comes tomorrow, promised").wait_for()
    thread = visitor.page.locator("#threads .thread").filter(has_text="My parcel 4711 has not arrived")
    assert thread.locator(".post.own").count() == 1
    visitor.comment("Published on").wait_for()


def test_what_is_not_for_the_customer_never_appears(visitor: Visitor) -> None:
    """An internal note, an automation's public comment and an old note made public stay in the helpdesk."""
    visitor.post("Luca", "Why was I charged twice?")
    visitor.open_record("Why was I charged twice?")
    visitor.answer("NOTE he is a friend of the boss", "Internal note")
    visitor.answer("AUTOMATION we have closed your case", "As automation")
    visitor.happened("Not published: an automation wrote it").wait_for()
    visitor.comment("NOTE he is").get_by_role("button", name="Make this note public").click()
    visitor.happened("An old note was made public").wait_for()
    # The lane keeps its order: when this answer is out, whatever came before it would be out too.
    visitor.answer("We give the money back")
    visitor.published("We give the money back").wait_for()
    said = visitor.page.locator("#threads").inner_text()
    assert "NOTE" not in said
    assert "AUTOMATION" not in said


def test_a_draft_waits_for_the_agents_word(visitor: Visitor) -> None:
    """In draft mode an answer comes back as a note and is published when the agent adds the tag, not before."""
    visitor.post("Maya", "I cannot log in since noon")
    visitor.open_record("I cannot log in since noon")
    visitor.mode("Draft")
    visitor.answer("DRAFT please reset your password")
    visitor.happened("Draft, waits for sch-send").wait_for()
    how = "To publish it, use the macro “Send this draft” or add the tag sch-send"
    visitor.page.locator("#record .comment.internal").filter(has_text=how).wait_for()
    assert visitor.published("DRAFT please").count() == 0
    assert visitor.page.locator("#from").inner_text() == "This ticket: trial-mastodon, mode Draft"
    visitor.page.get_by_role("button", name="Publish the draft").click()
    visitor.published("DRAFT please reset your password").wait_for()
    visitor.mode("Live")


def test_observe_shows_and_says_nothing(visitor: Visitor) -> None:
    """In observe mode the hub shows what it would say; nothing reaches the network, also not later."""
    visitor.post("Tom", "The lamp arrived broken")
    visitor.open_record("The lamp arrived broken")
    visitor.mode("Observe")
    visitor.answer("OBSERVED we send another one")
    visitor.happened("Would be said: “OBSERVED we send another one”").wait_for()
    visitor.mode("Live")
    visitor.answer("The new lamp left today")
    visitor.published("The new lamp left today").wait_for()
    assert visitor.published("OBSERVED").count() == 0


def test_a_private_post_gets_a_private_answer(visitor: Visitor) -> None:
    """The answer to a private message is as private as the message."""
    visitor.post("Ines", "My number is 0171 555", private=True)
    visitor.open_record("My number is 0171 555")
    visitor.answer("Thank you, we call you")
    answer = visitor.published("Thank you, we call you")
    answer.wait_for()
    assert answer.get_by_text("private", exact=True).count() == 1


def test_edits_and_deletions_reach_the_helpdesk(visitor: Visitor) -> None:
    """What a customer changes or takes back is told to the agent."""
    visitor.post("Olga", "Wrong size: M")
    visitor.open_record("Wrong size: M")
    post = visitor.page.locator("#threads .post").filter(has_text="Wrong size: M")
    post.get_by_role("button", name="Edit").click()
    visitor.page.locator("#threads .writer textarea").fill("Wrong size: XXL")
    visitor.page.get_by_role("button", name="Save").click()
    visitor.comment("It now reads").wait_for()
    visitor.page.locator("#threads .post").filter(has_text="Wrong size: XXL").get_by_role(
        "button", name="Delete"
    ).click()
    visitor.comment("deleted this message").wait_for()


def test_texts_of_strangers_are_never_markup(visitor: Visitor) -> None:
    """A post with a script in it is shown as text in every pane."""
    visitor.post("<b>Eve</b>", "<img src=x onerror=alert(1)> is broken")
    visitor.open_record("is broken")
    assert visitor.page.locator("main img, main b").count() == 0


def test_a_telephone_shows_one_pane_and_no_sideways_scroll(
    browser: playwright.Browser, running_hub: RunningHub
) -> None:
    """At 360 pixels the tabs choose the pane, by keyboard too, and nothing is wider than the screen."""
    page = browser.new_page(viewport={"width": 360, "height": 740}, locale="it-IT")
    page.goto(running_hub.url + "?lang=it")
    page.get_by_role("tab", name="Rete").press("ArrowRight")
    page.get_by_role("radio", name="Bozza").wait_for(state="attached")
    assert page.locator("#hub").is_visible()
    assert not page.locator("#social").is_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    page.close()


def test_the_answer_form_says_what_will_happen(visitor: Visitor) -> None:
    """Only where an answer goes to the customer the form says so."""
    visitor.post("Rosa", "The kettle leaks")
    visitor.open_record("The kettle leaks")
    visitor.page.get_by_role("radio", name="Public answer", exact=True).check()
    told = visitor.page.locator("#kind-about")
    for mode, words in (("Observe", "is not published"), ("Draft", "comes back as a draft"), ("Live", "goes to the")):
        visitor.mode(mode)
        told.filter(has_text=words).wait_for()


def test_the_proof_can_be_looked_at(visitor: Visitor, browser: playwright.Browser) -> None:
    """The links of a post and of its answer open pages that show both, without any login."""
    visitor.post("Nino", "The zip is torn")
    visitor.open_record("The zip is torn")
    visitor.answer("We mend it for nothing")
    visitor.published("We mend it for nothing").wait_for()
    thread = visitor.page.locator("#threads .thread").filter(has_text="The zip is torn")
    links = [link.get_attribute("href") for link in thread.get_by_role("link").all()]
    assert len(links) == 2
    page = browser.new_page()
    for link in links:
        page.goto(link or "")
        page.get_by_text("The zip is torn").wait_for()
        page.get_by_text("We mend it for nothing").wait_for()
    page.close()


def test_many_posts_stay_inside_their_panes(visitor: Visitor, running_hub: RunningHub) -> None:
    """With forty posts the page is still about as high as the window: each pane scrolls for itself."""
    for number in range(40):
        body = {"author": f"Crowd {number % 5}", "text": f"Complaint number {number}, still no answer"}
        answer = requests.post(f"{running_hub.url}trial/api/post", json=body, timeout=20)
        assert answer.status_code == 200
    visitor.page.locator("#threads .post").filter(has_text="Complaint number 39").wait_for()
    assert visitor.page.locator("#threads .post").count() >= 40
    assert visitor.page.evaluate("() => document.documentElement.scrollHeight") < 900 + 200


def test_the_example_button_is_enough(visitor: Visitor) -> None:
    """One click on the example makes a post and a ticket."""
    before = visitor.page.locator("#records button").count()
    visitor.page.get_by_role("button", name="post an example complaint").click()
    visitor.page.locator("#records button").nth(before).wait_for()
