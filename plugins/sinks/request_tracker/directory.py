"""Who is who in RT: our own account and the people who write. Remembered for a while: each look-up is a call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from hub.sdk import Agent, Refused
from plugins.sinks.request_tracker.client import RequestTrackerClient
from plugins.sinks.request_tracker.errors import GONE
from plugins.sinks.request_tracker.payloads import NOBODY, SYSTEM_USER, text_of
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

_LASTS = timedelta(minutes=15)
_KEEP = 5000


class Directory:
    """One per connector instance."""

    def __init__(
        self, client: RequestTrackerClient, settings: RequestTrackerSettings, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._settings = settings
        self._now = now
        self._known: OrderedDict[str, tuple[datetime, Agent]] = OrderedDict()
        self._logins: dict[str, tuple[datetime, str]] = {}
        self._our_name = ""

    @property
    def our_name(self) -> str:
        """The name of the account the token belongs to."""
        if not self._our_name:
            self._our_name = text_of(self._client.user(self._settings.user_id)["Name"])
        return self._our_name

    def read(self, names: Iterable[str]) -> None:
        """Look up the users not known or known for too long, one call each."""
        stale = self._now() - _LASTS
        for name in sorted(set(names)):
            if name in ("", NOBODY, SYSTEM_USER, self.our_name):
                continue
            if name not in self._known or self._known[name][0] < stale:
                self._known[name] = (self._now(), self._look_up(name))
                self._known.move_to_end(name)
                while len(self._known) > _KEEP:
                    self._known.popitem(last=False)

    def agent(self, name: str) -> Agent:
        """The user as author or owner; empty for nobody. Call ``read`` first: this makes no call."""
        if name in ("", NOBODY):
            return Agent()
        if name == SYSTEM_USER:
            return Agent(id=name, name="Request Tracker", role="system")
        if name == self._our_name:
            return Agent(id=name, name=name, role="hub")
        known = self._known.get(name)
        return known[1] if known else Agent(id=name, name=name)

    def login(self, said: str) -> str:
        """The user name of whom somebody calls by user name, e-mail address or real name; ``said`` itself when that is
        nobody, or not one person. RT takes an owner by user name only."""
        stale = self._now() - _LASTS
        if said not in self._logins or self._logins[said][0] < stale:
            self._logins[said] = (self._now(), self._find_login(said))
        return self._logins[said][1]

    def _find_login(self, said: str) -> str:
        try:
            return text_of(self._client.user(said)["Name"])
        except Refused as error:
            if error.detail != GONE:
                raise
        found = self._client.users("EmailAddress" if "@" in said else "RealName", [said])
        return text_of(found[0].get("Name")) if len(found) == 1 else said

    def _look_up(self, name: str) -> Agent:
        try:
            user = self._client.user(name)
        except Refused as error:
            if error.detail != GONE:
                raise
            return Agent(id=name, name=name)  # no role: nobody who may speak
        return Agent(
            id=name,
            name=text_of(user.get("RealName")) or name,
            role=self.role(name, privileged=text_of(user.get("Privileged")) == "1"),
        )

    def role(self, name: str, *, privileged: bool) -> str:
        """The role of a user: only "agent" speaks to customers and gets tickets."""
        if not privileged:
            return "end-user"
        chosen, refused = self._settings.agents, self._settings.not_agents
        folded = name.casefold()
        if folded in map(str.casefold, refused) or (chosen and folded not in map(str.casefold, chosen)):
            return "other:privileged"
        return "agent"
