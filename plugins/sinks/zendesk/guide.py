# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person registers at Zendesk before the hub can connect, each permission with its reason, and texts for the
forms of data protection; in Italian and English."""

from __future__ import annotations

from typing import Literal

from hub.sdk import Guide, Guides, GuideStep, GuideText, Permission
from plugins.sinks.zendesk.access import EVERYDAY_SCOPES, SETUP_SCOPE
from plugins.sinks.zendesk.settings import ZendeskSettings

Language = Literal["it", "en"]


class ZendeskGuide(Guides):
    """The part of the connector that explains how to connect it."""

    settings: ZendeskSettings

    def guide(self, language: str, *, redirect_url: str, webhook_url: str) -> Guide:
        """Account, OAuth client, settings; scopes; texts to paste."""
        spoken: Language = "it" if language.replace("_", "-").partition("-")[0].casefold() == "it" else "en"
        addresses = {"{redirect}": redirect_url, "{webhook}": webhook_url or _NO_WEBHOOK[spoken]}
        wanted = (*EVERYDAY_SCOPES, SETUP_SCOPE) if self.settings.ask_write else EVERYDAY_SCOPES
        addresses["{scopes}"] = " ".join(wanted)
        addresses["{client}"] = self.settings.client_id or "social_care_hub"
        steps = [
            GuideStep(
                title=title,
                text=_filled(text, addresses),
                url=self._page(page),
                copy_text=_filled(copied, addresses),
            )
            for title, text, page, copied in _STEPS[spoken]
        ]
        permissions = [Permission(name=scope, why=_WHY[spoken][scope]) for scope in wanted]
        texts = [GuideText(title=title, text=_filled(text, addresses)) for title, text in _TEXTS[spoken]]
        role = Permission(name=_ROLE[spoken][0], why=_ROLE[spoken][1])
        return Guide(steps=tuple(steps), permissions=(role, *permissions), texts=tuple(texts))

    def _page(self, path: str) -> str:
        return f"{self.settings.origin}{path}" if path else ""


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


_PEOPLE = "/admin/people/team/members"
_CLIENTS = "/admin/apps-integrations/apis/oauth-clients"

_NO_WEBHOOK: dict[Language, str] = {
    "en": "(none yet: public_url is not set)",
    "it": "(ancora nessuno: public_url non è impostato)",
}

# title, text, page below the account's address, what to copy
_STEPS: dict[Language, tuple[tuple[str, str, str, str], ...]] = {
    "en": (
        (
            "An account for the hub",
            "Add a team member for the hub alone, with the role Admin, and sign in as it in this browser: what the hub "
            "writes appears under its name, and its word is never mistaken for an agent's. It takes one agent seat.",
            _PEOPLE,
            "Social Care Hub",
        ),
        (
            "An OAuth client",
            "Admin Center, Apps and integrations, APIs, OAuth clients: Add OAuth client. Name: Social Care Hub. Client "
            "kind: Confidential (Public works too: then there is no secret, PKCE protects the consent). Redirect URLs: "
            "the address below, exactly so.",
            _CLIENTS,
            "{redirect}",
        ),
        (
            "The client's scopes",
            "If the client has a field Allowed scopes, put these in: the hub asks for no others and refuses to start "
            "with fewer. For ask_write = true (next step) also write.",
            _CLIENTS,
            "{scopes}",
        ),
        (
            "The hub's settings",
            "Copy the client's Identifier into client_id and its Secret, which Zendesk shows once, into an "
            "environment variable or a file that client_secret names. Leave email, api_token and oauth_token out. "
            "With ask_write = true the setup can make the views and fields too; take it out afterwards and connect "
            "again.",
            "",
            'client_id = "{client}"\nclient_secret = { env = "ZENDESK_CLIENT_SECRET" }',
        ),
        (
            "Say yes",
            "Go on here: Zendesk asks whether the hub may act for the account you are signed in as. Check the name at "
            "the top of the page, then choose Allow. The hub keeps the tokens encrypted and renews them by itself.",
            "",
            "",
        ),
        (
            "Set the account up",
            "hub connections setup NAME shows what would be made: a webhook to {webhook}, macros for the agents, "
            "views and ticket fields; --apply makes it, --remove takes it back. Nothing that the hub did not make "
            "is changed.",
            "",
            "",
        ),
    ),
    "it": (
        (
            "Un account per l'hub",
            "Aggiungi un membro del team riservato all'hub, con il ruolo Amministratore, e accedi con esso in questo "
            "browser: ciò che l'hub scrive appare sotto il suo nome e non viene mai scambiato per la parola di un "
            "agente. Occupa una licenza agente.",
            _PEOPLE,
            "Social Care Hub",
        ),
        (
            "Un client OAuth",
            "Centro amministrativo, App e integrazioni, API, Client OAuth: Aggiungi client OAuth. Nome: Social Care "
            "Hub. Tipo di client: Riservato (va bene anche Pubblico: allora non c'è segreto e PKCE protegge il "
            "consenso). URL di reindirizzamento: l'indirizzo qui sotto, esattamente così.",
            _CLIENTS,
            "{redirect}",
        ),
        (
            "Gli ambiti del client",
            "Se il client ha il campo Ambiti consentiti, inserisci questi: l'hub non ne chiede altri e con meno non "
            "parte. Per ask_write = true (passo seguente) anche write.",
            _CLIENTS,
            "{scopes}",
        ),
        (
            "Le impostazioni dell'hub",
            "Copia l'Identificatore del client in client_id e il Segreto, che Zendesk mostra una volta sola, in una "
            "variabile d'ambiente o in un file indicato da client_secret. Ometti email, api_token e oauth_token. Con "
            "ask_write = true la preparazione può creare anche viste e campi; poi toglilo e connetti di nuovo.",
            "",
            'client_id = "{client}"\nclient_secret = { env = "ZENDESK_CLIENT_SECRET" }',
        ),
        (
            "Dai il consenso",
            "Prosegui qui: Zendesk chiede se l'hub può agire per l'account con cui hai effettuato l'accesso. "
            "Controlla il nome in cima alla pagina, poi scegli Consenti. L'hub conserva i token cifrati e li rinnova "
            "da solo.",
            "",
            "",
        ),
        (
            "Prepara l'account",
            "hub connections setup NOME mostra che cosa verrebbe creato: un webhook verso {webhook}, macro per gli "
            "agenti, viste e campi dei ticket; --apply lo crea, --remove lo toglie. Nulla che l'hub non abbia "
            "creato viene modificato.",
            "",
            "",
        ),
    ),
}

_ROLE: dict[Language, tuple[str, str]] = {
    "en": (
        "role Admin",
        "Zendesk lets only admins read the ticket export, by which no change is missed, and make webhooks and fields.",
    ),
    "it": (
        "ruolo Amministratore",
        "Zendesk lascia solo agli amministratori l'esportazione dei ticket, con cui nessuna modifica sfugge, e la "
        "creazione di webhook e campi.",
    ),
}

_WHY: dict[Language, dict[str, str]] = {
    "en": {
        "read": "Tickets, their audits, groups, agents, fields and the export. Groups and fields have no narrower "
        "scope.",
        "tickets:write": "Opens tickets, adds customers' words and internal notes, sets tags, status and fields, "
        "uploads attachments, redacts a comment on an explicit command.",
        "users:write": "Makes an end user per customer, by the account on the network and without an e-mail address.",
        "webhooks:write": "Makes the webhook that tells the hub of answers, and reads its signing secret.",
        "macros:write": "Makes the macros by which agents command the hub.",
        "write": "Only for the setup (ask_write = true): makes views and ticket fields, which have no scope of "
        "their own. Take it back afterwards: ask_write = false, and connect again.",
    },
    "it": {
        "read": "Ticket, le loro verifiche, gruppi, agenti, campi ed esportazione. Gruppi e campi non hanno un ambito "
        "più ristretto.",
        "tickets:write": "Apre ticket, aggiunge le parole dei clienti e note interne, imposta tag, stato e campi, "
        "carica allegati, oscura un commento su comando esplicito.",
        "users:write": "Crea un utente finale per cliente, secondo il profilo sul social e senza indirizzo e-mail.",
        "webhooks:write": "Crea il webhook che avvisa l'hub delle risposte e ne legge il segreto di firma.",
        "macros:write": "Crea le macro con cui gli agenti comandano l'hub.",
        "write": "Solo per la preparazione (ask_write = true): crea viste e campi dei ticket, che non hanno un "
        "ambito proprio. Poi si può togliere: ask_write = false e connettere di nuovo.",
    },
}

_TEXTS: dict[Language, tuple[tuple[str, str], ...]] = {
    "en": (
        (
            "Record of processing: what the integration does",
            "Social Care Hub runs on our own servers. It takes what customers write to us on connected networks and "
            "opens tickets in Zendesk; agents' public comments are published under the customer's post or sent as a "
            "private message. Purpose: answering customers' requests. Into Zendesk go: the text and attachments of "
            "the message, its address, the account's name and identifier on the network, and the data the customer "
            "gave for the request. Out of Zendesk come: comments, status, priority, tags, fields, group and assignee "
            "of these tickets; other tickets are passed over. If an operator runs the backfill, past tickets are read "
            "as well, so that requests are routed as people did it. E-mail addresses are passed on only if the "
            "customer gives one for the request.",
        ),
        (
            "Where data is stored and for how long",
            "In Zendesk: as long as the account's own retention says. In the hub's database, on our servers: tickets, "
            "messages and their history, until we delete them; raw copies of incoming calls for seven days. Data "
            "collected for a request, and tokens, lie there encrypted. Attachments are passed on and not kept. Data "
            "goes to nobody but Zendesk and the network the customer wrote on.",
        ),
        (
            "Access and security",
            "The hub signs in by OAuth 2 with PKCE as an account of its own; scopes: {scopes}. Access tokens live for "
            "a day at most, refresh tokens rotate with each renewal; both can be revoked in Admin Center at any time, "
            "and hub connections remove revokes them. All traffic is HTTPS; webhooks are accepted only with Zendesk's "
            "signature and not older than five minutes.",
        ),
    ),
    "it": (
        (
            "Registro dei trattamenti: che cosa fa l'integrazione",
            "Social Care Hub gira sui nostri server. Raccoglie ciò che i clienti ci scrivono sui social collegati e "
            "apre ticket in Zendesk; i commenti pubblici degli agenti vengono pubblicati sotto il post del cliente o "
            "inviati come messaggio privato. Finalità: rispondere alle richieste dei clienti. In Zendesk entrano: "
            "testo e allegati del messaggio, il suo indirizzo, nome e identificativo del profilo sul social e i dati "
            "forniti dal cliente per la richiesta. Da Zendesk escono: commenti, stato, priorità, tag, campi, gruppo e "
            "assegnatario di questi ticket; gli altri ticket vengono saltati. Se un operatore avvia il backfill "
            "vengono letti anche i ticket passati, per smistare le richieste come hanno fatto le persone. Gli "
            "indirizzi e-mail vengono trasmessi solo se il cliente ne fornisce uno per la richiesta.",
        ),
        (
            "Dove sono conservati i dati e per quanto tempo",
            "In Zendesk: quanto prevede la conservazione dell'account. Nel database dell'hub, sui nostri server: "
            "ticket, messaggi e cronologia, finché non li cancelliamo; le copie grezze delle chiamate in entrata per "
            "sette giorni. I dati raccolti per una richiesta e i token vi giacciono cifrati. Gli allegati vengono "
            "inoltrati e non conservati. I dati vanno solo a Zendesk e al social su cui il cliente ha scritto.",
        ),
        (
            "Accesso e sicurezza",
            "L'hub accede con OAuth 2 e PKCE con un account proprio; ambiti: {scopes}. I token di accesso durano al "
            "massimo un giorno, quelli di aggiornamento cambiano a ogni rinnovo; entrambi si possono revocare in "
            "qualsiasi momento nel Centro amministrativo, e hub connections remove li revoca. Tutto il traffico è "
            "HTTPS; i webhook sono accettati solo con la firma di Zendesk e non più vecchi di cinque minuti.",
        ),
    ),
}
