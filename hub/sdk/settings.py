"""How a connector declares its settings: one pydantic model, which is the schema, the docs and the check."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

Secret = SecretStr
"""A value that never shows in ``repr``, logs or errors. In TOML: ``{ env = "NAME" }`` or ``{ file = "/path" }``."""


class Settings(BaseModel):
    """Base of every connector's settings. Unknown keys are refused; give each field a description and an example."""

    # An error of the block as a whole would otherwise print it, with its tokens.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _base_url(value: str) -> str:
    value = value.rstrip("/")
    if not value.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
        raise ValueError("must start with https:// (plain http only for this machine)")
    return value


BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""An address without its trailing slash, https unless it is this machine."""


def listener_url(value: str) -> str:
    """``value`` when it may be called: https, or plain http on this machine; empty stays so. Raises ``ValueError``."""
    # Not BaseUrl: a trailing slash and a query belong to the address of a listener.
    parts = urlsplit(value)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if value and (not parts.hostname or not (parts.scheme == "https" or local)):
        raise ValueError("must start with https:// (plain http only for this machine)")
    return value


ListenerUrl = Annotated[str, AfterValidator(listener_url)]
"""An address that is called as it stands, with its slash and query; empty: there is none."""


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("is not a time zone such as Europe/Rome") from error
    return value


TimeZone = Annotated[str, AfterValidator(_time_zone)]
"""The name of a time zone (``Europe/Rome``)."""

__all__ = ["BaseUrl", "Field", "ListenerUrl", "Secret", "Settings", "TimeZone", "listener_url", "model_validator"]
