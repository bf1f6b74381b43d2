"""What the pages work with, tied to the application."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app

from hub.catalogue import Catalogue
from hub.configuration import HubConfig
from hub.flow.hub import Hub


@dataclass(frozen=True)
class Running:
    """The hub that runs, what it was configured with, and since when."""

    hub: Hub
    config: HubConfig
    catalogue: Catalogue
    started_at: datetime

    @staticmethod
    def here() -> Running:
        """The one of the application that answers this request."""
        return cast("Running", current_app.extensions["hub"])
