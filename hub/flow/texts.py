"""What the hub itself says to agents, in Italian and English. Nothing here reaches a customer."""

from __future__ import annotations

NOTES = {
    "refused": {
        "en": "Your answer was NOT published on {network}: {reason}\nWhat you can do: {next_step}",
        "it": "La tua risposta NON è stata pubblicata su {network}: {reason}\nCosa puoi fare: {next_step}",
    },
    "draft": {
        "en": "Draft. This would be published on {network} as an answer to {to}:\n\n{text}\n\n"
        "To publish it, add the tag {tag}. To withdraw it, write a better one or leave it.",
        "it": "Bozza. Questo sarebbe pubblicato su {network} in risposta a {to}:\n\n{text}\n\n"
        "Per pubblicarla, aggiungi il tag {tag}. Per ritirarla, scrivine una migliore o lasciala.",
    },
    "draft_again": {
        "en": "Draft. It replaces the draft that was waiting. This would be published on {network} as an answer to "
        "{to}:\n\n{text}\n\nTo publish it, add the tag {tag}. To withdraw it, write a better one or leave it.",
        "it": "Bozza. Sostituisce la bozza in attesa. Questo sarebbe pubblicato su {network} in risposta a {to}:"
        "\n\n{text}\n\nPer pubblicarla, aggiungi il tag {tag}. Per ritirarla, scrivine una migliore o lasciala.",
    },
    "observed": {
        "en": "NOT published: the hub only watches this connection (observe). It would have said on {network} to {to}:"
        "\n\n{text}",
        "it": "NON pubblicata: per questo collegamento l'hub si limita a osservare (observe). Su {network} avrebbe "
        "detto a {to}:\n\n{text}",
    },
    "old_note_made_public": {
        "en": "An internal note was made public after it was written. It was NOT published on {network}. If the "
        "customer should read it, write it as a new public comment.",
        "it": "Una nota interna è stata resa pubblica in un secondo momento. NON è stata pubblicata su {network}. Se "
        "il cliente deve leggerla, scrivila come nuovo commento pubblico.",
    },
    "customer_edited": {
        "en": "The customer edited this message. It now reads:",
        "it": "Il cliente ha modificato questo messaggio. Ora dice:",
    },
    "customer_deleted": {
        "en": "The customer deleted this message on {network}:\n\n{text}",
        "it": "Il cliente ha cancellato questo messaggio su {network}:\n\n{text}",
    },
    "said_natively": {
        "en": "The company answered on {network} itself:",
        "it": "L'azienda ha risposto direttamente su {network}:",
    },
}

NEXT_STEPS = {
    "no_conversation": {
        "en": "The customer's post is gone. Contact the customer another way.",
        "it": "Il post del cliente non c'è più. Contatta il cliente in un altro modo.",
    },
    "window_closed": {
        "en": "The network allows an answer only within {hours} hours of the customer's last message. Wait until the "
        "customer writes again, or use another channel.",
        "it": "La rete consente di rispondere solo entro {hours} ore dall'ultimo messaggio del cliente. Attendi che il "
        "cliente scriva di nuovo o usa un altro canale.",
    },
    "personal_data": {
        "en": "Remove the personal data and write the answer again, or ask the customer for a private message.",
        "it": "Togli i dati personali e riscrivi la risposta, oppure chiedi al cliente un messaggio privato.",
    },
    "empty": {
        "en": "Write a text: pictures alone cannot be published.",
        "it": "Scrivi un testo: le sole immagini non possono essere pubblicate.",
    },
    "too_long": {
        "en": "Shorten the answer to at most {parts} messages of {length} characters.",
        "it": "Accorcia la risposta a non più di {parts} messaggi di {length} caratteri.",
    },
    "cannot_reply": {
        "en": "This connection cannot answer here. Use another channel.",
        "it": "Questo collegamento non può rispondere qui. Usa un altro canale.",
    },
    "vendor": {
        "en": "Read the reason, change the answer and write it again, or ask IT to look at the parked delivery.",
        "it": "Leggi il motivo, cambia la risposta e riscrivila, oppure chiedi all'IT di guardare la consegna ferma.",
    },
}

REASONS = {
    "no_conversation": {"en": "the post is no longer there", "it": "il post non c'è più"},
    "window_closed": {"en": "the time to answer is over", "it": "il tempo per rispondere è scaduto"},
    "personal_data": {
        "en": "it would show personal data ({what}) in public",
        "it": "mostrerebbe in pubblico dati personali ({what})",
    },
    "empty": {"en": "it holds no text", "it": "non contiene testo"},
    "too_long": {"en": "it is too long", "it": "è troppo lunga"},
    "cannot_reply": {
        "en": "the connection cannot answer such a message",
        "it": "il collegamento non può rispondere a un messaggio simile",
    },
}


def note(name: str, language: str, **values: object) -> str:
    """The note ``name`` in the agents' language (English when there is no such translation)."""
    return _pick(NOTES[name], language).format(**values)


def reason(name: str, language: str, **values: object) -> str:
    """Why something was not done."""
    return _pick(REASONS[name], language).format(**values)


def next_step(name: str, language: str, **values: object) -> str:
    """What the agent can do now."""
    return _pick(NEXT_STEPS[name], language).format(**values)


def _pick(translations: dict[str, str], language: str) -> str:
    return translations.get(language, translations["en"])
