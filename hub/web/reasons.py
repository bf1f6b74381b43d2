"""The sentences the flow writes down (reasons, alarms, errors), in the reader's language. What a vendor or its plugin
said stays in their words, in quotation marks."""

from __future__ import annotations

import re

from hub.flow import texts
from hub.web.translation import label, language, say

_DAY = r"(?P<moment>(?:on|today,|since) \d{4}-\d\d-\d\d)"
_ERRORS = "AuthenticationFailed|ConfigurationError|OutcomeUnknown|RateLimited|Refused|TemporaryFailure"

REASONS = {
    re.compile(pattern, re.DOTALL): key
    for pattern, key in (
        (r"observe mode: nothing is published", "why.observe_source"),
        (r"observe mode: nothing is written to this helpdesk", "why.observe_sink"),
        (r"draft: waits for the agent's word", "why.draft"),
        (r"a newer draft: .*", "why.newer_draft"),
        (r"folded into (?P<number>\d+)", "why.folded"),
        (r"tried again by hand", "why.retried"),
        (r"not for us", "why.not_for_us"),
        (r"written by an automatism \((?P<via>.*)\)", "why.automatic"),
        (r"written by the role (?P<role>.*)", "why.role"),
        (r"an internal note", "why.note"),
        (r"older than the link to this ticket", "why.older"),
        (r"written by another hub", "why.another_hub"),
        (r"an old internal note was made public.*", "why.made_public"),
        (r"fuse: more than (?P<number>\d+) automatic deliveries in an hour for one ticket", "why.fuse"),
        (r"unknown outcome: nobody can tell whether it arrived \((?P<why>.*)\)", "why.unknown"),
        (r"gave up after (?P<number>\d+) attempts: (?P<why>.*)", "why.gave_up"),
        (r"the hub never sent it", "why.never_sent"),
        (r"the delivery is (?P<state>\w+)", "why.state"),
        (r"already known", "why.known"),
        (r"our own comment", "why.own_comment"),
        (r"changed after it was first seen; what the customer was told stays", "why.changed"),
        (r"echo of our own answer", "why.echo"),
        (r"waiting for a delivery in flight", "why.in_flight"),
        (r"said in the native app", "why.native"),
        (r"not a record of ours", "why.not_ours"),
        (r"not published: (?P<why>.*)", "why.not_published"),
        (r"completed: (?P<number>\d+) events", "why.completed"),
    )
}
"""Why something did not happen, at a ticket."""

SENTENCES = {
    re.compile(pattern, re.DOTALL): key
    for pattern, key in (
        (r"another account answers under this name: it was (?P<old>.*), now it is (?P<new>.*)", "told.another_account"),
        (r"this machine's clock and the vendor's differ by (?P<number>-?\d+) s: set the clock", "told.clock"),
        (r"1 difference between hub and helpdesk: (?P<command>hub reconcile \S+(?: --all)?)", "told.difference"),
        (
            r"(?P<number>\d+) differences between hub and helpdesk: (?P<command>hub reconcile \S+(?: --all)?)",
            "told.differences",
        ),
        (
            r"(?P<first>.*) \(without our mark, answers there go nowhere: (?P<records>.*) and more\)",
            "told.not_ours_and_more",
        ),
        (r"(?P<first>.*) \(without our mark, answers there go nowhere: (?P<records>.*)\)", "told.not_ours"),
        (r"(?P<first>fuse: .* deliveries in an hour for one ticket) \((?P<ticket>\S+)\)", "told.of_ticket"),
        (
            r"fuse: more than (?P<number>\d+) commands in an hour for one ticket \((?P<ticket>\S+)\); "
            r"does a rule set the tags\?",
            "told.fuse_commands",
        ),
        (
            r"fuse: (?P<number>\d+) changes of category in an hour for one ticket \((?P<ticket>\S+)\); "
            r"do rules set it\?",
            "told.fuse_category",
        ),
        (r"(?P<name>[^;]+?) has ended and was not renewed: (?P<way>[^;]+)", "told.not_renewed"),
        (r"(?P<name>[^;]+?) ended on (?P<at>[\d-]+ [\d:]+) UTC: (?P<way>[^;]+)", "told.ended"),
        (r"(?P<name>[^;]+?) ends on (?P<at>[\d-]+ [\d:]+) UTC: (?P<way>[^;]+)", "told.ends"),
        (r"the vendor refused to renew its tokens: (?P<way>[^;]+)", "told.renewal_refused"),
        (r"connect again: (?P<command>hub connections connect \S+)", "told.connect_again"),
        (r"put a new one into its settings", "told.new_one"),
        (_DAY + r": (?P<vendor>.*)\. Instead: (?P<instead>.*) \((?P<source>\S+)\)", "told.retires_instead"),
        (_DAY + r": (?P<vendor>.*) \((?P<source>\S+)\)", "told.retires"),
        (r"on (?P<day>\d{4}-\d\d-\d\d)", "told.on_day"),
        (r"today, (?P<day>\d{4}-\d\d-\d\d)", "told.today"),
        (r"since (?P<day>\d{4}-\d\d-\d\d)", "told.since_day"),
        (r"its credentials went with the lost key: (?P<command>hub connections connect \S+)", "told.key_lost"),
        (
            r"the connection was removed, or connected by another consent, before this one was through; nothing was "
            r"kept",
            "told.overtaken",
        ),
        (r"the hub that runs does not have this connection yet", "told.not_running_yet"),
        (r"unexpected: (?P<name>\w+); the hub's log says more", "told.unexpected"),
        (r"(?P<name>.*) asks for no consent: its credentials are settings", "told.no_consent"),
        (r"removed", "told.removed"),
        (r"paused by (?P<name>.*)", "told.paused_by"),
        (r"no answer from the vendor \((?P<name>\w+)\)", "told.no_answer"),
        (r"the vendor asks to slow down \(429\)", "told.slow_down"),
        (r"is missing", "told.missing"),
        (r"the environment variable (?P<name>\S+) is not set", "told.env_not_set"),
        (r"the file (?P<name>.+) is empty", "told.file_empty"),
        (r"must be a text, in quotes", "told.must_be_text"),
        (r"must be a whole number, without quotes", "told.must_be_whole"),
        (r"must be true or false, without quotes", "told.must_be_bool"),
        (r"does not have the right form(?: \((?P<vendor>.*)\))?", "told.wrong_form"),
        (r"unknown key; did you mean \"(?P<name>.+)\"\?", "told.unknown_key_near"),
        (r"unknown key; known: (?P<names>.*)", "told.unknown_key"),
        (rf"(?P<error>{_ERRORS}): (?P<vendor>.*)", "told.error"),
    )
}
"""What an alarm, a pause or a failed step says."""

_PAUSED = {re.compile(r"(?P<name>\S+) is paused: (?P<why>.*)", re.DOTALL): "why.paused"}
"""The store's words."""
_OWN = {**REASONS, **_PAUSED, **SENTENCES}
_AGENTS = [
    (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*)", re.escape(text)), re.DOTALL), name)
    for name, both in texts.REASONS.items()
    for text in both.values()
]
"""What agents were told, in the hub's language, which need not be the reader's."""
_REWORDED = ("why.made_public", "why.paused", "told.error")
"""Those said in other words in English, too."""
LONGEST = 1000
"""What is longer is a vendor's: our sentences within sentences, repeated by it a thousand times, would end no page."""
_NEXT = re.compile(r"; (?=(?:on|today,|since) \d{4}-)")


def why(reason: str) -> str:
    """The reason in the reader's language when it is one of the hub's own, else as it was written."""
    return _own(reason) or reason


def told(text: str) -> str:
    """As :func:`why`; what is not the hub's own is in quotation marks."""
    return _own(text) or (say("told.quoted", text=text) if text else "")


def _own(text: str) -> str:
    """What the hub says, said in the reader's language; empty for the words of others."""
    if len(text) > LONGEST:
        return ""
    parts = _NEXT.split(text)
    if len(parts) == 1:
        whole = _one(text)
        if whole:
            return whole
        parts = text.split("; ")
    said = [_one(part) for part in parts]
    return "; ".join(said) if len(said) > 1 and all(said) else ""


def _one(text: str) -> str:
    for pattern, key in _OWN.items():
        found = pattern.fullmatch(text)
        if found is None:
            continue
        if language() == "en" and key not in _REWORDED:
            return text
        values = {name: value or "" for name, value in found.groupdict().items()}
        for name in ("why", "first", "way", "moment"):  # a sentence within the sentence
            if name in values:
                values[name] = why(values[name])
        for name in ("vendor", "instead"):
            if name in values:
                values[name] = told(values[name])
        for name in ("state", "error"):
            if name in values:
                values[name] = label(name, values[name])
        return say(key, **values)
    for pattern, name in _AGENTS:
        found = pattern.fullmatch(text)
        if found is not None:
            values = {each: _in_one_language(value) for each, value in found.groupdict().items()}
            return texts.reason(name, language(), **values)
    return ""


def _in_one_language(value: str) -> str:
    """The reader's part of ``card number / numero di carta``."""
    english, _, italian = value.partition(" / ")
    return italian if italian and language() == "it" else english if italian else value
