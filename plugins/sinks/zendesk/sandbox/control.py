# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a sandbox has: accounts, faults, settings, counts, the agents' hands. Under ``/_sandbox``."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask, request

from plugins.sinks.zendesk.sandbox.account import Problem
from plugins.sinks.zendesk.sandbox.agents import set_availability
from plugins.sinks.zendesk.sandbox.faults import Faults
from plugins.sinks.zendesk.sandbox.helpdesk import Helpdesk
from plugins.sinks.zendesk.sandbox.limits import LIMITS, Calls
from plugins.sinks.zendesk.sandbox.lives import merge
from plugins.sinks.zendesk.sandbox.oauth import OAuth
from plugins.sinks.zendesk.sandbox.rules import apply_macro
from plugins.sinks.zendesk.sandbox.webhook import TROUBLES, WebhookSender

Json = dict[str, Any]

SETTINGS = {
    "rate_limit": "calls a minute of the whole account, 0: none",
    "endpoint_limits": "1: the limits of single endpoints count, with Zendesk's numbers",
    **{
        limit.setting: f"calls in {limit.seconds} s ({limit.default} at Zendesk), 0: Zendesk's or none"
        for limit in LIMITS
    },
    "job_limit": "jobs queued or running at once (30)",
    "job_delay": "seconds until a job begins (0.3)",
    "job_item_seconds": "seconds each item of a job takes (0)",
    "job_fails_after": "the next job ends as failed after so many items",
    "user_imports": "0: users/create_or_update_many is refused, as before Zendesk enables it",
    "withhold_newest_minute": "1: exports hold back the newest minute, as the real ones",
    "search_lag": "seconds until search finds what changed",
    "clock_ahead": "seconds the account's clock is ahead: tokens and uploads expire, windows pass",
    "access_lifetime": "seconds an OAuth access token lasts",
    "refresh_lifetime": "seconds a refresh token lasts",
    "api_tokens": "0: e-mail/token is refused, as after 2027-04-30",
    "upload_limit": "bytes of the largest file",
    "private_attachments": "1: files want credentials",
    "strict_fields": "1: unknown ticket fields are forgotten, as at Zendesk",
    "list_unset_fields": "1: new tickets tell every field of the account's own, as at Zendesk",
    "no_availability": "403 or 404: the account has no agent availability",
    **dict.fromkeys(TROUBLES, "see webhook.TROUBLES; 0: none"),
}
"""Numbers, all kept over a restart."""
_ZERO_COUNTS = ("api_tokens", "user_imports", "job_delay", "job_limit", "job_fails_after")


def add_control(
    app: Flask, helpdesk: Helpdesk, faults: Faults, calls: Calls, oauth: OAuth, sender: WebhookSender
) -> None:
    """Add the routes."""
    state = helpdesk.state

    @app.get("/_sandbox/ready")
    def ready() -> Json:
        return {"ready": True}

    @app.get("/_sandbox/accounts")
    def accounts() -> Json:
        return helpdesk.accounts()

    @app.post("/_sandbox/webhook")
    def webhook() -> Json:
        state.set("webhook:url", str(request.get_json()["url"]))
        return {"secret": state.setting("webhook:secret")}

    @app.get("/_sandbox/webhook")
    def webhooks_sent() -> Json:
        return {"sent": dict(sender.sent)}

    @app.post("/_sandbox/settings")
    def settings() -> Json | tuple[Json, int]:
        given = request.get_json()
        unknown = sorted(given.keys() - SETTINGS.keys())
        if unknown:
            return {"error": f"no such setting: {', '.join(unknown)}", "settings": SETTINGS}, 400
        for name, value in given.items():
            number = "" if value in ("", None) else f"{float(value):g}"
            state.set(name, "" if number == "0" and name not in _ZERO_COUNTS else number)
        sender_trouble()
        return {}

    @app.get("/_sandbox/settings")
    def settings_now() -> Json:
        return {name: state.setting(name) for name in SETTINGS}

    def sender_trouble() -> None:
        sender.trouble({name: state.number(name) for name in TROUBLES})

    if any(state.setting(name) for name in TROUBLES):
        sender_trouble()

    @app.get("/_sandbox/calls")
    def calls_so_far() -> Json:
        return calls.told()

    @app.delete("/_sandbox/calls")
    def clear_calls() -> Json:
        calls.clear()
        return {}

    @app.post("/_sandbox/faults")
    def add_fault() -> Json | tuple[Json, int]:
        try:
            faults.add(request.get_json())
        except (KeyError, ValueError) as error:
            return {"error": str(error)}, 400
        return {}

    @app.get("/_sandbox/faults")
    def waiting_faults() -> Json:
        return {"waiting": faults.waiting()}

    @app.delete("/_sandbox/faults")
    def clear_faults() -> Json:
        faults.clear()
        return {}

    @app.post("/_sandbox/oauth/client")
    def client() -> Json:
        """``redirect_uri``, and where wanted ``identifier``, ``name``, ``kind`` (confidential or public)."""
        wanted = {"identifier": "social_care_hub", "name": "Social Care Hub"} | request.get_json()
        made = oauth.save_client(wanted, helpdesk.user(int(state.setting("user:hub"))))
        return {name: made[name] for name in ("id", "identifier", "secret", "kind", "redirect_uri")}

    @app.post("/_sandbox/oauth/revoke")
    def revoke() -> Json:
        """Every token ends, as when an admin deletes them."""
        tokens = state.all("oauth_token")
        for token in tokens:
            oauth.revoke(token)
        return {"revoked": len(tokens)}

    _add_agents(app, helpdesk)
    _add_records(app, helpdesk)


def _add_agents(app: Flask, helpdesk: Helpdesk) -> None:
    state = helpdesk.state

    def acting(given: Json) -> Json:
        name = given.get("agent", "agent")
        if name not in helpdesk.accounts():
            raise Problem(404, "NoSuchAgent", f"there is no agent {name}")
        return helpdesk.user(int(helpdesk.accounts()[name]["id"]))

    @app.post("/_sandbox/agents")
    def add_agent() -> Json:
        """``key`` (its name in /_sandbox/accounts), ``name``, ``role``, ``groups`` (names): a further agent."""
        given = request.get_json()
        key = given["key"]
        if key in helpdesk.accounts():
            raise Problem(409, "AgentExists", f"there is an agent {key}")
        user = helpdesk.save_user(
            {
                "name": given.get("name", key),
                "email": f"{key}@sandbox.example",
                "role": given.get("role", "agent"),
                **({"custom_role_id": given["custom_role_id"]} if "custom_role_id" in given else {}),
            }
        )
        for group in state.all("group"):
            if group["name"] in given.get("groups", ()):
                helpdesk.join(user["id"], group["id"])
        state.set("staff", f"{state.setting('staff')} {key}".strip())
        state.set(f"user:{key}", str(user["id"]))
        state.set(f"token:{key}", secrets.token_hex(20))
        return dict(helpdesk.accounts()[key])

    @app.post("/_sandbox/agents/<int:user_id>/availability")
    def availability(user_id: int) -> Json:
        set_availability(helpdesk, helpdesk.user(user_id)["id"], request.get_json())
        return {}

    @app.post("/_sandbox/agent/apply_macro")
    def macro() -> Json:
        """``ticket_id``, ``macro_id`` or ``title``; ``agent`` names an account."""
        given = request.get_json()
        number = given.get("macro_id")
        if number is None:
            titles = {row["title"]: row["id"] for row in state.all("macro")}
            number = titles.get(given.get("title"), 0)
        answer = apply_macro(helpdesk, int(given["ticket_id"]), int(number), acting(given))
        events = answer["audit"]["events"] if answer["audit"] else []
        comment = next((event["id"] for event in events if event["type"] == "Comment"), None)
        return {"comment_id": comment, "status": answer["ticket"]["status"], "tags": answer["ticket"]["tags"]}

    @app.post("/_sandbox/agent/merge")
    def merge_now() -> Json:
        """``target``, ``sources``: at once, with the sentences that the agents' screen proposes."""
        given = request.get_json()
        merge(helpdesk, given | {"id": given["target"], "ids": given["sources"]}, acting(given))
        return {}

    @app.post("/_sandbox/agent/create")
    def create() -> Json:
        """``ticket``, ``channel`` (web): a ticket that a person made in Zendesk."""
        given = request.get_json()
        via = {"channel": given.get("channel", "web"), "source": {"from": {}, "to": {}, "rel": None}}
        return {"ticket_id": helpdesk.create(given["ticket"], acting(given), via=via)["ticket"]["id"]}

    @app.post("/_sandbox/agent/update")
    def update() -> Json:
        """``ticket_id``, ``ticket``: a change on the agents' screen, which the API's limits do not count."""
        given = request.get_json()
        via = {"channel": "web", "source": {"from": {}, "to": {}, "rel": None}}
        answer = helpdesk.update(int(given["ticket_id"]), given["ticket"], acting(given), via=via)
        events = answer["audit"]["events"] if answer["audit"] else []
        return {"comment_id": next((event["id"] for event in events if event["type"] == "Comment"), None)}

    @app.post("/_sandbox/tickets/<int:ticket_id>/trigger")
    def trigger(ticket_id: int) -> Json:
        given = request.get_json()
        event = helpdesk.trigger_comment(ticket_id, str(given["text"]), public=bool(given["public"]))
        return {"comment_id": event["id"]}

    @app.post("/_sandbox/tickets/<int:ticket_id>/comments/<int:comment_id>/make_public")
    def make_public(ticket_id: int, comment_id: int) -> Json:
        helpdesk.make_public(ticket_id, comment_id, acting({}))
        return {}


def _add_records(app: Flask, helpdesk: Helpdesk) -> None:
    @app.get("/_sandbox/records")
    def records() -> Json:
        limit = int(request.args.get("limit", 40))
        people = _Names(helpdesk)
        return {"records": [_record(row, helpdesk, people) for row in helpdesk.state.all("ticket", newest=limit)]}


class _Names:
    def __init__(self, helpdesk: Helpdesk) -> None:
        self._state = helpdesk.state
        self._users: dict[int, Json] = {-1: {"name": "Zendesk", "role": "system"}}

    def user(self, number: int) -> Json:
        if number not in self._users:
            self._users[number] = self._state.get("user", number) or {"name": "?", "role": ""}
        return self._users[number]


def _record(ticket: Json, helpdesk: Helpdesk, people: _Names) -> Json:
    group = helpdesk.state.get("group", ticket["group_id"]) if ticket["group_id"] else None
    comments = [
        {
            "id": comment["id"],
            "author": people.user(comment["author_id"])["name"],
            "role": people.user(comment["author_id"])["role"],
            "text": comment["plain_body"],
            "public": comment["public"],
            "created_at": comment["created_at"],
        }
        for comment in helpdesk.comments(ticket["id"])
    ]
    return {
        **{name: ticket[name] for name in ("id", "subject", "status", "created_at", "external_id", "priority", "tags")},
        "requester": people.user(ticket["requester_id"])["name"],
        "group": group["name"] if group else "",
        "comments": comments,
    }
