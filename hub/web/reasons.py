"""The reasons the flow writes down, in the reader's language. What a vendor said stays in the vendor's words."""

from __future__ import annotations

import re

from hub.web.translation import label, language, say

REASONS = {
    re.compile(pattern): key
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
    )
}


def why(reason: str) -> str:
    """The reason in the reader's language when it is one of the hub's own, else as it was written."""
    if language() == "en" and not reason.startswith("an old internal note"):
        return reason
    for pattern, key in REASONS.items():
        found = pattern.fullmatch(reason)
        if found:
            values = found.groupdict()
            if "why" in values:
                values["why"] = why(values["why"])
            if "state" in values:
                values["state"] = label("state", values["state"])
            return say(key, **values)
    return reason
