"""What the hub itself says to agents, in Italian and English. Nothing here reaches a customer."""

from __future__ import annotations

NOTES = {
    "refused": {
        "en": "Your answer was NOT published on {network}: {reason}\nWhat you can do: {next_step}",
        "it": "La tua risposta NON è stata pubblicata su {network}: {reason}\nCosa puoi fare: {next_step}",
    },
    "late": {
        "en": "NOT on {network} yet: {reason}. Your answer is kept and goes out by itself as soon as it can; there is "
        "nothing to type again. Another note says when it is published.",
        "it": "NON ancora su {network}: {reason}. La tua risposta è conservata ed esce da sola appena possibile; non "
        "c'è nulla da riscrivere. Un'altra nota dirà quando è pubblicata.",
    },
    "late_removed": {
        "en": "NOT on {network}: {reason}. Your answer does not go out: reach the customer there by hand.",
        "it": "NON su {network}: {reason}. La tua risposta non esce: raggiungi lì il cliente a mano.",
    },
    "draft": {
        "en": "Draft. This would be published on {network} as an answer to {to}:\n\n{text}\n\n"
        "To publish it, use the macro “{macro}” or add the tag {tag}. To withdraw it, write a better one or leave "
        "it.",
        "it": "Bozza. Questo sarebbe pubblicato su {network} in risposta a {to}:\n\n{text}\n\n"
        "Per pubblicarla, usa la macro «{macro}» o aggiungi il tag {tag}. Per ritirarla, scrivine una migliore o "
        "lasciala.",
    },
    "draft_copy": {
        "en": "Many copies of one answer went out already; networks take more of them for spam. This one waits, for "
        "{to} on {network}:\n\n{text}\n\nTo publish it, use the macro “{macro}” or add the tag {tag}.",
        "it": "Sono già uscite molte copie di una stessa risposta; le reti prendono le altre per spam. Questa attende, "
        "per {to} su {network}:\n\n{text}\n\nPer pubblicarla, usa la macro «{macro}» o aggiungi il tag {tag}.",
    },
    "draft_again": {
        "en": "Draft. It replaces the draft that was waiting. This would be published on {network} as an answer to "
        "{to}:\n\n{text}\n\nTo publish it, use the macro “{macro}” or add the tag {tag}. To withdraw it, write a "
        "better one or leave it.",
        "it": "Bozza. Sostituisce la bozza in attesa. Questo sarebbe pubblicato su {network} in risposta a {to}:"
        "\n\n{text}\n\nPer pubblicarla, usa la macro «{macro}» o aggiungi il tag {tag}. Per ritirarla, scrivine una "
        "migliore o lasciala.",
    },
    "observed": {
        "en": "NOT published: the hub only watches this connection (observe). It would have said on {network} to {to}:"
        "\n\n{text}",
        "it": "NON pubblicata: per questo collegamento l'hub si limita a osservare (observe). Su {network} avrebbe "
        "detto a {to}:\n\n{text}",
    },
    "files_left": {
        "en": "Your answer goes out on {network} WITHOUT these files:\n{files}\nWhat you can do: {next_step}",
        "it": "La tua risposta esce su {network} SENZA questi file:\n{files}\nCosa puoi fare: {next_step}",
    },
    "would_carry": {"en": "With the files: {files}", "it": "Con i file: {files}"},
    "would_leave": {"en": "WITHOUT these files:\n{files}", "it": "SENZA questi file:\n{files}"},
    "old_note_made_public": {
        "en": "An internal note was made public after it was written. It was NOT published on {network}. If the "
        "customer should read it, write it as a new public comment.",
        "it": "Una nota interna è stata resa pubblica in un secondo momento. NON è stata pubblicata su {network}. Se "
        "il cliente deve leggerla, scrivila come nuovo commento pubblico.",
    },
    "found_late": {
        "en": "A public comment of {author} from {when} came to the hub only now. It was NOT published on {network}: "
        "it is more than a day old. If the customer should still read it, write it as a new public comment.",
        "it": "Un commento pubblico di {author} del {when} è arrivato all'hub solo ora. NON è stato pubblicato su "
        "{network}, perché ha più di un giorno. Se il cliente deve ancora leggerlo, scrivilo come nuovo commento "
        "pubblico.",
    },
    "customer_edited": {
        "en": "The customer edited this message. It now reads:",
        "it": "Il cliente ha modificato questo messaggio. Ora dice:",
    },
    "customer_deleted": {
        "en": "The customer deleted this message on {network}:\n\n{text}",
        "it": "Il cliente ha cancellato questo messaggio su {network}:\n\n{text}",
    },
    "redacted_but_published": {
        "en": "Your comment was redacted. What was published from it on {network} can still be read: {where}\nIf it "
        "must go there too, delete it there by hand.",
        "it": "Il tuo commento è stato oscurato. Quello che ne è stato pubblicato su {network} si legge ancora: {where}"
        "\nSe deve sparire anche di là, cancellalo di là a mano.",
    },
    "redact_by_hand": {
        "en": "A message of this ticket was redacted in the hub while its words were on their way here. This helpdesk "
        "lets only a person remove them: {comments}",
        "it": "Un messaggio di questo ticket è stato oscurato nell'hub mentre le sue parole stavano arrivando qui. "
        "Questo helpdesk le fa togliere solo a una persona: {comments}",
    },
    "edited_after_redaction": {
        "en": "The customer edited a message that had been redacted. The new words are not shown here, for they may "
        "bring the old ones back. On {network} they are here: {where}",
        "it": "Il cliente ha modificato un messaggio che era stato oscurato. Il nuovo testo non è riportato qui, "
        "perché potrebbe contenere ancora il vecchio. Su {network} è qui: {where}",
    },
    "said_natively": {
        "en": "The company answered on {network} itself:",
        "it": "L'azienda ha risposto direttamente su {network}:",
    },
    "customer_wrote_again": {
        "en": "The customer wrote again where you said that this is not for us. It stays solved; to work on it, add"
        " the tag {tag}.",
        "it": "Il cliente ha scritto di nuovo dove hai indicato che non è per noi. Resta risolto; per lavorarci "
        "aggiungi il tag {tag}.",
    },
    "command_accepted_already": {
        "en": "Accepted already: nothing changed.",
        "it": "Già preso in carico: non è cambiato nulla.",
    },
    "command_not_ours_already": {
        "en": "Marked as not for us already: nothing changed.",
        "it": "Già segnato come non per noi: non è cambiato nulla.",
    },
    "command_no_such_category": {
        "en": "There is no category “{category}”: nothing changed. Tags for those there are: {tags}",
        "it": "Non c'è una categoria «{category}»: non è cambiato nulla. I tag di quelle che ci sono: {tags}",
    },
    "command_category_already": {
        "en": "The category is {category} already: nothing changed.",
        "it": "La categoria è già {category}: non è cambiato nulla.",
    },
    "command_category_changed": {
        "en": "Category: {category}. Team: {team}.",
        "it": "Categoria: {category}. Gruppo: {team}.",
    },
    "command_other_helpdesk": {
        "en": "The team {team} works in another helpdesk ({sink}). This record stays with its team: pass it on "
        "there by hand.",
        "it": "Il gruppo {team} lavora in un altro helpdesk ({sink}). Questa richiesta resta al suo gruppo: passala"
        " di là a mano.",
    },
    "command_missing": {
        "en": "Still missing from the customer: {fields}",
        "it": "Mancano ancora dal cliente: {fields}",
    },
    "command_nothing_missing": {
        "en": "Nothing is missing: there is nothing to ask.",
        "it": "Non manca nulla: non c'è niente da chiedere.",
    },
    "command_asks_nothing": {
        "en": "Automatic messages are stopped for this request, so the hub asks nothing. Still missing: {fields}",
        "it": "Gli automatismi sono fermi per questa richiesta, quindi l'hub non chiede nulla. Mancano ancora: "
        "{fields}",
    },
    "command_not_joined": {
        "en": "This account is not joined with any other: nothing to undo.",
        "it": "Questo profilo non è unito a nessun altro: non c'è nulla da annullare.",
    },
    "command_parted": {
        "en": "Parted: {person} and {owner} are different customers again. What {person} wrote here stays readable. "
        "Answers here go only to {owner}; the next message of {person} becomes a request of its own.",
        "it": "Separati: {person} e {owner} sono di nuovo clienti diversi. Quello che {person} ha scritto qui resta "
        "leggibile. Le risposte da qui vanno solo a {owner}; il prossimo messaggio di {person} diventa una richiesta a "
        "sé.",
    },
    "person_proposed": {
        "en": "Perhaps one customer: {person}, who writes here, and {other} on {network} {same}. The last request of "
        "{other}: {code}.\nIf it is the same person, use the macro “{macro}” or add the tag {tag}: the hub then takes "
        "both accounts for one customer. If not, do nothing: the hub does not ask again.\nNobody has checked that the "
        "address or number is theirs: join only who you know to be one, for an answer then goes to whoever wrote last.",
        "it": "Forse è lo stesso cliente: {person}, che scrive qui, e {other} su {network} {same}. L'ultima richiesta "
        "di {other}: {code}.\nSe è la stessa persona, usa la macro «{macro}» o aggiungi il tag {tag}: l'hub considera "
        "allora i due profili un solo cliente. Altrimenti non fare nulla: l'hub non lo chiede più.\nNessuno ha "
        "verificato che l'indirizzo o il numero sia suo: unisci solo chi sai essere lo stesso, perché poi la risposta "
        "va a chi ha scritto per ultimo.",
    },
    "command_nothing_proposed": {
        "en": "The hub has proposed no other account for this request: nothing was joined.",
        "it": "Per questa richiesta l'hub non ha proposto nessun altro profilo: non è stato unito nulla.",
    },
    "command_same_already": {
        "en": "{person} and {other} are one customer already: nothing changed.",
        "it": "{person} e {other} sono già lo stesso cliente: non è cambiato nulla.",
    },
    "command_joined": {
        "en": "Joined: {person} on {network} and {other} on {other_network} are one customer from now on. “{macro}” "
        "takes it back.",
        "it": "Uniti: {person} su {network} e {other} su {other_network} d'ora in poi sono un solo cliente. «{macro}» "
        "lo annulla.",
    },
    "command_joined_more": {
        "en": "The hub proposed {number} more for this request. If they are right too, give the command again.",
        "it": "Per questa richiesta l'hub ne ha proposti altri {number}. Se anche quelli sono giusti, ripeti il "
        "comando.",
    },
    "command_draft_first": {
        "en": "The answer is still a draft. Send it first with the tag {tag}, then publish it to all.",
        "it": "La risposta è ancora una bozza. Prima inviala con il tag {tag}, poi pubblicala ovunque.",
    },
    "command_no_answer": {
        "en": "There is no published answer yet: write one first, then publish it to all.",
        "it": "Non c'è ancora una risposta pubblicata: scrivine una, poi pubblicala ovunque.",
    },
    "command_no_other": {
        "en": "Nothing more to publish: no other post of the customer in this request is without this answer.",
        "it": "Non c'è altro da pubblicare: nessun altro post del cliente in questa richiesta è senza questa risposta.",
    },
    "command_copies": {
        "en": "The last answer goes out to {number} more post(s) of the customer, one after the other.",
        "it": "L'ultima risposta esce anche sotto altri {number} post del cliente, uno dopo l'altro.",
    },
    "command_too_many": {
        "en": "{number} more posts were left out: at most {most} at a time. Give the command again for the rest.",
        "it": "Altri {number} post sono rimasti fuori: al massimo {most} per volta. Ripeti il comando per i restanti.",
    },
    "command_copy_refused": {
        "en": "Not published under {number} post(s): {reason}",
        "it": "Non pubblicata sotto {number} post: {reason}",
    },
    "command_stopped_already": {
        "en": "Automatic messages are stopped already: nothing changed.",
        "it": "Gli automatismi sono già fermi: non è cambiato nulla.",
    },
    "command_no_draft": {
        "en": "No draft waits: nothing was published.",
        "it": "Nessuna bozza in attesa: non è stato pubblicato nulla.",
    },
}

NEXT_STEPS = {
    "parted": {
        "en": "If {owner} should read it, write it again here: it then goes to {owner} only.",
        "it": "Se deve leggerla {owner}, riscrivila qui: allora va solo a {owner}.",
    },
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
        "en": "Write a text: an empty answer cannot be published.",
        "it": "Scrivi un testo: una risposta vuota non può essere pubblicata.",
    },
    "files": {
        "en": "Write in a new public comment where the customer finds the file, or send there one that fits.",
        "it": "Scrivi in un nuovo commento pubblico dove il cliente trova il file, o inviane lì uno adatto.",
    },
    "only_files": {
        "en": "Write a text that says where the customer finds the file, or send one that fits.",
        "it": "Scrivi un testo che dica dove il cliente trova il file, o inviane uno adatto.",
    },
    "too_long": {
        "en": "Shorten the answer to at most {parts} messages of {length} characters.",
        "it": "Accorcia la risposta a non più di {parts} messaggi di {length} caratteri.",
    },
    "cannot_reply": {
        "en": "This connection cannot answer here. Use another channel.",
        "it": "Questo collegamento non può rispondere qui. Usa un altro canale.",
    },
    "not_ours": {
        "en": "If it is for us after all, add the tag sch-accept and write the answer again.",
        "it": "Se invece è per noi, aggiungi il tag sch-accept e riscrivi la risposta.",
    },
    "vendor": {
        "en": "Read the reason, change the answer and write it again, or ask IT to look at the parked delivery.",
        "it": "Leggi il motivo, cambia la risposta e riscrivila, oppure chiedi all'IT di guardare la consegna ferma.",
    },
}

REASONS = {
    "parted": {
        "en": "it was for {person}, who is a different customer again",
        "it": "era per {person}, che è di nuovo un cliente diverso",
    },
    "same_email": {
        "en": "gave the same e-mail address ({data})",
        "it": "hanno dato lo stesso indirizzo e-mail ({data})",
    },
    "same_phone": {
        "en": "gave the same telephone number ({data})",
        "it": "hanno dato lo stesso numero di telefono ({data})",
    },
    "late_silent": {
        "en": "everything that the company says on networks is halted for now",
        "it": "tutto ciò che l'azienda dice sulle reti è fermo per ora",
    },
    "late_paused": {"en": "the connection is switched off for now", "it": "la connessione è spenta per ora"},
    "late_removed": {"en": "the connection was removed", "it": "la connessione è stata tolta"},
    "late_down": {"en": "the network takes nothing from us just now", "it": "la rete ora non accetta nulla da noi"},
    "no_conversation": {"en": "the post is no longer there", "it": "il post non c'è più"},
    "window_closed": {"en": "the time to answer is over", "it": "il tempo per rispondere è scaduto"},
    "personal_data": {
        "en": "it would show personal data ({what}) in public",
        "it": "mostrerebbe in pubblico dati personali ({what})",
    },
    "not_ours": {"en": "somebody said that this is not for us", "it": "qualcuno ha indicato che non è per noi"},
    "only_files": {
        "en": "it holds no text, and none of its files can go there:\n{files}",
        "it": "non contiene testo e nessuno dei suoi file può andare lì:\n{files}",
    },
    "file_none": {"en": "this connection sends no files", "it": "questo collegamento non invia file"},
    "file_type": {"en": "the type {type} is not taken there", "it": "il tipo {type} lì non è accettato"},
    "file_large": {"en": "{size} is too large, at most {most}", "it": "{size} è troppo grande, al massimo {most}"},
    "file_count": {
        "en": "one answer carries at most {most} files",
        "it": "una risposta porta al massimo {most} file",
    },
    "empty": {"en": "it holds no text", "it": "non contiene testo"},
    "too_long": {"en": "it is too long", "it": "è troppo lunga"},
    "cannot_reply": {
        "en": "the connection cannot answer such a message",
        "it": "il collegamento non può rispondere a un messaggio simile",
    },
}


def note(name: str, language: str, **values: object) -> str:
    """The note ``name`` in the agents' language (English when there is no such translation). A ``network`` gets a
    capital, as in the helpdesks' own texts."""
    if "network" in values:
        values["network"] = str(values["network"]).capitalize()
    return _pick(NOTES[name], language).format(**values)


def reason(name: str, language: str, **values: object) -> str:
    """Why something was not done, or why it is thought."""
    return _pick(REASONS[name], language).format(**values)


def next_step(name: str, language: str, **values: object) -> str:
    """What the agent can do now."""
    return _pick(NEXT_STEPS[name], language).format(**values)


def _pick(translations: dict[str, str], language: str) -> str:
    return translations.get(language, translations["en"])
