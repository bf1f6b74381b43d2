"""How a connector declares its settings: one pydantic model, which is the schema, the docs and the check."""

from __future__ import annotations

from typing import Annotated

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

__all__ = ["BaseUrl", "Field", "Secret", "Settings", "model_validator"]
