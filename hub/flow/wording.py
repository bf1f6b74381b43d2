"""What an agent wrote, made fit for the public: without signature and quoted mail, and looked at for personal data."""

from __future__ import annotations

import re
import unicodedata

_TITLE = 80
_QUOTE_HEADER = re.compile(
    r"^(On .{5,80} wrote:|Il .{5,80} ha scritto:|-{2,} ?(Original Message|Messaggio originale).*)$", re.IGNORECASE
)
_DIGITS = re.compile(r"\d+")
_BETWEEN = re.compile(r"[\s.\-\u2010-\u2015_]{0,3}")
_CARD = re.compile(r"4(\d{12}|\d{15}|\d{18})|(5[1-5]|2[2-7])\d{14}|3[47]\d{13}|6\d{15,18}")
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[\s.\-\u2010-\u2015]{0,2}[A-Z0-9]){11,30}")
IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18,
    "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "TR": 26, "VA": 22,
}  # fmt: skip
"""Letters and digits of a country's IBAN (SWIFT IBAN registry, 2026)."""


def clean(text: str) -> str:
    """The answer without its signature and the quoted mail at its end.

    A quote is only what runs to the end: a line that looks like one in the middle of an answer is the agent's own.
    """
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    if "--" in lines[1:]:  # RFC 3676: what follows is the signature
        lines = lines[: lines.index("--", 1)]
    lines = _without_quote(lines)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _without_quote(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and (not lines[end - 1] or lines[end - 1].startswith(">")):
        end -= 1
    quoted = any(line.startswith(">") for line in lines[end:])
    if quoted and end and _QUOTE_HEADER.match(lines[end - 1]):
        end -= 1
    if not quoted:
        headers = (place for place, line in enumerate(lines) if line.startswith("--") and _QUOTE_HEADER.match(line))
        end = next((place for place in headers if place), len(lines))
    return lines[:end] if any(lines[:end]) else lines


def personal_data(text: str) -> str:
    """The kind of personal data a public answer must not show; empty when there is none."""
    visible = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    if any(_is_iban(match.group()) for match in _IBAN.finditer(visible.upper())):
        return "IBAN"
    return "card number / numero di carta" if _has_card(visible) else ""


def _is_iban(found: str) -> bool:
    plain = "".join(filter(str.isalnum, found))
    plain = plain[: IBAN_LENGTHS.get(plain[:2], 0)]
    return len(plain) > 4 and int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _has_card(text: str) -> bool:
    """A card may stand between other numbers and be broken anywhere: every run of neighbouring groups is tried."""
    groups = list(_DIGITS.finditer(text))
    for first in range(len(groups)):
        digits, last = "", first
        while last < len(groups) and len(digits) < 19:
            if last > first and not _BETWEEN.fullmatch(text, groups[last - 1].end(), groups[last].start()):
                break
            digits += groups[last].group()
            if _CARD.fullmatch(digits) and _luhn(digits):
                return True
            last += 1
    return False


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def first_words(text: str) -> str:
    """The first words of a text, at most 80 characters."""
    words = " ".join(text.split())
    return words if len(words) <= _TITLE else words[: _TITLE - 1].rsplit(" ", 1)[0] + "…"
