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
    """Lower-case; equals the entry point and the folder."""
    display_name: ClassVar[str]
    """What people call it."""
    plugin_api: ClassVar[int] = PLUGIN_API
    """The plugin API it was written for; another one than the hub's is refused with both numbers."""
    Settings: ClassVar[type[Settings]] = Settings
    """The model of its settings."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings


class Decides(Router):
    """Answers questions."""

    @abstractmethod
    def decide(self, questions: Sequence[Question]) -> list[Decision | None]:
        """One answer per question, in order; ``None`` means "no opinion".

        Called once per batch of new customer messages, in a thread of its own, for each router in configured order.
        Return as many answers as there are questions. It should raise nothing: an error, more than 2 seconds, or
        another number of answers, and the hub goes on without this router and notes it among the reasons. The earlier
        router wins field by field; a kind or priority that is not among ours is dropped. Since plugin API 1.
        """
