# SPDX-License-Identifier: GPL-3.0-or-later
"""What agents read from the hub, in Italian and English."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from hub.sdk import Proof, Quote, Said, TicketView

Language = Literal["it", "en"]

_QUOTE_LENGTH = 600
_QUOTES = 6

_TEXTS: dict[str, dict[Language, str]] = {
    "posted": {"en": "Posted on {network}: {permalink}", "it": "Scritto su {network}: {permalink}"},
    "posted_nowhere": {"en": "Posted on {network}", "it": "Scritto su {network}"},
    "quote": {"en": "{author} had written:", "it": "{author} aveva scritto:"},
    "quote_own": {"en": "We had answered:", "it": "Avevamo risposto:"},
    "attachments": {"en": "Attached to the post:", "it": "Allegati al post:"},
    "not_copied": {
        "en": "(could not be copied here, open the link)",
        "it": "(non è stato possibile copiarlo qui, apri il link)",
    },
    "said_by": {"en": "{author} writes:", "it": "{author} scrive:"},
    "answer_public": {
        "en": "Your public comment will appear on {network} under the customer's post, readable by everybody.",
        "it": "Il tuo commento pubblico apparirà su {network} sotto il post del cliente, leggibile da tutti.",
    },
    "answer_restricted": {
        "en": "Your public comment will appear on {network} under the customer's post, as visible as that post.",
        "it": "Il tuo commento pubblico apparirà su {network} sotto il post del cliente, visibile quanto quel post.",
    },
    "answer_direct": {
        "en": "Your public comment will reach the customer on {network} as a private message.",
        "it": "Il tuo commento pubblico arriverà al cliente su {network} come messaggio privato.",
    },
    "observe": {
        "en": "When this ticket was opened the hub only watched (mode “observe”): answers are published only once that "
        "is changed.",
        "it": "All'apertura di questo ticket l'hub si limitava a osservare (modalità “observe”): le risposte vengono "
        "pubblicate solo da quando la modalità cambia.",
    },
    "draft": {
        "en": "When this ticket was opened answers waited as drafts (mode “draft”): your comment first comes back as "
        "an internal note, and the macro “Send this draft” publishes it.",
        "it": "All'apertura di questo ticket le risposte attendevano come bozze (modalità “draft”): il tuo commento "
        "torna prima come nota interna, e la macro “Invia la bozza” lo pubblica.",
    },
    "limit": {"en": "Length limit: {limit} characters.", "it": "Lunghezza massima: {limit} caratteri."},
    "deadline": {"en": "Answer by {at} (UTC).", "it": "Rispondere entro il {at} (UTC)."},
    "missing": {
        "en": "Not known yet: {fields}.",
        "it": "Non ancora noto: {fields}.",
    },
    "by_company": {
        "en": "Written by us on {network}, outside the helpdesk:",
        "it": "Scritto da noi su {network}, fuori dall'helpdesk:",
    },
    "published": {"en": "Published on {network}: {permalink}", "it": "Pubblicato su {network}: {permalink}"},
    "sent": {
        "en": "Sent privately on {network}: {permalink}",
        "it": "Inviata in privato su {network}: {permalink}",
    },
    "refused": {
        "en": "NOT published on {network}: {reason}\nChange the text and send a new public comment, or answer the "
        "customer another way.",
        "it": "NON pubblicato su {network}: {reason}\nModifica il testo e invia un nuovo commento pubblico, oppure "
        "rispondi al cliente in un altro modo.",
    },
    "unknown": {
        "en": "It is not known whether the answer appeared on {network} ({reason}). Please look there before you send "
        "it again.",
        "it": "Non è noto se la risposta sia apparsa su {network} ({reason}). Controlla lì prima di inviarla di nuovo.",
    },
    "at": {"en": " at {at} (UTC)", "it": " il {at} (UTC)"},
}


def say(name: str, language: Language, **values: object) -> str:
    """One sentence in the agent's language."""
    return _TEXTS[name][language].format(**values)


def comment_text(
    ticket: TicketView,
    said: Said,
    language: Language,
    *,
    opening: bool,
    links: Collection[str] = (),
    author: str = "",
) -> str:
    """A comment of a record: what was said, and below a line what the agent must know before typing an answer.

    ``links`` are the addresses of files that could not be copied; ``author`` is named where the record's author is not
    the one who wrote.
    """
    network = _title(ticket.network)
    head = say("by_company", language, network=network) + "\n\n" if said.by_company else ""
    if author:
        head = say("said_by", language, author=author) + "\n\n"
    below: list[str] = []
    if said.permalink or opening:
        name = "posted" if said.permalink else "posted_nowhere"
        below.append(say(name, language, network=network, permalink=said.permalink))
    if said.attachments:
        below.append(
            "\n".join(
                [
                    say("attachments", language),
                    *(
                        _attachment_line(one.url, one.alt_text)
                        + (" " + say("not_copied", language) if one.url in links else "")
                        for one in said.attachments
                    ),
                ]
            )
        )
    below += [_quote(quote, language) for quote in said.context[-_QUOTES:]]
    if opening:
        below.append("\n".join(_before_typing(ticket, network, language)))
    elif ticket.answer_by is not None and not said.by_company:  # each word of the customer may move it
        below.append(_deadline(ticket.answer_by, language))
    body = head + (said.text.strip() or "…")
    return body + ("\n\n────────\n" + "\n\n".join(below) if below else "")


def proof_text(proof: Proof, network: str, language: Language) -> str:
    """Where an answer appeared, or why it did not and what to do."""
    reason = proof.reason or "?"
    name = "sent" if proof.state == "published" and proof.privacy == "direct" else proof.state
    text = say(name, language, network=_title(network), permalink=proof.permalink, reason=reason)
    return text + (
        say("at", language, at=f"{proof.at:%d.%m.%Y %H:%M}") if proof.at and proof.state == "published" else ""
    )


def _before_typing(ticket: TicketView, network: str, language: Language) -> list[str]:
    where = {"public": "answer_public", "direct": "answer_direct"}.get(ticket.privacy, "answer_restricted")
    lines = [say(where, language, network=network)]
    if ticket.mode != "live":
        lines = [*(lines if ticket.mode == "draft" else ()), say(ticket.mode, language)]
    if ticket.answer_limit is not None:
        lines.append(say("limit", language, limit=ticket.answer_limit))
    if ticket.answer_by is not None:
        lines.append(_deadline(ticket.answer_by, language))
    lines += [f"{name}: {value}" for name, value in ticket.fields.items()]
    if ticket.missing:
        lines.append(say("missing", language, fields=", ".join(ticket.missing)))
    return lines


def _deadline(at: datetime, language: Language) -> str:
    return say("deadline", language, at=f"{at:%d.%m.%Y %H:%M}")


def _quote(quote: Quote, language: Language) -> str:
    head = say("quote_own", language) if quote.own else say("quote", language, author=quote.author)
    text = quote.text if len(quote.text) <= _QUOTE_LENGTH else quote.text[:_QUOTE_LENGTH].rstrip() + " […]"
    lines = [f"> {line}" for line in text.strip().splitlines()]
    return "\n".join([head, *lines, *([quote.permalink] if quote.permalink else [])])


def _attachment_line(url: str, alt_text: str) -> str:
    return f"- {url} ({alt_text})" if alt_text else f"- {url}"


def _title(network: str) -> str:
    return network.capitalize()
