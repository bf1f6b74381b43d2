"""The quality tiers: what each asks for, and whether a connector has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from hub.testing.pytest_plugin import Result
from hub.testing.quality import FRESH_DAYS, TIERS, Quality, is_fresh, proof_problem

_MAPPED = re.compile(r"^(check_connection|\w+_under\b)")
"""The checks that vendor errors are told as ours, rate limits with them."""
_TWO_WAY = {"source": {"RepliesInPublic", "RepliesInPrivate"}, "sink": {"ReportsChanges", "ReceivesWebhooks"}}


@dataclass(frozen=True, slots=True)
class Broken:
    """One rule that is not kept."""

    tier: str
    lacks: str


@dataclass(frozen=True, slots=True)
class Held:
    """The tier a connector has earned (empty: none), and what it lacks for the higher ones. ``stale`` says that only
    the age of the recorded run keeps it from gold."""

    tier: str
    broken: tuple[Broken, ...]
    stale: bool = False

    def broken_until(self, tier: str) -> list[Broken]:
        """What is missing for ``tier``."""
        wanted = TIERS[: TIERS.index(tier) + 1] if tier in TIERS else TIERS[:1]
        return [rule for rule in self.broken if rule.tier in wanted]


def judge(
    connector: type,
    side: str,
    roles: tuple[str, ...],
    quality: Quality,
    results: Mapping[str, Result],
    today: date | None = None,
) -> Held:
    """Hold a connector against every rule. ``results`` may be of a part of the checks: the others count as green."""
    today = today or datetime.now(UTC).date()
    broken = [
        Broken("bronze", f"the check {name} fails") for name, result in results.items() if result.outcome == "failed"
    ]
    if not quality.owner.strip():
        broken.append(Broken("silver", "an owner in quality.toml"))
    broken += [
        Broken("silver", f"the check {name}, which is waived") for name in quality.waivers if _MAPPED.match(name)
    ]
    if side == "router":
        return _held([*broken, Broken("gold", "a vendor: gold is for sources and sinks")])
    if not _TWO_WAY[side] & set(roles):
        broken.append(Broken("gold", f"one of the roles {', '.join(sorted(_TWO_WAY[side]))}"))
    problem = proof_problem(quality.proven, today) if quality.proven else "a recorded run in [proven]"
    if problem:
        return _held([*broken, Broken("gold", problem)])
    # Age lowers the badge and fails nothing: a check that turns red by itself one day helps nobody.
    return _held(broken, stale=not is_fresh(quality.proven, today))


def _held(broken: list[Broken], *, stale: bool = False) -> Held:
    held = ""
    for tier in TIERS:
        if any(rule.tier == tier for rule in broken) or (tier == "gold" and stale):
            break
        held = tier
    return Held(held, tuple(broken), stale)


def stale_words(quality: Quality) -> str:
    """What to say of a run that is too old."""
    return f"the run of {quality.proven.get('date')} is older than {FRESH_DAYS} days: silver until it is run again"
