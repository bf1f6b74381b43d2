# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hub makes in the account: webhook, custom fields, views, macros. Desired is held against actual; what is
missing or drifted is made or mended, and only what carries our mark is ever touched."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hub.sdk import ConfigurationError, Refused, SetsUp, SetupStep, Toolbox, Words
from plugins.sinks.zendesk import mapping
from plugins.sinks.zendesk.access import SETUP_SCOPE
from plugins.sinks.zendesk.errors import GONE, Forbidden, told_by
from plugins.sinks.zendesk.furniture import FIELD_STAYS, PLACES, Furniture, FurniturePiece, furniture, titled
from plugins.sinks.zendesk.metadata import Metadata
from plugins.sinks.zendesk.payloads import part_of, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings

if TYPE_CHECKING:
    from plugins.sinks.zendesk.client import ZendeskClient

Json = dict[str, Any]

SETUP = "setup"
"""The vault's name for who we are in the account's marks, and for the ids of the fields we made."""
WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - a name, not a secret
_READ_AGAIN = timedelta(seconds=30)
_SHOWN_ELSEWHERE = ("permalink_field", "proof_field", "category_field", "deadline_field", "state_field")
"""What these would show stands in notes and tags too: the connection works without them."""


class ZendeskSetup(SetsUp):
    """The part of the connector that furnishes the account, and knows what it made there."""

    settings: ZendeskSettings
    toolbox: Toolbox
    _client: ZendeskClient
    _made: tuple[datetime, Json, str] | None = None

    def plan_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """What is there and what is not, and where the settings do not fit the account; five to nine calls."""
        return self._plan(webhook_url, self._remembered())

    def apply_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        """Make or mend what is missing. A refusal becomes a ``ConfigurationError`` that names the piece."""
        known = self._remembered()
        if not known.get("hub"):
            known["hub"] = _hub_id(self.toolbox) or secrets.token_hex(5)
            self._remember(known)  # before the first thing is made: a mark nobody knows is a thing nobody removes
        mark, metadata = _Mark(self.toolbox.connection, known["hub"]), self._metadata()
        for piece, there in self._pieces(webhook_url, mark, metadata, {}):
            if not self._may_make(piece):
                continue
            row = self._make(piece, there, mark, metadata)
            number = row.get("id")
            if piece.remember_as:
                known.setdefault("fields", {})[piece.remember_as] = number
            if piece.kind == "webhooks" and not self._has_secret(known, row):
                answer = metadata.call("GET", f"webhooks/{text_of(number)}/signing_secret")
                secret = text_of(part_of(answer, "signing_secret").get("secret"))
                if secret:
                    self.toolbox.vault.write(WEBHOOK_SECRET, secret)
                    known["webhook"] = text_of(number)
        self._remember(known)
        return self._plan(webhook_url, known)

    def remove_setup(self) -> Sequence[SetupStep]:
        """Delete our webhook, views and macros; our fields are switched off only, because deleting one deletes its
        values from every ticket."""
        known = self._remembered()
        if not known.get("hub"):
            return []
        mark, metadata = _Mark(self.toolbox.connection, known["hub"]), self._metadata()
        left: list[SetupStep] = []
        fields_stay = False
        for furniture_kind in Furniture:
            rows = [row for row in metadata.every(furniture_kind.value) if mark.on(row)]
            if furniture_kind is Furniture.FIELD:
                for row in rows:
                    left += self._switch_off(row, metadata)
                    fields_stay = True
                continue
            for row in rows:
                if furniture_kind is Furniture.VIEW and not self._client.credentials.may(SETUP_SCOPE):
                    left.append(_by_hand(Furniture.VIEW, row))
                    continue
                try:
                    metadata.call("DELETE", f"{furniture_kind.value}/{text_of(row['id'])}")
                except Refused as error:
                    if error.detail != GONE:
                        raise
        self.toolbox.vault.forget(WEBHOOK_SECRET)
        if left or fields_stay:  # by the mark they are found again, when the setup is made anew
            self._remember({"hub": known["hub"]})
        else:
            self.toolbox.vault.forget(SETUP)
        self._made = None
        return left

    def webhook_keys(self) -> list[str]:
        """The secrets a webhook may be signed with: those of the settings and the one the setup fetched."""
        given = [secret.get_secret_value() for secret in self.settings.webhook_secrets]
        fetched = self._known()[1]
        return [*given, fetched] if fetched else given

    @property
    def mapped(self) -> ZendeskSettings:
        """The settings, with the fields the setup made where none are named."""
        return _mapped(self.settings, self._known()[0])

    # --- parts -----------------------------------------------------------------------------------------------------

    def _plan(self, webhook_url: str, known: Json) -> list[SetupStep]:
        metadata = self._metadata()
        mark = _Mark(self.toolbox.connection, known.get("hub") or _hub_id(self.toolbox))
        settings = _mapped(self.settings, known)
        account = mapping.read(metadata, settings)
        steps: list[SetupStep] = []
        used: set[tuple[str, str]] = set()
        rows: dict[str, list[Json]] = {Furniture.FIELD.value: account.fields}
        for piece, row in self._pieces(webhook_url, mark, metadata, rows):
            used.add((piece.kind, text_of((row or {}).get("id"))))
            done = row is not None and not piece.drift(row)
            done = done and (
                not piece.remember_as or part_of(known, "fields").get(piece.remember_as) == (row or {})["id"]
            )
            done = done and (piece.kind != "webhooks" or self._has_secret(known, row or {}))
            may = self._may_make(piece)
            steps.append(
                SetupStep(
                    title=piece.title,
                    state="done" if done else "missing",
                    by="hub" if may else "person",
                    instructions="" if may or done else _wider(piece),
                    stays=piece.stays,
                    optional=not may,  # fields and views make it easier; what they show stands in the notes too
                )
            )
        for kind in Furniture:
            ours = [row for row in rows.get(kind.value, ()) if mark.on(row)]
            steps += [
                self._left_over(kind, row, settings)
                for row in ours
                if (kind.value, text_of(row["id"])) not in used
                and (kind is not Furniture.FIELD or row.get("active") is not False)
            ]
        steps += self._others(webhook_url, mark, metadata)
        for misfit in mapping.check(settings, account, self.toolbox.house):
            steps.append(
                SetupStep(
                    title=Words(
                        en=f"setting {misfit.setting} fits the account",
                        it=f"l'impostazione {misfit.setting} corrisponde all'account",
                    ),
                    state="missing",
                    by="person",
                    instructions=misfit.told,
                    optional=misfit.setting in _SHOWN_ELSEWHERE,
                )
            )
        return steps

    def _pieces(
        self, webhook_url: str, mark: _Mark, metadata: Metadata, rows: dict[str, list[Json]]
    ) -> Iterator[tuple[FurniturePiece, Json | None]]:
        """Each piece that should be, with what is there of it. ``rows`` takes what was read, by kind."""
        for piece in furniture(self.settings, self.toolbox.house, webhook_url, self.toolbox.connection):
            if piece.kind not in rows:
                rows[piece.kind] = metadata.every(piece.kind)
            found = [row for row in rows[piece.kind] if mark.of(piece) in _marked_text(row)]
            if not found and piece.kind == Furniture.VIEW.value and not self._may_make(piece):
                found = [row for row in rows[piece.kind] if not piece.drift(row)]  # a person made it as we said
            yield piece, found[0] if found else None

    def _make(self, piece: FurniturePiece, row: Json | None, mark: _Mark, metadata: Metadata) -> Json:
        wanted = piece.body | {piece.marked: f"{piece.body.get(piece.marked, '')} {mark.of(piece)}".strip()}
        try:
            if row is None:
                answer = metadata.call("POST", piece.kind, {piece.one: wanted})
                made = part_of(answer, piece.one)
                if not text_of(made.get("id")):
                    raise ConfigurationError(f"Zendesk answered without the id of: {piece.title.en}")
                return made
            if piece.drift(row):
                method = "PATCH" if piece.kind == "webhooks" else "PUT"
                metadata.call(method, f"{piece.kind}/{text_of(row['id'])}", {piece.one: piece.mended(row, wanted)})
            return row
        except Refused as error:
            why = "our account must be an admin" if isinstance(error, Forbidden) else ""
            raise ConfigurationError(
                "; ".join(
                    text
                    for text in (
                        f"Zendesk does not make or change the {piece.title.en} ({error.summary})",
                        why,
                        told_by(error),
                    )
                    if text
                ),
                detail=error.detail,
            ) from error

    def _others(self, webhook_url: str, mark: _Mark, metadata: Metadata) -> list[SetupStep]:
        """Webhooks of others that call us too: left alone, but told."""
        if not webhook_url:
            text = Words(
                en="Set public_url in hub.toml: until then changes are noticed at the next poll only.",
                it="Imposta public_url in hub.toml: fino ad allora le modifiche si notano solo alla lettura seguente.",
            )
            title = Words(en="webhook to the hub", it="webhook verso l'hub")
            return [SetupStep(title=title, state="unknown", by="person", instructions=text)]
        rows = [row for row in metadata.every(Furniture.WEBHOOK.value) if row.get("endpoint") == webhook_url]
        text = Words(
            en="Two webhooks to one address only cost calls. Delete this one in Admin Center, Apps and integrations, "
            "Webhooks, if nobody needs it: the hub did not make it and leaves it alone.",
            it="Due webhook verso un solo indirizzo costano solo chiamate. Elimina questo in Centro amministrativo, "
            "App e integrazioni, Webhook, se non serve a nessuno: non l'ha creato l'hub, che non lo tocca.",
        )
        return [
            SetupStep(title=_another_webhook(row), state="unknown", by="person", instructions=text)
            for row in rows
            if not mark.on(row)
        ]

    def _left_over(self, kind: Furniture, row: Json, settings: ZendeskSettings) -> SetupStep:
        """What we made and the settings do not ask for any more: removal takes it back with the rest."""
        field = kind is Furniture.FIELD
        may = kind not in PLACES or self._client.credentials.may(SETUP_SCOPE)
        en, it = "made by the hub", "creato dall'hub"
        if not (field and row["id"] in {getattr(settings, name) for name in _SHOWN_ELSEWHERE}):
            en, it = f"{en}, no longer used", f"{it}, non più usato"
        if may:
            en += "; removal switches it off" if field else "; removal deletes it"
            it += "; la rimozione lo disattiva" if field else "; la rimozione lo elimina"
        name = text_of(row.get("title")) or text_of(row.get("name"))
        return SetupStep(
            title=titled(kind, name, Words(en=f" ({en})", it=f" ({it})")),
            state="done",
            by="hub" if may else "person",
            stays=FIELD_STAYS if field else "",
        )

    def _switch_off(self, row: Json, metadata: Metadata) -> list[SetupStep]:
        """What a person must do where we may not; that the field and its values stay, the plan has told."""
        if row.get("active") is False:
            return []
        if self._client.credentials.may(SETUP_SCOPE):
            metadata.call("PUT", f"ticket_fields/{text_of(row['id'])}", {"ticket_field": {"active": False}})
            return []
        return [_by_hand(Furniture.FIELD, row)]

    def _may_make(self, piece: FurniturePiece) -> bool:
        return not piece.takes_write or self._client.credentials.may(SETUP_SCOPE)

    def _has_secret(self, known: Json, row: Json) -> bool:
        return known.get("webhook") == text_of(row.get("id")) and bool(self.toolbox.vault.read(WEBHOOK_SECRET))

    def _metadata(self) -> Metadata:
        return Metadata(self.settings, self.toolbox, self._client.credentials)

    def _remembered(self) -> Json:
        try:
            known = json.loads(self.toolbox.vault.read(SETUP) or "{}")
        except ValueError:
            return {}
        return known if isinstance(known, dict) else {}

    def _remember(self, known: Json) -> None:
        self.toolbox.vault.write(SETUP, json.dumps(known))
        self._made = None

    def _known(self) -> tuple[Json, str]:
        # Asked for each webhook and each ticket; another process may set up meanwhile.
        now = self.toolbox.now()
        if self._made is None or not self._made[0] <= now < self._made[0] + _READ_AGAIN:
            self._made = now, self._remembered(), self.toolbox.vault.read(WEBHOOK_SECRET) or ""
        return self._made[1], self._made[2]


def _mapped(settings: ZendeskSettings, known: Json) -> ZendeskSettings:
    fields = part_of(known, "fields")
    made = {name: number for name, number in fields.items() if getattr(settings, name, 0) is None}
    return settings.model_copy(update=made) if made else settings


class _Mark:
    """Whose a thing is: the connection, the hub, and which piece it is."""

    def __init__(self, connection: str, hub: str) -> None:
        self._start = f"[social-care-hub {connection} {hub} " if hub else ""

    def of(self, piece: FurniturePiece) -> str:
        return f"{self._start or '[nobody '}{piece.key}]"

    def on(self, row: Json) -> bool:
        return bool(self._start) and self._start in _marked_text(row)


def _marked_text(row: Json) -> str:
    return f"{text_of(row.get('description'))} {text_of(row.get('agent_description'))}"


def _hub_id(toolbox: Toolbox) -> str:
    """From the public address where there is one: then our things are known again after the vault was lost, and a
    second hub on the same account has marks of its own."""
    return hashlib.sha256(toolbox.public_url.encode()).hexdigest()[:10] if toolbox.public_url else ""


def _another_webhook(row: Json) -> Words:
    named = f"{text_of(row.get('name'))} ({text_of(row['id'])})"
    return Words(en=f"another webhook calls this hub: {named}", it=f"un altro webhook chiama questo hub: {named}")


def _wider(piece: FurniturePiece) -> Words:
    by_hand = piece.by_hand or piece.title
    return Words(
        en="Making it takes the scope write, which this connection was not granted. Set ask_write = true and connect "
        f"again, or do it by hand: {by_hand.en}",
        it="Per crearlo serve l'ambito write, che questo collegamento non ha. Imposta ask_write = true e connetti di "
        f"nuovo, oppure fallo a mano: {by_hand.it}",
    )


def _by_hand(kind: Furniture, row: Json) -> SetupStep:
    """For a person, because the scope write is lacking: the title is the task."""
    what, where = titled(kind, text_of(row.get("title"))), PLACES[kind]
    en, it = ("deactivate", "disattiva") if kind is Furniture.FIELD else ("delete", "elimina")
    return SetupStep(
        title=Words(en=f"{en} the {what.en}", it=f"{it}: {what.it}"),
        state="unknown",
        by="person",
        instructions=Words(
            en=f"{where.en}. The hub lacks the scope write for it.",
            it=f"{where.it}. All'hub manca l'ambito write per farlo.",
        ),
    )
