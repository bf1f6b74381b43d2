"""Routers that break one rule each."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

from hub.sdk import Decides, Decision, Field, Question, Secret, Settings
from hub.testing import RouterConformance
from tests.testing.selftest import breaks, good


class WordSettings(Settings):
    """Settings of the router."""

    base_url: str = Field("", description="Nothing", examples=["x"])
    token: Secret = Field(Secret(""), description="What it is paid with", examples=['{ env = "ACME_TOKEN" }'])


class GoodRouter(Decides):
    """Sends parcels to delivery."""

    name = "planted"
    display_name = "Planted"
    Settings: ClassVar[type[Settings]] = WordSettings

    def decide(self, questions: Sequence[Question]) -> list[Decision | None]:
        return [self.one(question) for question in questions]

    def one(self, question: Question) -> Decision | None:
        if "parcel" not in question.message.text:
            return None
        return Decision(category="delivery", kind="question", confidence=0.5, reasons=('the word "parcel"',))


@good("router")
class GoodRouterSuite(RouterConformance):
    connector = GoodRouter
    settings: dict[str, Any] = {"token": "router-token-0001"}
    examples = (("my parcel?", {"category": "delivery"}), ("hello", None))


@breaks("examples_are_decided", "router")
class HasAnOpinionOnEverything(GoodRouter):
    def one(self, question: Question) -> Decision | None:
        return super().one(question) or Decision(category="other", reasons=("the rest",))


@breaks("examples_are_decided")
class HasNoExamples(GoodRouterSuite):
    examples = ()


@breaks("same_question_same_decision", "router")
class RollsDice(GoodRouter):
    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.asked = random.random()

    def one(self, question: Question) -> Decision | None:
        decision = super().one(question)
        return decision and decision.model_copy(update={"confidence": self.asked})


@breaks("questions_do_not_touch_each_other", "router")
class RemembersTheQuestionBefore(GoodRouter):
    def decide(self, questions: Sequence[Question]) -> list[Decision | None]:
        found = super().decide(questions)
        return [
            decision and decision.model_copy(update={"priority": "high" if place else "low"})
            for place, decision in enumerate(found)
        ]


@breaks("every_decision_has_a_reason", "router")
class SaysNotWhy(GoodRouter):
    def one(self, question: Question) -> Decision | None:
        decision = super().one(question)
        return decision and decision.model_copy(update={"reasons": (" ",)})


@breaks("decisions_are_well_formed", "router")
class HasItsOwnWords(GoodRouter):
    def one(self, question: Question) -> Decision | None:
        decision = super().one(question)
        return decision and decision.model_copy(update={"kind": "enquiry"})


@breaks("nothing_asked_nothing_answered", "router")
class AnswersNobody(GoodRouter):
    def decide(self, questions: Sequence[Question]) -> list[Decision | None]:
        return super().decide(questions) if questions else None  # type: ignore[return-value]


@breaks("decides_in_time", "router")
class TakesItsTime(GoodRouter):
    def decide(self, questions: Sequence[Question]) -> list[Decision | None]:
        start = time.process_time()
        while len(questions) > 50 and time.process_time() - start < 2.1:
            pass
        return super().decide(questions)


@breaks("reads_no_clock", "router")
class WorksByDay(GoodRouter):
    def one(self, question: Question) -> Decision | None:
        decision = super().one(question)
        late = time.time() > 2_100_000_000
        return decision and decision.model_copy(update={"priority": "low" if late else "normal"})


@breaks("never_sleeps", "router")
class SleepsOnIt(GoodRouter):
    def one(self, question: Question) -> Decision | None:
        time.sleep(0.01)
        return super().one(question)


@breaks("never_prints", "router")
class ThinksAloud(GoodRouter):
    def one(self, question: Question) -> Decision | None:
        print("hm")
        return super().one(question)


@breaks("never_reads_the_environment", "router")
class LooksAround(GoodRouter):
    def one(self, question: Question) -> Decision | None:
        os.getenv("ROUTER_MODEL")
        return super().one(question)


@breaks("leaves_only_by_the_toolbox", "router")
class AsksOthers(GoodRouter):
    def one(self, question: Question) -> Decision | None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=1)
        return super().one(question)
