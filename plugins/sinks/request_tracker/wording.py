"""What agents read from the hub, in Italian and English."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from hub.sdk import Attachment, Identity, Proof, Quote, Said, TicketView

Language = Literal["it", "en"]

_LONGEST_QUOTE = 600
_MOST_QUOTES = 6
_RULE = "-" * 12

_SENTENCES: dict[str, tuple[str, str]] = {  # English, Italian
    "wrote": ("Written by {who} on {network}", "Scritto da {who} su {network}"),
    "now_of": (
        "The customer of this ticket is now {who} on {network}.",
        "Il cliente di questo ticket ora è {who} su {network}.",
    ),
    "company": ("We wrote on {network}, outside RT:", "Abbiamo scritto su {network}, fuori da RT:"),
    "where": ("Original: {permalink}", "Originale: {permalink}"),
    "quoted": ("{author} had written:", "{author} aveva scritto:"),
    "quoted_own": ("We had answered:", "Avevamo risposto:"),
    "files": ("Files not copied here:", "File non copiati qui:"),
    "to_everybody": (
        "Your reply (Reply, not Comment) will appear on {network} under the customer's post, readable by everybody.",
        "La tua risposta (Rispondi, non Commenta) apparirà su {network} sotto il post del cliente, leggibile da tutti.",
    ),
    "to_some": (
        "Your reply (Reply, not Comment) will appear on {network} under the customer's post, as visible as that post.",
        "La tua risposta (Rispondi, non Commenta) apparirà su {network} sotto il post del cliente, visibile quanto "
        "quel post.",
    ),
    "to_one": (
        "Your reply (Reply, not Comment) will reach the customer on {network} as a private message.",
        "La tua risposta (Rispondi, non Commenta) arriverà al cliente su {network} come messaggio privato.",
    ),
    "observe": (
        "When this ticket was opened the hub only watched (mode “observe”): replies are published only once that is "
        "changed.",
        "All'apertura di questo ticket l'hub si limitava a osservare (modalità “observe”): le risposte vengono "
        "pubblicate solo da quando la modalità cambia.",
    ),
    "draft": (
        "When this ticket was opened the hub kept replies as drafts in comments (mode “draft”): they are published "
        "only once that is changed.",
        "All'apertura di questo ticket l'hub teneva le risposte come bozze nei commenti (modalità “draft”): vengono "
        "pubblicate solo da quando la modalità cambia.",
    ),
    "limit": ("At most {limit} characters.", "Al massimo {limit} caratteri."),
    "deadline": ("Answer by {at} (UTC).", "Rispondere entro il {at} (UTC)."),
    "missing": ("Not known yet: {fields}.", "Non ancora noto: {fields}."),
    "published": ("Published on {network}{at}: {permalink}", "Pubblicato su {network}{at}: {permalink}"),
    "sent": ("Sent privately on {network}{at}: {permalink}", "Inviata in privato su {network}{at}: {permalink}"),
    "refused": (
        "NOT published on {network}: {reason}\nChange the text and reply again, or reach the customer another way.",
        "NON pubblicato su {network}: {reason}\nModifica il testo e rispondi di nuovo, o raggiungi il cliente in un "
        "altro modo.",
    ),
    "unknown": (
        "It is not known whether the reply appeared on {network} ({reason}). Look there before you send it again.",
        "Non è noto se la risposta sia apparsa su {network} ({reason}). Controlla lì prima di inviarla di nuovo.",
    ),
    "at": (" at {at} (UTC)", " il {at} (UTC)"),
}


def say(name: str, language: Language, **values: object) -> str:
    """One sentence in the agent's language."""
    return _SENTENCES[name][language == "it"].format(**values)


def label_of(ticket: TicketView, said: Said) -> str:
    """Who speaks, for a transaction's subject: RT shows our own account as its author."""
    who = "Social Care Hub" if said.author is None else said.author.label
    return f"{who} · {_title(ticket.network)}"


def message_text(
    ticket: TicketView, said: Said, language: Language, *, linked: Iterable[Attachment], opening: bool = False
) -> str:
    """A message of the record: who says what; below a line what the agent must know before typing. ``linked``: files
    that are not attached to it."""
    network = _title(ticket.network)
    text = said.text.strip() or "…"
    if said.by_company:
        text = f"{say('company', language, network=network)}\n\n{text}"
    origin: list[str] = []
    if said.author is not None and not said.by_company:
        origin.append(say("wrote", language, who=_named(said.author), network=network))
    if said.permalink:
        origin.append(say("where", language, permalink=said.permalink))
    below = ["\n".join(origin)] if origin else []
    files = [f"- {file.url}" + (f" ({file.alt_text})" if file.alt_text else "") for file in linked]
    if files:
        below.append("\n".join([say("files", language), *files]))
    below += [_quote(quote, language) for quote in said.context[-_MOST_QUOTES:]]
    if opening:
        below.append("\n".join(_before_typing(ticket, network, language)))
    return "\n\n".join([text, *([_RULE] if below else []), *below])


def proof_text(proof: Proof, network: str, language: Language) -> str:
    """Where an answer appeared, or why it did not and what to do."""
    at = say("at", language, at=f"{proof.at:%d.%m.%Y %H:%M}") if proof.at else ""
    reason = proof.reason or "?"
    name = "sent" if proof.state == "published" and proof.privacy == "direct" else proof.state
    return say(name, language, network=_title(network), permalink=proof.permalink, reason=reason, at=at)


def requester_text(person: Identity, language: Language) -> str:
    """Whose ticket it is from now on."""
    return say("now_of", language, who=_named(person), network=_title(person.network))


def _before_typing(ticket: TicketView, network: str, language: Language) -> list[str]:
    if ticket.mode in ("observe", "draft"):
        lines = [say(ticket.mode, language)]
    else:
        reach = {"public": "to_everybody", "direct": "to_one"}.get(ticket.privacy, "to_some")
        lines = [say(reach, language, network=network)]
    if ticket.answer_limit is not None:
        lines.append(say("limit", language, limit=ticket.answer_limit))
    if ticket.answer_by is not None:
        lines.append(say("deadline", language, at=f"{ticket.answer_by:%d.%m.%Y %H:%M}"))
    lines += [f"{name}: {value}" for name, value in ticket.fields.items()]
    if ticket.missing:
        lines.append(say("missing", language, fields=", ".join(ticket.missing)))
    return lines


def _named(person: Identity) -> str:
    return f"{person.label} (@{person.handle})" if person.handle and person.handle != person.label else person.label


def _quote(quote: Quote, language: Language) -> str:
    head = say("quoted_own", language) if quote.own else say("quoted", language, author=quote.author)
    text = quote.text.strip()
    if len(text) > _LONGEST_QUOTE:
        text = text[:_LONGEST_QUOTE].rstrip() + " […]"
    lines = [f"> {line}" for line in text.splitlines()]
    return "\n".join([head, *lines, *([quote.permalink] if quote.permalink else [])])


def _title(network: str) -> str:
    return network.capitalize()
