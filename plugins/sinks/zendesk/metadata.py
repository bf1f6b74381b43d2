# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account is made of, apart from tickets and people: fields, forms, brands, statuses, views, macros, webhooks.
Plain JSON, without zenpy, which knows half of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import requests

from hub.sdk import ConfigurationError, Refused, Toolbox, failure_of_transport
from plugins.sinks.zendesk.access import Credentials
from plugins.sinks.zendesk.errors import OddAnswer, failure_of_answer, not_json
from plugins.sinks.zendesk.payloads import part_of, text_of
from plugins.sinks.zendesk.settings import ZendeskSettings

Json = dict[str, Any]

MAX_PAGES = 50


class Metadata:
    """Calls at the account's own objects. Every write may be repeated after a lost answer: what was made is found by
    its mark. Raises our errors only."""

    def __init__(self, settings: ZendeskSettings, toolbox: Toolbox, credentials: Credentials) -> None:
        self._origin = settings.origin
        self._toolbox = toolbox
        self._credentials = credentials

    def every(self, name: str) -> list[Json]:
        """All objects of a kind (``ticket_fields``, ``webhooks``, ...), inactive ones too. ``ConfigurationError`` when
        our account may not see them."""
        try:
            return self._rows(name)
        except Refused as error:
            raise ConfigurationError(
                f"our Zendesk account may not read {name.replace('_', ' ')}; it must be an admin ({error.summary})",
                detail=error.detail,
            ) from error

    def every_if_any(self, name: str) -> list[Json]:
        """As ``every``; empty where the account's plan does not have this kind."""
        try:
            return self._rows(name)
        except Refused:
            return []

    def _rows(self, name: str) -> list[Json]:
        rows: list[Json] = []
        params: dict[str, str] = {"page[size]": "100"}
        for _ in range(MAX_PAGES):
            body = self.call("GET", f"{name}?{urlencode(params)}")
            found = body.get(name)
            if not isinstance(found, list) or not all(
                isinstance(row, dict) and text_of(row.get("id")) for row in found
            ):
                raise OddAnswer(f"Zendesk answered without readable {name}")
            rows += found
            meta = part_of(body, "meta")
            if meta.get("has_more") is not True:  # some of them know no pages: then all is here
                return rows
            params["page[after]"] = text_of(meta.get("after_cursor"))
        raise ConfigurationError(f"the account has more than {MAX_PAGES * 100} {name}: ours cannot be told from them")

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """One call below ``/api/v2/``; the JSON of its answer, empty when it has none."""
        try:
            response = self._credentials.send(
                lambda signed: self._toolbox.http.request(
                    method,
                    f"{self._origin}/api/v2/{path}",
                    json=body,
                    headers={"Accept": "application/json", **signed},
                    allow_redirects=False,
                )
            )
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=False) from error
        if not 200 <= response.status_code < 300:
            raise failure_of_answer(response, self._toolbox.now(), effect_possible=False)
        if not response.content.strip():
            return {}
        try:
            answer = response.json()
        except (ValueError, RecursionError) as error:
            raise not_json(response, effect_possible=False) from error
        return answer if isinstance(answer, dict) else {}
