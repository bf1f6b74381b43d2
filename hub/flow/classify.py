"""What is this about? Routers in configured order over a batch; the earlier one wins, field by field."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from hub.flow.hub import Hub
from hub.sdk import Decides, Decision, Kind, Message, Priority, Question

log = logging.getLogger("hub.classify")

DEFAULTS = {"kind": "other", "priority": "normal", "category": "", "complexity": ""}
FIELDS = ("kind", "language", "category", "complexity", "priority", "team", "agent")
ALLOWED = {"kind": get_args(Kind), "priority": get_args(Priority)}


@dataclass(frozen=True, slots=True)
class Classified:
    """The fields in force for one message, and who said what."""

    fields: dict[str, str]
    tags: tuple[str, ...]
    answers: tuple[tuple[str, Decision], ...]


def classify(hub: Hub, questions: Sequence[Question]) -> list[Classified]:
    """One result per question. A router that raises or takes more than two seconds is skipped and noted."""
    answers: list[list[tuple[str, Decision]]] = [[] for _ in questions]
    if questions:
        for router in hub.routers:
            for place, answer in enumerate(_ask(hub, router, questions)):
                if answer is not None:
                    answers[place].append((router.name, answer))
    return [_join(question, given) for question, given in zip(questions, answers, strict=True)]


def _ask(hub: Hub, router: Decides, questions: Sequence[Question]) -> Sequence[Decision | None]:
    result: dict[str, Any] = {}

    def run() -> None:
        try:
            result["answers"] = router.decide(questions)
        except Exception as error:  # a router is a stranger's code: whatever it raises costs only its opinion
            log.exception("router %s failed", router.name)
            result["note"] = f"skipped: {type(error).__name__}"

    # A thread of its own, because a router that hangs cannot be interrupted otherwise.
    thread = threading.Thread(target=run, name=f"router-{router.name}", daemon=True)
    thread.start()
    thread.join(hub.timing.routers.total_seconds())
    answers = result.get("answers")
    if isinstance(answers, list) and len(answers) == len(questions):
        return answers
    note = result.get("note") or ("skipped: wrong number of answers" if "answers" in result else "skipped: too slow")
    log.warning("router %s %s", router.name, note)
    return [Decision(reasons=(note,))] * len(questions)


def _join(question: Question, answers: list[tuple[str, Decision]]) -> Classified:
    fields: dict[str, str] = {}
    tags: list[str] = []
    for _, answer in answers:
        for name in FIELDS:
            value = getattr(answer, name)
            if value and name not in fields and value in ALLOWED.get(name, (value,)):
                fields[name] = value
        tags.extend(tag for tag in answer.tags if tag not in tags)
    if question.message.language:
        fields.setdefault("language", question.message.language)
    return Classified({**DEFAULTS, **fields}, tuple(tags), tuple(answers))


def question_for(message: Message, *, connection: str, brand: str, country: str, now: datetime) -> Question:
    """The question a new customer message raises."""
    return Question(message=message, connection=connection, brand=brand, country=country, now=now)
