"""Real wheels, made by hand: a zip with metadata and a RECORD, as pip takes them."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

SINK = """
from hub.sdk import Account, DeliversTickets, Field, Settings, Sink, hookimpl

class DeskSettings(Settings):
    base_url: str = Field("", description="Where it is")

class Desk(Sink, DeliversTickets):
    name = "desk"
    display_name = "Desk"
    plugin_api = 1
    reaches = ("{base_url}", "status.example.com")
    Settings = DeskSettings

    def check_connection(self):
        return Account(fingerprint="1")

    def deliver(self, deliveries):
        return []

@hookimpl
def register_sinks():
    return [Desk]
"""
"""A sound plugin; tests break it by replacing a line."""


def make_wheel(
    folder: Path,
    name: str = "sch-desk",
    files: Mapping[str, str] | None = None,
    *,
    version: str = "1.0",
    points: Mapping[str, str] | None = None,
    requires: Iterable[str] = (),
    metadata: str = "License-Expression: MIT\n",
    entry_points: str = "",
    unlisted: Iterable[str] = (),
) -> Path:
    """A wheel of ``files`` (by default a sound plugin ``desk``). ``unlisted`` are left out of RECORD."""
    module = name.replace("-", "_")
    files = {f"{module}/__init__.py": SINK, f"{module}/quality.toml": 'tier = "bronze"\n'} if files is None else files
    points = {"desk": module} if points is None else points
    info = f"{module}-{version}.dist-info"
    group = "".join(f"{point} = {target}\n" for point, target in points.items())
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    every = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{metadata}{needs}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": (f"[social_care_hub]\n{group}" if points else "") + entry_points,
    }
    left_out = set(unlisted)
    record = "".join(
        f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in every.items() if path not in left_out
    )
    target = folder / f"{module}-{version}-py3-none-any.whl"
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in {**every, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return target


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
