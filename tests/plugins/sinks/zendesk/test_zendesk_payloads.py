"""Vendor JSON -> values, settings, and texts for agents, without a server."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from zendesk_cases import ANNA, TOKEN, ticket, vendor_settings

import plugins.sinks.zendesk as plugin
from hub.sdk import Agent, Comment, CommentSeen, Proof, Said
from plugins.sinks.zendesk import payloads
from plugins.sinks.zendesk.redaction import blackened, is_black
from plugins.sinks.zendesk.settings import ZendeskSettings
from plugins.sinks.zendesk.ticket_fields import tag_of
from plugins.sinks.zendesk.wording import _TEXTS, comment_text, proof_text


def agent(user_id: str) -> Agent:
    """Everybody is an agent."""
    return Agent(id=user_id, role="agent")


def audit(*events: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One audit of a ticket."""
    return {"id": 1, "author_id": 5, "created_at": "2026-11-22T10:00:00Z", "events": list(events), **more}


def said(number: int = 1, **more: Any) -> dict[str, Any]:
    """A comment event."""
    return {"id": number, "type": "Comment", "public": True, "html_body": "<p>hi</p>", **more}


def only(audits: list[dict[str, Any]]) -> CommentSeen:
    """The one comment of these audits."""
    [seen] = payloads.comments_seen("7", audits, agent)
    return seen


@pytest.mark.parametrize(
    ("via", "automatic"),
    [
        ({"channel": "web"}, False),
        ({"channel": "api", "source": {"rel": None}}, False),
        ({"channel": "email", "source": {"rel": None}}, False),
        ({"channel": "web", "source": {"rel": "mobile"}}, False),
        ({"channel": "rule", "source": {"rel": "trigger"}}, True),
        ({"channel": "rule", "source": {"rel": "automation"}}, True),
        ({"channel": "system"}, True),
        ({"channel": "web", "source": {"rel": "merge"}}, True),
        ({"channel": "answer_bot_for_agents"}, True),
    ],
)
def test_who_is_human(via: dict[str, Any], automatic: bool) -> None:
    """What rules, merges and bots write is automatic, wherever the via stands; what people write is not."""
    assert only([audit(said(), via=via)]).comment.automatic is automatic
    assert only([audit(said(via=via), via={"channel": "web"})]).comment.automatic is automatic


def solved_by(problem: dict[str, Any], role: str, **event: Any) -> Comment:
    """What an incident's audit says when its problem 5 was solved, as far as ``problem`` tells."""
    told = [audit(said(**event), via={"channel": "system", "source": problem})]
    [seen] = payloads.comments_seen("7", told, lambda user: Agent(id=user, role=role), problem="5")
    return seen.comment


@pytest.mark.parametrize(
    ("problem", "role", "event", "copied_from"),
    [
        ({"rel": "problem", "from": {"ticket_id": 4}}, "agent", {}, "4"),
        ({"rel": "problem", "from": {}}, "admin", {}, "5"),
        ({"rel": "problem"}, "other:admin", {}, ""),
        ({"rel": "problem"}, "end-user", {}, ""),
        ({"rel": "problem"}, "system", {}, ""),
        ({"rel": "problem"}, "agent", {"via": {"channel": "rule", "source": {"rel": "trigger"}}}, ""),
        ({"rel": "tomorrow"}, "agent", {}, ""),
    ],
)
def test_a_copy_of_an_agents_words(problem: dict[str, Any], role: str, event: dict[str, Any], copied_from: str) -> None:
    """The problem it comes from is named by the via, else by the ticket; of anybody but a person who may speak it is
    automatic, as is what the system writes for reasons we do not know."""
    comment = solved_by(problem, role, **event)
    assert (comment.copied_from, comment.automatic) == (copied_from, not copied_from)


def test_a_copy_is_not_our_own_word() -> None:
    """Our key in the audit that solved the problem does not make the copy an echo."""
    keyed = audit(
        said(), via={"channel": "system", "source": {"rel": "problem"}}, metadata={"custom": {"hub_key": "k"}}
    )
    [seen] = payloads.comments_seen("7", [keyed], agent, problem="5")
    assert (seen.comment.copied_from, seen.comment.origin) == ("5", "")


def test_a_triggers_comment_in_our_own_update_is_not_ours() -> None:
    """The audit bears our key, but the rule's comment inside it has no origin."""
    ours = audit(
        said(1),
        said(2, via={"channel": "rule", "source": {"rel": "trigger"}}),
        metadata={"custom": {payloads.KEY: "k1"}},
        via={"channel": "api"},
    )
    origins = [seen.comment.origin for seen in payloads.comments_seen("7", [ours], agent)]
    assert origins == ["k1", ""]


def test_a_privacy_change_is_told_whatever_the_event_shows() -> None:
    """The old comment event may show the visibility of then or of today: both give private first, then public."""
    change = audit({"id": 9, "type": "CommentPrivacyChange", "comment_id": 1, "public": True})
    for shown in (True, False):
        states = [s.comment.public for s in payloads.comments_seen("7", [audit(said(public=shown)), change], agent)]
        assert states == [False, True]


@pytest.mark.parametrize(("changes", "told"), [((False,), [False]), ((False, True), [False, True])])
def test_an_answer_made_internal_is_none(changes: tuple[bool, ...], told: list[bool]) -> None:
    """Taken back before it was read, it is never told as public; shown again, it is a note made public."""
    later = [audit({"id": 9, "type": "CommentPrivacyChange", "comment_id": 1, "public": one}) for one in changes]
    for shown in (True, False):
        seen = payloads.comments_seen("7", [audit(said(public=shown)), *later], agent)
        assert [one.comment.public for one in seen] == told


def test_a_merge_names_its_target() -> None:
    """A ticket closed by a merge says where the talk goes on."""
    text = "This request was closed and merged into request #42 “No parcel”."
    comments = [only([audit(said(html_body=text))])]
    assert payloads.merged_into({"tags": ["closed_by_merge"]}, comments) == "42"
    assert payloads.merged_into({"tags": []}, comments) == ""


def test_rich_text_and_attachments() -> None:
    """HTML becomes plain text, the HTML stays beside it, attachments keep type, name and size."""
    row = {"id": 3, "content_url": "https://x/1.jpg", "content_type": "image/jpeg", "file_name": "1.jpg", "size": 10}
    comment = only([audit(said(html_body="<p>One<br>two &amp; three</p>", attachments=[row, None, {}]))]).comment
    assert comment.text == "One\ntwo & three"
    assert comment.html == "<p>One<br>two &amp; three</p>"
    [attachment] = comment.attachments
    assert (attachment.kind, attachment.name, attachment.size, attachment.id) == ("image", "1.jpg", 10, "3")


def test_nulls_everywhere_are_survived() -> None:
    """Every property of the API may be null: the readers give empty values, not exceptions."""
    record = payloads.record_changed({"id": 1, "status": None, "tags": None, "updated_at": None}, agent, str)
    assert (record.record_id, record.status, record.priority, record.tags) == ("1", None, None, None)
    assert (record.category, record.problem) == (None, None)
    assert payloads.record_changed({"id": 1, "problem_id": None}, agent, str).problem == ""
    nothing = audit(said(html_body=None, public=None, attachments=None, via=None), metadata=None, via=None)
    comment = only([nothing]).comment
    assert (comment.text, comment.public, comment.automatic, comment.origin) == ("", False, False, "")
    assert payloads.comments_seen("7", [{"id": 1, "events": None}, {"events": [None, 3]}], agent) == []


def test_an_unknown_status_is_kept_beside() -> None:
    """A status of tomorrow is not guessed at."""
    record = payloads.record_changed({"id": 1, "status": "snoozed"}, agent, str)
    assert (record.status, record.vendor_status) == (None, "snoozed")


@pytest.mark.parametrize(
    ("more", "without", "words"),
    [
        ({"base_url": "https://help.acme.example"}, (), "either subdomain or base_url"),
        ({}, ("subdomain",), "either subdomain or base_url"),
        ({"oauth_token": "t"}, (), "exactly one of client_id"),
        ({}, ("api_token",), "exactly one of client_id"),
        ({}, ("email",), "api_token needs email"),
        ({"subdomain": "acme.zendesk.com"}, (), "subdomain"),
        ({"subdomain": "evil/../x"}, (), "subdomain"),
        ({"webhook_secrets": ["a", "b", "c"]}, (), "webhook_secrets"),
        ({"assign": "always"}, (), "assign"),
        ({"poll_every": 1}, (), "poll_every"),
        ({"poll_every": 11}, (), "poll_every must be at least 12"),
        ({"email": "nope"}, (), "must be an e-mail address"),
        ({"human_roles": ["agent", "end-user"]}, (), 'may only name "agent" and "admin"'),
        ({"human_roles": []}, (), 'may only name "agent" and "admin"'),
        ({"agent_langage": "it"}, (), "agent_langage"),
    ],
)
def test_settings_that_cannot_work_say_why(more: dict[str, Any], without: tuple[str, ...], words: str) -> None:
    """Each wrong combination is refused in words an operator understands, without the secret in them."""
    values = {name: value for name, value in vendor_settings(**more).items() if name not in without}
    with pytest.raises(ValidationError, match=words) as caught:
        ZendeskSettings(**values)
    assert TOKEN not in str(caught.value)


def test_every_sentence_exists_in_both_languages() -> None:
    """No agent reads a key error; both languages use the same blanks."""
    import string

    for name, texts in _TEXTS.items():
        assert set(texts) == {"it", "en"}, name
        blanks = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in texts.values()]
        assert blanks[0] == blanks[1], name


@pytest.mark.parametrize("language", ["it", "en"])
def test_agents_are_told_when_nothing_is_published(language: Any) -> None:
    """A connection that only watches says so in every ticket, and braces in a customer's text stay as they are."""
    text = comment_text(ticket("sch-1", mode="observe"), Said(text="{oops} {0}", author=ANNA), language, opening=True)
    assert text.startswith("{oops} {0}\n")
    assert "observe" in text
    assert {"en": "When this ticket was opened", "it": "All'apertura di questo ticket"}[language] in text
    draft = comment_text(ticket("sch-1", mode="draft"), Said(text="hi", author=ANNA), language, opening=True)
    assert "draft" in draft
    published = proof_text(
        Proof(state="published", permalink="https://x/1", at=datetime(2026, 1, 2, tzinfo=UTC)), "mastodon", language
    )
    assert "https://x/1" in published
    assert "02.01.2026" in published


@pytest.mark.parametrize(("language", "told"), [("it", "Inviata in privato su"), ("en", "Sent privately on")])
def test_a_private_answer_is_not_called_published(language: Any, told: str) -> None:
    """Whoever reads the note knows who can read the answer."""
    proof = Proof(state="published", privacy="direct", permalink="https://x/1")
    assert proof_text(proof, "mastodon", language) == f"{told} Mastodon: https://x/1"


def test_tags_have_no_blanks() -> None:
    """Zendesk would split a tag at a blank into two."""
    assert tag_of("Late Parcel, è tardi!") == "late_parcel_è_tardi"


def test_blackening_spares_the_markup() -> None:
    """Text is marked, tags stay, images and links are marked by attribute; black is recognised."""
    html, urls = blackened({"html_body": '<p>My <b>id</b> <img src="x"></p>', "attachments": [{"content_url": "u"}]})
    assert html == '<p><redact>My </redact><b><redact>id</redact></b> <img redact src="x"></p>'
    assert urls == ["u"]
    assert is_black({"plain_body": "▇▇ ▇▇!"})
    assert not is_black({"plain_body": "▇▇ 7"})


def test_every_file_says_its_licence() -> None:
    """zenpy is GPL-3.0, so this folder is; each file of it says so and the licence lies beside them."""
    folder = Path(str(plugin.__file__)).parent
    for path in folder.rglob("*.py"):
        assert path.read_text().startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n"), path
    assert "GNU GENERAL PUBLIC LICENSE" in (folder / "LICENSE").read_text()


def test_the_readmes_example_is_a_valid_configuration() -> None:
    """What the README shows works, with secrets put in."""
    text = (Path(str(plugin.__file__)).parent / "README.md").read_text()
    block = tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])["connections"]["acme-zendesk"]
    assert block.pop("connector") == "zendesk"
    block["client_secret"] = TOKEN
    for name in ("mode",):
        block.pop(name, None)
    assert ZendeskSettings(**block).origin == "https://acme.zendesk.com"


def test_a_redaction_is_told_once_more_and_each_further_one_again() -> None:
    """The comment's own key stays as it was, or a redaction would pass for what is known; the file is gone."""
    black = said(
        html_body="<p>my pin is \u2587\u2587</p>", attachments=[{"content_url": "u", "file_name": "redacted.txt"}]
    )
    redactions = [
        {"id": 8, "type": "CommentRedactionEvent", "comment_id": 1},
        {"id": 9, "type": "AttachmentRedactionEvent", "attachment_id": 4, "comment_id": "1"},
    ]
    seen = payloads.comments_seen("7", [audit(black, said(2)), audit(redactions[0])], agent)
    keys = ["comment:1:public", "comment:1:public:redacted:8", "comment:2:public"]
    assert [one.event_key for one in seen] == keys
    assert [one.comment.redacted for one in seen] == [True, True, False]
    assert [one.comment.attachments for one in seen[:2]] == [(), ()]
    again = payloads.comments_seen("7", [audit(black), *map(audit, redactions)], agent)
    assert [one.event_key for one in again] == ["comment:1:public", "comment:1:public:redacted:9"]


def test_a_note_made_public_and_redacted_keeps_its_order() -> None:
    """What it was first is told first: nobody publishes an old note because it was redacted."""
    change = {"id": 6, "type": "CommentPrivacyChange", "comment_id": 1, "public": True}
    redaction = {"id": 8, "type": "CommentRedactionEvent", "comment_id": 1}
    seen = payloads.comments_seen("7", [audit(said(public=False)), audit(change), audit(redaction)], agent)
    assert [one.event_key.removeprefix("comment:1:") for one in seen] == ["private", "public", "public:redacted:8"]
