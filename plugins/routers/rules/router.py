"""Applies the rules to questions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import regex

from hub.sdk import Decides, Decision, Question
from hub.sdk.text import LONG
from plugins.routers.rules.settings import DAYS, Rule, RulesSettings, compiled

MATCH_TIMEOUT = 0.1
"""Seconds one search may take. A pattern can need exponential time on a text a customer chose."""

EXCERPT = 40
"""Characters of a match that a reason repeats."""

FIELDS = ("kind", "language", "category", "complexity", "priority", "team", "agent")


class RulesRouter(Decides):
    """Every rule that matches fills in what is still empty; tags add up; every step leaves a reason."""

    name = "rules"
    display_name = "Rules"
    Settings = RulesSettings

    def __init__(self, settings: RulesSettings) -> None:
        super().__init__(settings)
        self._rules = [_Compiled(rule) for rule in settings.rules]

    def decide(self, questions: Sequence[Question]) -> list[Decision | None]:
        """One decision per question; ``None`` when no rule matches.

        A rule whose pattern takes too long is left out for the rest of the call, and the reasons say so.
        """
        too_slow: set[str] = set()
        return [self._decide(question, too_slow) for question in questions]

    def _decide(self, question: Question, too_slow: set[str]) -> Decision | None:
        said: dict[str, str] = {}
        tags: list[str] = []
        reasons: list[str] = []
        for rule in self._rules:
            if rule.name not in too_slow:
                try:
                    why = rule.match(question)
                except TimeoutError:
                    too_slow.add(rule.name)
                    why = None
            if rule.name in too_slow:
                reasons.append(f'rule "{rule.name}": skipped, its pattern takes too long')
                continue
            if why is None:
                continue
            for field in FIELDS:
                value = getattr(rule.then, field)
                if value:
                    said.setdefault(field, value)
            tags += [tag for tag in rule.then.tags if tag not in tags]
            reasons.append(f'rule "{rule.name}": {why}')
            if rule.stop:
                break
        if not reasons:
            return None
        return Decision.model_validate({**said, "tags": tags, "reasons": reasons})


class _Compiled:
    """One rule, ready to be asked."""

    def __init__(self, rule: Rule) -> None:
        self.name = rule.name
        self.then = rule.then
        self.stop = rule.stop
        self._when = rule.when
        self._patterns = {place: compiled(pattern) for place, pattern in rule.when.patterns()}
        self._window = rule.when.window()
        self._zone = ZoneInfo(rule.when.timezone) if rule.when.timezone else None

    def match(self, question: Question) -> str | None:
        """Why the rule matches, or ``None``. Raises ``TimeoutError``. Cheap conditions come first."""
        reasons: list[str] = []
        if not self._listed(question, reasons) or not self._on_time(question.now, reasons):
            return None
        message = question.message
        texts = {
            "text": f"{message.subject}\n{message.text}" if message.subject else message.text,
            "author": message.author.handle,
        }
        texts["not_text"] = texts["text"]
        texts |= {f"field.{name}": question.fields.get(name, "") for name in self._when.field}
        for place, pattern in self._patterns.items():
            found = _search(pattern, texts[place])
            if (found is None) != (place == "not_text"):
                return None
            reasons.append(_reason(place, found))
        return ", ".join(reasons) or "always"

    def _listed(self, question: Question, reasons: list[str]) -> bool:
        """Whether the words of the question are among those listed."""
        language = question.known.get("language") or question.message.language
        for key, wanted, value in (
            ("language", self._when.language, _primary(language)),
            ("network", self._when.network, question.message.network),
            ("source", self._when.source, question.connection),
            ("brand", self._when.brand, question.brand),
            ("country", self._when.country, question.country),
        ):
            words = map(_primary, wanted) if key == "language" else wanted
            if wanted and value.casefold() not in {word.casefold() for word in words}:
                return False
            if wanted:
                reasons.append(f"{key} is {value}")
        return True

    def _on_time(self, now: datetime, reasons: list[str]) -> bool:
        if self._zone is None:
            return True
        local = now.astimezone(self._zone)
        day = local
        if self._window is not None:
            start, end = self._window
            clock = local.time()
            over_midnight = start > end
            if not ((start <= clock or clock < end) if over_midnight else (start <= clock < end)):
                return False
            if over_midnight and clock < end:
                day = local - timedelta(days=1)
        if self._when.days and DAYS[day.weekday()] not in self._when.days:
            return False
        if self._window is not None or self._when.days:
            reasons.append(f"it is {DAYS[local.weekday()]} {local:%H:%M} in {self._when.timezone}")
        return True


def _search(pattern: regex.Pattern[str], text: str) -> regex.Match[str] | None:
    return pattern.search(text, timeout=MATCH_TIMEOUT, concurrent=len(text) > LONG)


def _reason(place: str, found: regex.Match[str] | None) -> str:
    if found is None:
        return "the excluded words are absent"
    words = " ".join(found.group().split())
    return f'{place} matches "{words[:EXCERPT] + ("…" if len(words) > EXCERPT else "")}"'


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].casefold()
