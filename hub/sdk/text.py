"""Text between platforms: HTML to plain text, lengths in the platform's units, splitting."""

from __future__ import annotations

import re

import regex

from hub.sdk.deliveries import ReplyLimits

LONG = 4_000
"""Characters from which on a regular expression should let other threads run (``concurrent``): for a shorter text,
waiting for one's turn again costs more than the search."""

_URL = re.compile(r"https?://[^\s<>\"]+")
_BLANKS = re.compile(r"[ \t\n\f]+")
_BLANKS_AT_THE_EDGE = re.compile(r" *\n *")
_BLOCKS = ("p", "div", "li", "blockquote", "pre", "h1", "h2", "h3", "h4", "tr")


def html_to_text(html: str) -> str:
    """Plain text of an HTML fragment: ``<br>`` is a new line, paragraphs are parted by a blank line, scripts and
    styles vanish, links keep their text (Mastodon hides parts of a link in spans: the full address is kept). A new line
    of the source is a blank, as browsers show it, but for ``<pre>``, and for a text without any markup."""
    if "<" not in html and "&" not in html:
        return html.strip()
    from bs4 import BeautifulSoup  # heavy; most texts are plain
    from bs4.element import NavigableString

    soup = BeautifulSoup(re.sub(r"\r\n?", "\n", html), "html.parser")
    for gone in soup(["script", "style"]):
        gone.decompose()
    for words in [node for node in soup.find_all(string=True) if type(node) is NavigableString]:
        # A blank that does not collapse becomes one that never does, until the end.
        kept = words.find_parent("pre") is not None
        words.replace_with(words.replace(" ", "\xa0") if kept else _BLANKS.sub(" ", words))
    for line_break in soup.find_all("br"):
        line_break.replace_with("\n")
    for block in soup.find_all(_BLOCKS):
        block.append("\n\n" if block.name in ("p", "blockquote", "pre", "h1", "h2", "h3", "h4") else "\n")
    text = _BLANKS_AT_THE_EDGE.sub("\n", soup.get_text())
    text = re.sub(r" {2,}", " ", text).replace("\xa0", " ")
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def length(text: str, limits: ReplyLimits) -> int:
    """The length of ``text`` as the platform counts it."""
    if limits.url_length is not None:
        text = _URL.sub("x" * limits.url_length, text)
    if limits.unit == "graphemes":
        return len(regex.findall(r"\X", text))
    if limits.unit == "utf8_bytes":
        return len(text.encode())
    return len(text)


def fits(text: str, limits: ReplyLimits) -> bool:
    """True when ``text`` keeps every limit of the platform."""
    return length(text, limits) <= limits.max_length and (
        limits.max_bytes is None or len(text.encode()) <= limits.max_bytes
    )


def split(text: str, limits: ReplyLimits, *, reserve: int = 0) -> list[str]:
    """Split ``text`` into parts that fit, at paragraph, sentence, word or at worst grapheme borders.

    Parts carry no numbering; ``reserve`` leaves room in each (in the platform's unit). Joining the parts gives back
    all words in order.
    """
    room = limits.model_copy(update={"max_length": limits.max_length - reserve})
    rest, parts = text.strip(), []
    while rest:
        if fits(rest, room):
            parts.append(rest)
            break
        cut = _cut(rest, room)
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return parts


def _cut(text: str, room: ReplyLimits) -> int:
    longest = _longest_prefix(text, room)
    head = text[:longest]
    for border in (r"\n\n", r"[.!?…]\s", r"\n", r"\s"):
        places = [match.end() for match in re.finditer(border, head)]
        if places and places[-1] > longest // 2:
            return places[-1]
    spaces = [match.end() for match in re.finditer(r"\s", head)]
    return spaces[-1] if spaces else longest


def _longest_prefix(text: str, room: ReplyLimits) -> int:
    borders = [match.end() for match in regex.finditer(r"\X", text)]
    low, high = 0, len(borders) - 1
    while low < high:  # the length of a prefix never shrinks as it grows, but for the end of a link: checked below
        middle = (low + high + 1) // 2
        if fits(text[: borders[middle]], room):
            low = middle
        else:
            high = middle - 1
    return max(borders[low], 1)
