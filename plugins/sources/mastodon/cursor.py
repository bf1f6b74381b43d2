"""Where a poll goes on: the newest ids seen, and the posts that are read again for edits and deletions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from hub.sdk import ConfigurationError


def age(status_id: str) -> tuple[int, str]:
    """Sort key of vendor ids: numbers as strings of growing length, so "9" comes before "10"."""
    return (len(status_id), status_id)


class Cursor(BaseModel):
    """``mentions`` is a notification id; ``private`` and ``own`` are status ids; ``"0"`` is before everything.

    ``watched`` holds ``(status id, revision)``, oldest first; ``looked_at`` is the last one read again.
    """

    model_config = ConfigDict(extra="forbid")

    mentions: str = "0"
    private: str = "0"
    own: str = "0"
    watched: list[tuple[str, str]] = []
    looked_at: str = ""

    @classmethod
    def load(cls, stored: dict[str, Any]) -> Cursor:
        """Read a stored cursor. Raises ``ConfigurationError`` when it is not one of ours."""
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            raise ConfigurationError("the stored cursor is not one of this connector", detail=str(error)) from error

    def watch(self, status_id: str, revision: str, keep: int) -> None:
        """Remember a post and its revision; only the ``keep`` newest stay."""
        self.forget(status_id)
        self.watched.append((status_id, revision))
        self.watched.sort(key=lambda entry: age(entry[0]))
        del self.watched[: max(0, len(self.watched) - keep)]

    def forget(self, status_id: str) -> None:
        """Stop watching a post."""
        self.watched = [entry for entry in self.watched if entry[0] != status_id]

    def due(self, count: int) -> dict[str, str]:
        """The ``count`` posts to read again now, with the revisions known: half of them the newest, because people
        correct and delete what they have just written, the others in turn."""
        newest = self.watched[-(count // 2) :]
        older = self.watched[: -len(newest)] if newest else self.watched
        after = [entry for entry in older if age(entry[0]) > age(self.looked_at)]
        turn = (after + older)[: min(count - len(newest), len(older))]
        if turn:
            self.looked_at = turn[-1][0]
        return dict(turn + newest)
