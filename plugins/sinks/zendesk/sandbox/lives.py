# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tickets become one: what a merge writes into both."""

from __future__ import annotations

from typing import Any

from plugins.sinks.zendesk.sandbox.account import Problem, invalid
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk

Json = dict[str, Any]

TAG = "closed_by_merge"


def merge(helpdesk: Helpdesk, given: Json, actor: Json) -> None:
    """Merge the tickets ``ids`` into the ticket ``id``. A comment that is not given is the sentence that the agents'
    screen proposes; both are private unless asked otherwise."""
    target = helpdesk.show(int(given["id"]))
    sources = [helpdesk.show(int(number)) for number in given["ids"]]
    if target["status"] in ("solved", "closed") or any(source["status"] == "closed" for source in sources):
        raise invalid("base", "Closed tickets cannot be merged, and nothing into a solved one")
    if any(source["id"] == target["id"] for source in sources):
        raise Problem(422, "RecordInvalid", "A ticket cannot be merged into itself")
    is_private = not all(ticket["is_public"] for ticket in (target, *sources))
    files = [
        file for source in sources for comment in helpdesk.comments(source["id"]) for file in comment["attachments"]
    ]
    told = {
        "body": given.get("target_comment") or _into(helpdesk, sources),
        "public": bool(given.get("target_comment_is_public")) and not is_private,
    }
    answer = helpdesk.update(target["id"], {"comment": told}, actor, via=_via([row["id"] for row in sources]))
    if files:
        audit = answer["audit"]
        audit["events"][0]["attachments"] = files
        helpdesk.state.put("audit", audit, parent=target["id"])
    for source in sources:
        sentence = f'This request was closed and merged into request #{target["id"]} "{target["subject"]}".'
        comment = {
            "body": given.get("source_comment") or sentence,
            "public": bool(given.get("source_comment_is_public")) and not is_private,
        }
        helpdesk.close(source["id"], actor, tag=TAG, comment=comment, via=_via([target["id"]]))
        event = {"target_ticket_id": str(target["id"])}
        helpdesk.changes.append(("merged", helpdesk.show(source["id"]) | {"event": event}))


def _into(helpdesk: Helpdesk, sources: list[Json]) -> str:
    if len(sources) > 1:
        numbers = ", ".join(f"#{row['id']}" for row in sources)
        return f"Requests {numbers} were closed and merged into this request."
    source = sources[0]
    last = helpdesk.comments(source["id"])[-1]["plain_body"]
    return (
        f'Request #{source["id"]} "{source["subject"]}" was closed and merged into this request. '
        f"Last comment in request #{source['id']}:\n\n{last}"
    )


def _via(ids: list[int]) -> Json:
    return {"channel": "system", "source": {"from": {"ticket_ids": ids}, "to": {}, "rel": "merge"}}
