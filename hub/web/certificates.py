"""The page of certificates: each comparison of hub and helpdesk, what differed, and how to put it right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint

from hub.store import certificates as store
from hub.store.certificates import CertificateView
from hub.web.console import page
from hub.web.running import Running
from hub.web.sessions import login_required

blueprint = Blueprint("certificates", __name__, url_prefix="/console/certificates")

SHOWN = 14
PLOTTED = 40
WIDTH, HEIGHT = 640, 100
BASE, HIGHEST, BROADEST = 98, 90, 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One comparison in the plot; ``put_right`` stands on ``left``. Heights are in the plot's units."""

    x: float
    width: float
    left: float
    put_right: float
    made: CertificateView


@dataclass(frozen=True, slots=True)
class Helpdesk:
    """One connection with its certificates, newest first. ``top`` is the plot's highest number of differences."""

    name: str
    made: list[CertificateView]
    bars: list[Bar]
    top: int
    command: str
    repair: str

    @property
    def first_at(self) -> datetime:
        """Where the plot begins."""
        return self.bars[0].made.at


@blueprint.get("")
@login_required
def every() -> str:
    """Every helpdesk that was compared, with its plot and its newest differences."""
    with Running.here().hub.store.read() as read:
        desks = [_helpdesk(name, store.latest(read, name)) for name in store.named(read)]
        return page("console/certificates.html", read, desks=desks, plot=(WIDTH, HEIGHT, BASE))


def _helpdesk(name: str, made: list[CertificateView]) -> Helpdesk:
    newest = made[0]
    command = f"hub reconcile {name}{' --all' if newest.whole else ''}"
    plotted = list(reversed(made[:PLOTTED]))
    top = max((one.found for one in plotted), default=0)
    step = WIDTH / len(plotted)
    width = min(BROADEST, step * 0.7)
    bars = [
        Bar(
            x=round(place * (WIDTH - width) / max(len(plotted) - 1, 1), 1),
            width=round(width, 1),
            left=round(one.left * HIGHEST / max(top, 1), 1),
            put_right=round(one.repaired * HIGHEST / max(top, 1), 1),
            made=one,
        )
        for place, one in enumerate(plotted)
    ]
    return Helpdesk(name, made[:SHOWN], bars, top, command, f"{command} --repair")
