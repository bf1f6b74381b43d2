"""What is in a wheel, before it is installed: read from the archive, without importing or running anything of it."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import sys
import tomllib
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from hub.catalogue.contract import connector_name
from hub.catalogue.reading import Declared, Hint, read
from hub.sdk.connectors import PLUGIN_API
from hub.sdk.hookspecs import ENTRY_POINT_GROUP

RESERVED = ("plugins", "hub", "config", "tests")
"""Top-level names a plugin may not ship: the first two are ours, the others belong to whoever is in that folder."""

_RUN_AT_START = ("sitecustomize", "usercustomize")
_OUR_COMMANDS = re.compile(r"hub|social-care-hub|(pip|python)[0-9.]*")
_COMPILED = (".so", ".pyd", ".dll", ".dylib", ".pyc")
_CODE = (".py", *_COMPILED)
_LARGEST_SOURCE = 2 * 1024 * 1024
_LARGEST_WHEEL = 500 * 1024 * 1024


class NotAWheel(Exception):
    """The file is no wheel one could read; the message says why."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel. ``refused`` is every reason not to install it; ``declared`` is what its code says of itself.

    ``points`` are its entry points in our group (name -> module), ``scripts`` the commands it installs.
    """

    file: Path
    sha256: str
    name: str
    version: str
    licence: str
    summary: str
    requires: tuple[str, ...]
    points: Mapping[str, str]
    scripts: tuple[str, ...]
    other_groups: tuple[str, ...]
    packages: tuple[str, ...]
    tier: str
    declared: Declared
    refused: tuple[str, ...]

    @property
    def pin(self) -> str:
        """The line of a requirements file that means exactly this archive."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def sha256_of(file: Path) -> str:
    """The hash of a file, in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_wheel(file: Path, *, taken: Mapping[str, Collection[str]] | None = None) -> Wheel:
    """Read a wheel. ``taken`` says which top-level packages the installed distributions bring (package -> names of
    distributions). Raises :class:`NotAWheel`."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _read(file, archive, taken or {})
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, ValueError, RuntimeError, EOFError) as error:
        raise NotAWheel(f"{file.name} is no wheel that can be read: {type(error).__name__}: {error}") from error


def _read(file: Path, archive: zipfile.ZipFile, taken: Mapping[str, Collection[str]]) -> Wheel:
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    infos = {name.partition("/")[0] for name in names if name.partition("/")[0].endswith(".dist-info")}
    if len(infos) != 1:
        raise ValueError(f"it has {len(infos)} .dist-info folders")
    info = infos.pop()
    if sum(entry.file_size for entry in archive.infolist()) > _LARGEST_WHEEL:
        raise ValueError("it unpacks to more than 500 MiB")
    metadata = HeaderParser().parsestr(archive.read(f"{info}/METADATA").decode())
    name, version = str(metadata["Name"] or ""), str(metadata["Version"] or "")
    if not name or not version or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError("its metadata has no name and version")
    groups = _entry_points(archive, f"{info}/entry_points.txt")
    scripts = sorted({*groups.pop("console_scripts", {}), *groups.pop("gui_scripts", {}), *_data_scripts(names)})
    places = list(_importable(names))
    declared = read((path, archive.read(path)) for path in names if path.endswith(".py") and _small(archive, path))
    unread = [Hint(path, 1, "is compiled or too large: cannot be read") for path in names if _unread(archive, path)]
    points = groups.pop(ENTRY_POINT_GROUP, {})
    wheel = Wheel(
        file=file,
        sha256=sha256_of(file),
        name=name,
        version=version,
        licence=_licence(metadata),
        summary=str(metadata["Summary"] or ""),
        requires=tuple(metadata.get_all("Requires-Dist") or ()),
        points=points,
        scripts=tuple(scripts),
        other_groups=tuple(sorted(groups)),
        packages=tuple(sorted({root for root, _ in places})),
        tier=_tier(archive, names, points),
        declared=replace(declared, hints=(*declared.hints, *unread)),
        refused=(),
    )
    whole = {root for root, path in places if path in (f"{root}/__init__.py", f"{root}.py")}
    refused = [
        *_damage(archive, names, info),
        *_places(names),
        *_clashes(wheel, whole, taken),
        *_of_the_contract(wheel),
    ]
    return replace(wheel, refused=tuple(dict.fromkeys(refused)))


def _small(archive: zipfile.ZipFile, path: str) -> bool:
    return archive.getinfo(path).file_size <= _LARGEST_SOURCE


def _unread(archive: zipfile.ZipFile, path: str) -> bool:
    return path.endswith(_COMPILED) or (path.endswith(".py") and not _small(archive, path))


def _licence(metadata: Message) -> str:
    """The licence as its author names it; the first line only, for some put the whole text there."""
    for key in ("License-Expression", "License"):
        if str(metadata.get(key) or "").strip():
            return str(metadata[key]).strip().splitlines()[0][:80]
    return ""


def _entry_points(archive: zipfile.ZipFile, path: str) -> dict[str, dict[str, str]]:
    if path not in archive.namelist():
        return {}
    # As importlib.metadata reads it, and so pip and the hub. Not ConfigParser: to it an indented line goes on with the
    # one before, and would hide what is installed.
    groups: dict[str, dict[str, str]] = {}
    group: dict[str, str] = {}
    for line in map(str.strip, archive.read(path).decode().splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = groups.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            group[name.strip()] = value.strip()
    return groups


def _data_scripts(names: list[str]) -> Iterator[str]:
    for name in names:
        parts = PurePosixPath(name).parts
        if len(parts) > 2 and parts[0].endswith(".data") and parts[1] == "scripts":
            yield parts[-1]


def _importable(names: list[str]) -> Iterator[tuple[str, str]]:
    """``(top-level name, path)`` of each file that ends on ``sys.path``; a module's name without its suffix."""
    for name in names:
        parts = PurePosixPath(name).parts
        if parts[0].endswith(".data"):
            parts = parts[2:] if len(parts) > 2 and parts[1] in ("purelib", "platlib") else ()
        if parts and not parts[0].endswith(".dist-info"):
            yield (parts[0] if len(parts) > 1 else parts[0].partition(".")[0]), name


def _tier(archive: zipfile.ZipFile, names: list[str], points: Mapping[str, str]) -> str:
    """The tier its author claims, from the quality.toml beside a connector."""
    folders = [module.partition(":")[0].replace(".", "/") for module in points.values()]
    for name in names:
        if name.endswith("/quality.toml") and any(name.startswith(folder + "/") for folder in folders):
            try:
                return str(tomllib.loads(archive.read(name).decode()).get("tier", ""))
            except ValueError:
                return ""
    return ""


def _damage(archive: zipfile.ZipFile, names: list[str], info: str) -> Iterator[str]:
    """A file twice, or one that RECORD does not vouch for: pip installs both without a word."""
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        yield f"it holds {min(twice)} twice"
    try:
        rows = {row[0]: row[1] for row in csv.reader(archive.read(f"{info}/RECORD").decode().splitlines()) if row}
    except (KeyError, IndexError):
        yield "it has no readable list of its files (RECORD)"
        return
    for name in names:
        if name.startswith(f"{info}/RECORD"):
            continue
        kind, _, digest = rows.get(name, "").partition("=")
        if kind not in ("sha256", "sha384", "sha512"):
            yield f"its list of files (RECORD) does not name {name}"
            return
        found = base64.urlsafe_b64encode(hashlib.new(kind, archive.read(name)).digest()).rstrip(b"=").decode()
        if found != digest:
            yield f"{name} is not the file its list (RECORD) means"
            return


def _lies_loose(path: PurePosixPath) -> bool:
    return len(path.parts) == 1 and path.suffix not in _CODE


def _places(names: list[str]) -> Iterator[str]:
    """Files that would end outside the plugin's own packages."""
    for name in names:
        path = PurePosixPath(name)
        top = path.parts[0]
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            yield f"it holds {name}, a path that leads elsewhere"
        elif top.endswith(".data") and any(part.endswith((".dist-info", ".egg-info")) for part in path.parts):
            yield f"it hides a second distribution in itself: {name}"
        elif name.endswith(".pth"):
            yield f"it ships {name}: Python would run its lines at every start"
        elif path.parts[1:2] in (("data",), ("headers",)) if top.endswith(".data") else _lies_loose(path):
            yield f"it puts a file outside of its own packages: {name}"


def _clashes(wheel: Wheel, whole: Collection[str], taken: Mapping[str, Collection[str]]) -> Iterator[str]:
    """``whole``: the packages that are no namespaces. A library may add to a namespace of others, a plugin may not."""
    known = next(map(connector_name, wheel.points), "") or normal(wheel.name).removeprefix("sch-").replace("-", "_")
    better = f"sch_{known}"
    for package in wheel.packages:
        others = sorted(one for one in taken.get(package, ()) if normal(one) != normal(wheel.name))
        if package in RESERVED:
            why = (
                "which would shadow what comes with the hub"
                if package in ("plugins", "hub")
                else "a name of everybody's"
            )
            yield f'it ships a top-level package "{package}", {why}; its author must rename it, for example to {better}'
        elif package in _RUN_AT_START:
            yield f'it ships "{package}", which Python runs at every start'
        elif package in sys.stdlib_module_names:
            yield f'it ships a top-level package "{package}", which is one of Python\'s own'
        elif others and (wheel.points or package in whole):
            yield f'it ships a top-level package "{package}", which belongs to {", ".join(others)}'
    for script in wheel.scripts:
        if "/" in script or "\\" in script:
            yield f'it installs a command "{script}", a path that leads elsewhere'
        elif _OUR_COMMANDS.fullmatch(script):
            yield f'it installs a command "{script}" over the one that is there'


def _of_the_contract(wheel: Wheel) -> Iterator[str]:
    for api in wheel.declared.plugin_apis if wheel.points else ():
        if api != PLUGIN_API:
            upgrade = "upgrade social-care-hub" if api > PLUGIN_API else "ask its author for a newer one"
            yield f"it speaks plugin API {api}, this hub speaks plugin API {PLUGIN_API}: {upgrade}"
    for point, module in wheel.points.items():
        if re.split(r"[.:\s\[]", module, maxsplit=1)[0] not in wheel.packages:
            yield f'its entry point "{point}" runs {module}, which is not in it'
        if point != point.lower():
            yield f'its entry point "{point}" must be lower-case'
