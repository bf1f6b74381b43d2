"""How an answer reads on Mastodon: whom it addresses, and what its receipt is."""

from __future__ import annotations

import re
from typing import Any

from hub.sdk import EditReply, OutcomeUnknown, Receipt, Refused, Reply, ReplyLimits
from plugins.sources.mastodon.files import limits
from plugins.sources.mastodon.payloads import moment

# Where Mastodon sees a mention: not inside a word, so e-mail addresses are none (its Account::MENTION_RE).
_MENTION = re.compile(r"(?<![\w/=])@(\w(?:[\w.-]*\w)?(?:@\w(?:[\w.:-]*\w)?)?)")
_NARROW = ("followers", "direct")
MENTION_RESERVE = 32  # "@", a user name (a server allows its own users 30 characters) and a space


def reply_limits(instance: dict[str, Any]) -> ReplyLimits:
    """What an answer may hold, as the server says."""
    statuses = (instance.get("configuration") or {}).get("statuses") or {}
    return ReplyLimits(
        max_length=int(statuses.get("max_characters", 500)) - MENTION_RESERVE,
        url_length=int(statuses.get("characters_reserved_per_url", 23)),
        **limits(instance),
    )


def posted_text(reply: Reply) -> str:
    """The text to publish: the customer's name first (that is what notifies them, and what lets them read a private
    post at all), unless it is in the text already. Raises ``Refused`` when a private answer would reach nobody."""
    acct = str(reply.answer_with.get("acct") or reply.to.handle).lstrip("@")
    if not acct and reply.privacy == "direct":
        raise Refused("a private answer on Mastodon needs the customer's handle, and it is not known")
    return _compose(reply.text, acct, reply.to.handle, private=reply.privacy in _NARROW)


def addressed(edit: EditReply, published: dict[str, Any]) -> str:
    """The new text with the name the published reply was addressed to."""
    mentions = published.get("mentions") or []
    answered = [mention for mention in mentions if mention["id"] == published.get("in_reply_to_account_id")]
    acct = edit.answer_with.get("acct") or next((mention["acct"] for mention in [*answered, *mentions]), "")
    return _compose(edit.text, str(acct), "", private=published["visibility"] not in {"public", "unlisted"})


def receipt(status: dict[str, Any]) -> Receipt:
    """The proof of a published post."""
    try:
        return Receipt(
            vendor_id=status["id"],
            permalink=status.get("url") or status.get("uri") or "",
            at=moment(status.get("edited_at") or status["created_at"]),
            version=status.get("edited_at") or "",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise OutcomeUnknown("the server accepted the request and its answer is not a post") from error


def _compose(text: str, acct: str, handle: str, *, private: bool) -> str:
    names = {name.lower() for name in (acct, handle.lstrip("@")) if name}
    if private:
        # On Mastodon whoever is named in a private post may read it: an agent who writes "ask @warehouse" would
        # show the customer's case to a stranger. A zero-width space keeps the words and takes away the mention.
        text = _MENTION.sub(lambda name: name[0] if name[1].lower() in names else "@\u200b" + name[0][1:], text)
    named = {name[1].lower() for name in _MENTION.finditer(text)}
    text = text if not acct or names & named else f"@{acct} {text}"
    return text.strip()
