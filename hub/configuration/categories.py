"""categories.toml: what requests are about, and what must be known to solve each. Nothing is asked without purpose."""

from __future__ import annotations

from typing import Self

import regex
from pydantic import Field, field_validator, model_validator

from hub.configuration.hub_file import Table
from hub.configuration.teams import Label, LabelIn


def as_word(find: str) -> str:
    """The expression ``find``, but not inside of a longer word, number, path or handle."""
    return rf"(?<![\w/@-])(?:{find})(?![\w/@-])"


class CategoryField(Table):
    """One thing to know. ``pattern`` is a regular expression the whole answer must match (empty: anything goes);
    ``find`` is what it looks like inside a text (empty: it is never taken from one)."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="lower-case letters, digits and _, at most 40",
        examples=["order_number"],
    )
    purpose: str = Field(min_length=1, examples=["to find the parcel"])
    pattern: str = Field("", examples=["[A-Z]{2}-?[0-9]{6}"])
    find: str = Field("", examples=["[A-Z]{2}-[0-9]{6}"])
    label: LabelIn = Field(Label(), examples=['{ en = "Order number", it = "Numero d\'ordine" }'])
    example: str = Field("", examples=["AB-123456"])

    @field_validator("purpose")
    @classmethod
    def _said(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("a field without purpose is refused: say what it is needed for")
        return value

    @model_validator(mode="after")
    def _expressions_work(self) -> Self:
        for key, expression in (("pattern", self.pattern), ("find", self.find)):
            if not expression:
                continue
            who = f'field "{self.name}": '
            try:
                compiled = regex.compile(as_word(expression) if key == "find" else expression)
            except regex.error as error:
                raise ValueError(f"{who}{key} is no regular expression: {error}") from None
            try:
                if self.example and not compiled.fullmatch(self.example, timeout=1):
                    raise ValueError(f'{who}its own example "{self.example}" does not match {key}')
                if key == "find" and compiled.search("", timeout=1):
                    raise ValueError(f"{who}find matches an empty text")
            except TimeoutError:
                raise ValueError(f"{who}{key} takes too long on its own example") from None
        return self


class Category(Table):
    """One subject of requests with the fields it needs."""

    name: str = Field(exclude=True)
    label: LabelIn = Field(Label(), examples=['{ en = "Delivery", it = "Consegna" }'])
    fields: tuple[CategoryField, ...] = ()

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        names = [field.name for field in self.fields]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the field {twice[0]} is there twice")
        return self
