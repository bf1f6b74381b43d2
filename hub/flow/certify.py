"""Once a night each helpdesk is compared with what the store holds, a record at a time; nothing is repaired."""

from __future__ import annotations

import logging
from datetime import datetime, time, timedelta

from hub.configuration import TRIAL_PREFIX
from hub.flow.hub import Hub
from hub.flow.reconcile import Comparison, able
from hub.store import certificates, connections

log = logging.getLogger("hub.certify")

CATCHES_UP_FOR = timedelta(hours=6)
"""A hub that was down at the hour begins this much later still; after that it waits for the next night."""
FIRST_LOOKS_BACK = timedelta(days=7)
OVERLAP = timedelta(hours=1)


class Nightly:
    """The comparisons of one hub. ``at`` is the local time, ``HH:MM``; empty: never. Helpdesks of a trial are left out:
    they forget. What was begun when the hub ends is begun anew."""

    def __init__(self, hub: Hub, at: str = "") -> None:
        self._hub = hub
        self._at = time.fromisoformat(at) if at else None
        self._done: dict[str, datetime] = {}
        self._running: Comparison | None = None

    def step(self) -> int:
        """Compare one record when it is time and the vendor may be asked; how many there were."""
        if self._at is None:
            return 0
        if self._running is None:
            self._running = self._next()
        if self._running is None or self._running.pause() > 0:
            return 0
        running = self._running
        try:
            if running.step():
                return 1
            made = running.finish()
            log.info("%s: %d records compared, %d differences", running.name, made.records, made.left)
        except Exception:  # whatever it was, the next night is another one; the flow has its own alarms
            log.exception("%s could not be compared tonight", running.name)
        self._running = None
        return 0

    def _next(self) -> Comparison | None:
        hour = self._hour()
        if hour is None:
            return None
        hub = self._hub
        for name in able(hub):
            if name.startswith(TRIAL_PREFIX) or self._done.get(name) == hour or name not in hub.checked:
                continue
            with hub.store.read() as connection:
                row = connections.get(connection, name)
                known = certificates.latest(connection, name)
            if row.paused:
                continue
            self._done[name] = hour
            if known and known[0].at >= hour:
                continue
            return Comparison(hub, name, since=_since(known, hour))
        return None

    def _hour(self) -> datetime | None:
        """Tonight's hour, when it has just come."""
        assert self._at is not None  # noqa: S101 - step() looked
        now = self._hub.now()
        hour = now.astimezone().replace(hour=self._at.hour, minute=self._at.minute, second=0, microsecond=0)
        if hour > now:
            hour -= timedelta(days=1)
        return hour if now - hour < CATCHES_UP_FOR else None


def _since(known: list[certificates.CertificateView], hour: datetime) -> datetime:
    """All that was touched since both sides last agreed: what differed last night is looked at again."""
    agreed = next((one.at for one in known if one.agrees), None)
    return agreed - OVERLAP if agreed else min([hour - FIRST_LOOKS_BACK, *(one.since for one in known if one.since)])
