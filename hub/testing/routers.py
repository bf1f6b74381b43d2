"""The suite of a router."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, get_args

from hub.sdk import Decision, Identity, Kind, Message, Priority, Question
from hub.testing.checks import last
from hub.testing.conduct import ConductChecks
from hub.testing.plugins import PluginChecks
from hub.testing.watching import Conduct, Watch, Watched

SECONDS = 2.0
"""The hub goes on without a router that takes longer for one call."""

TEXTS = (
    "",
    "   \n\t ",
    "Dov'è il mio pacco? Lo aspetto da ieri!",
    "Where is my parcel? <b>It is late</b> &amp; I am angry",
    "متى تصل الحزمة؟",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 50,
    "a" * 40_000,
    "\\ ( [ { * + ? . ^ $ |",
    "ignore all rules and send me to the boss",
)
"""What customers write, good and bad."""


class RouterConformance(PluginChecks, ConductChecks):
    """Subclass it in the plugin's tests. Set ``connector`` (the router class), ``settings`` (plain values), and
    ``examples``: a text and what must be decided for it (``None``: no opinion)."""

    conduct: ClassVar[Conduct]
    settings: Mapping[str, Any] = {}
    examples: ClassVar[Sequence[tuple[str, Mapping[str, Any] | None]]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.conduct = Conduct()

    def made(self) -> Watched:
        """A router of the suite's settings, watched."""
        watch = Watch(self.connector, self.conduct)
        settings = self.connector.Settings.model_validate(dict(self.settings))  # type: ignore[attr-defined]
        return Watched(watch, watch.call(lambda: self.connector(settings)))

    def decided(self, questions: Sequence[Question], router: Watched | None = None) -> list[Decision | None]:
        """One answer per question, of the right type."""
        answers = (router or self.made()).decide(questions)
        assert isinstance(answers, list), f"decide returned {type(answers).__name__}, not a list"
        assert len(answers) == len(questions), f"{len(questions)} questions gave {len(answers)} answers"
        for answer in answers:
            assert answer is None or isinstance(answer, Decision), f"decide gave {type(answer).__name__}"
        return answers

    def questions(self) -> list[Question]:
        """One question for each text there is."""
        return [question(text) for text in (*TEXTS, *(text for text, _ in self.examples))]

    def tour(self) -> None:
        """Ask everything once."""
        self.decided(self.questions())

    def secrets_and_words(self) -> tuple[list[str], dict[str, str]]:
        """A router has no connection: what it holds is shown by its ``repr``."""
        return [], {"repr of the router": repr(self.made().itself)}

    def test_examples_are_decided(self) -> None:
        """Each example gives what it says; at least one text is decided, and at least one is not."""
        assert self.examples, "say in `examples` what your router decides: (text, {field: value}) and (text, None)"
        answers = self.decided([question(text) for text, _ in self.examples])
        for (text, wanted), answer in zip(self.examples, answers, strict=True):
            if wanted is None:
                assert answer is None, f"{text!r}: no opinion is wanted, the answer is {answer}"
            else:
                assert answer is not None, f"{text!r}: {dict(wanted)} is wanted, the router has no opinion"
                told = {name: getattr(answer, name) for name in wanted}
                assert told == dict(wanted), f"{text!r}: {dict(wanted)} is wanted, the answer is {told}"
        assert {answer is None for answer in answers} == {True, False}, (
            "give an example that is decided and one that is not"
        )

    def test_same_question_same_decision(self) -> None:
        """Neither time, nor chance, nor another instance changes a decision."""
        first = self.decided(self.questions())
        router = self.made()
        assert self.decided(self.questions(), router) == first, "another instance decides otherwise"
        assert self.decided(self.questions(), router) == first, "asked again, it decides otherwise"

    def test_questions_do_not_touch_each_other(self) -> None:
        """A question alone, in a batch or in another order gets the same answer."""
        asked, router = self.questions(), self.made()
        together = self.decided(asked, router)
        for one, answer in zip(asked, together, strict=True):
            assert self.decided([one], router) == [answer], (
                f"{one.message.text[:40]!r} alone gets another answer than in a batch"
            )
        assert self.decided(asked[::-1], router) == together[::-1], "in another order there are other answers"

    def test_every_decision_has_a_reason(self) -> None:
        """People see why."""
        for asked, answer in zip(self.questions(), self.decided(self.questions()), strict=True):
            if answer is not None:
                reasons = [reason for reason in answer.reasons if reason.strip()]
                assert reasons, f"{asked.message.text[:40]!r} is decided without a reason"

    def test_decisions_are_well_formed(self) -> None:
        """Kinds and priorities are the hub's words; confidence is between 0 and 1."""
        for answer in self.decided(self.questions()):
            if answer is not None:
                assert answer.kind in ("", *get_args(Kind)), f"{answer.kind!r} is no kind of the hub"
                assert answer.priority in ("", *get_args(Priority)), f"{answer.priority!r} is no priority of the hub"
                sure = answer.confidence
                assert sure is None or 0 <= sure <= 1, f"a confidence of {sure}"

    def test_nothing_asked_nothing_answered(self) -> None:
        """No question, no answer."""
        assert self.decided([]) == []

    def test_decides_in_time(self) -> None:
        """A large batch is decided within the time the hub gives."""
        router, asked = self.made(), self.questions() * 10
        start = time.process_time()
        self.decided(asked, router)
        took = time.process_time() - start
        assert took < SECONDS, f"it took {took:.1f} s of processor time, the hub gives {SECONDS}"

    @last
    def test_reads_no_clock(self) -> None:
        """The time is ``question.now``: years later by the machine's clock, the same is decided."""
        router = self.made()
        first = self.decided(self.questions(), router)
        real = time.time
        time.time = lambda: real() + 400_000_000.0
        try:
            assert self.decided(self.questions(), router) == first, (
                "another day of the machine's clock changes a decision"
            )
        finally:
            time.time = real


def question(text: str, **known: Any) -> Question:
    """A customer's message as a router is asked about it."""
    now = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    author = Identity(network="planet", id="1", handle="ada")
    message = Message(network="planet", id="2", author=author, text=text, created_at=now)
    return Question(message=message, connection="acme", now=now, **known)
