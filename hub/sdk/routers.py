"""The contract of a router: it decides, from the question alone, and says why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from hub.sdk.connectors import PLUGIN_API
from hub.sdk.messages import Decision, Question
from hub.sdk.settings import Settings


class Router(ABC):
    """Base of routers. No network, no database, no clock except ``question.now``."""

    name: ClassVar[str]
    display_name: ClassVar[str]
    plugin_api: ClassVar[int] = PLUGIN_API
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Any) -> None:
        self.settings = settings


class Decides(Router):
    """Answers questions."""

    @abstractmethod
    def decide(self, questions: Sequence[Question]) -> list[Decision | None]:
        """One answer per question, in order; ``None`` means "no opinion".

        The hub asks routers in configured order; the earlier one wins field by field. An error, or more than 2
        seconds, and the hub goes on without this router and notes it.
        """
