"""One round of everything, in the caller's thread: what threads and workers run, and tests step through."""

from __future__ import annotations

import logging
from datetime import timedelta

from hub.configuration import Alerts
from hub.flow import alert, check, deliver, incident, poll, staff, take
from hub.flow.certify import Nightly
from hub.flow.hub import Hub
from hub.flow.late import Late
from hub.flow.radar import Radar
from hub.sdk.connectors import Delivers, Polls
from hub.store import Tx, connections, deliveries, inbox

log = logging.getLogger("hub.engine")

ALERT_AGAIN_AFTER = timedelta(seconds=15)
KEEP_ARRIVALS = timedelta(days=7)


class Engine:
    """Runs a hub's flow."""

    def __init__(self, hub: Hub, alerts: Alerts | None = None, *, reconcile_at: str = "") -> None:
        self.hub = hub
        self.alerts = alerts or Alerts()
        self._alert_after = hub.now()
        self.nightly = Nightly(hub, reconcile_at)
        self._staff_after = {name: hub.now() for name in staff.sinks(hub)}
        self.radar = Radar(hub)
        self.late = Late(hub)
        self.polling = [name for name, one in hub.connected.items() if one.has(Polls)]
        self.sending = [name for name, one in hub.connected.items() if one.has(Delivers)]

    def prepare(self, *, alone: bool) -> None:
        """Make the connections' rows and free what a dead process held. ``alone``: no other process works on this
        database, so that nothing need wait for a lease."""

        def unit(tx: Tx) -> int:
            now = self.hub.now()
            for name, one in self.hub.connected.items():
                connections.ensure(
                    tx, name=name, connector=one.connector.name, side=one.side, mode=one.config.mode, now=now
                )
                connections.change(tx, name, probe_at=None)  # whose account is it, before anything is read or said
            # A sink that never started yet can still be what tickets wait for.
            known, sinks = connections.names(tx.connection), {team.sink for team in self.hub.teams.teams.values()}
            for name, config in self.hub.left_out.items():
                if name in sinks - known:
                    connections.ensure(
                        tx, name=name, connector=config.connector, side="sink", mode=config.mode, now=now
                    )
            return deliveries.recover(tx, now=now, everything=alone)

        freed = self.hub.store.run(unit)
        if freed:
            log.warning("%d lanes were held by a hub that died; what was being sent is looked up now", freed)
        self.radar.tell_at_start()

    def step(self) -> int:
        """Do one round; return how much there was to do (0: idle until the clock moves)."""
        done = self.check()
        self.staff()
        for name in self.polling:
            if poll.due(self.hub, name):
                done += poll.poll(self.hub, name)
        for name in self.hub.connected:
            done += take.take(self.hub, name)
        for name in self.sending:
            done += deliver.drain(self.hub, name)
        self.sweep()
        self.alert()
        self.late.step()
        return done + self.nightly.step()

    def alert(self) -> None:
        """Tell people about alarms; who cannot be reached is tried again after a while."""
        now = self.hub.now()
        if now >= self._alert_after and not alert.alert(self.hub, self.alerts):
            self._alert_after = now + ALERT_AGAIN_AFTER

    def check(self) -> int:
        """Check the connections that are due for it, and renew tokens; return how many answered or were renewed."""
        answered = [name for name in check.due(self.hub) if check.check_quietly(self.hub, name)]
        for name in answered:
            self.radar.look_soon(name)
        return len(answered) + self.radar.step()

    def staff(self) -> None:
        """Ask the helpdesks who is there to answer, every few minutes."""
        now = self.hub.now()
        for name, after in self._staff_after.items():
            if now >= after and name in self.hub.checked:
                staff.refresh(self.hub, name)
                self._staff_after[name] = now + staff.EVERY

    def sweep(self) -> None:
        """Free lanes whose lease is over."""
        self.hub.store.run(lambda tx: deliveries.recover(tx, now=self.hub.now(), everything=False))

    def prune(self) -> int:
        """Drop old raw bodies, and turns of copies; return how many bodies."""
        self.hub.store.run(lambda tx: incident.forget(tx, now=self.hub.now()))
        return self.hub.store.run(lambda tx: inbox.prune_arrivals(tx, before=self.hub.now() - KEEP_ARRIVALS))
