"""``hub plugins install`` and ``remove``: look at a plugin first, then install exactly what was looked at."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.opening import Misused, Stop, config_option, find_config

if TYPE_CHECKING:
    from hub.catalogue.reading import Hint
    from hub.catalogue.wheels import Wheel
    from hub.cli.packages import Pip

MOST_HINTS = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for. ``allowed`` are the hashes that may be installed (empty: any)."""

    what: str
    digest: str
    allowed: Collection[str]
    sdist: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """The plugin, the libraries that come along with it, and the lines that pin them."""

    plugin: Wheel
    along: Sequence[Wheel]
    pins: Sequence[str]


@click.command()
@click.argument("package", metavar="PKG")
@click.option("--hash", "digest", default="", metavar="sha256:…", help="Refuse any other file than this one.")
@click.option(
    "--requirements",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Allow only files whose hashes stand in this file (plugins.lock of another machine, say).",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-sdist", is_flag=True, help="Also take a source archive: building it runs its author's code.")
@click.option("--index-url", metavar="URL", help="As for pip.")
@click.option("--extra-index-url", metavar="URL", multiple=True, help="As for pip.")
@click.option("--no-index", is_flag=True, help="As for pip.")
@click.option("--find-links", metavar="PATH", multiple=True, help="As for pip.")
@config_option
def install(
    package: str,
    digest: str,
    requirements: Path | None,
    yes: bool,
    allow_sdist: bool,
    index_url: str | None,
    extra_index_url: tuple[str, ...],
    no_index: bool,
    find_links: tuple[str, ...],
    config_path: Path | None,
) -> None:
    """Look at a plugin, ask, and install it.

    It is read without being run; what it may reach is shown; installed is exactly the file that was read. PKG is a
    name, NAME==VERSION, or the path of a wheel. Each file is pinned by its hash in plugins.lock beside hub.toml.
    Nothing is configured: a connector works only once a connection in hub.toml uses it.
    """
    from hub.cli.packages import Pip, hashes_in, pin

    if digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise Misused("--hash is written as sha256: and 64 hexadecimal digits.")
    if package.startswith("-"):
        raise Misused(f'"{package}" is no package.')
    index = [f"--index-url={index_url}"] if index_url else []
    index += [f"--extra-index-url={url}" for url in extra_index_url]
    index += ["--no-index"] if no_index else []
    index += [f"--find-links={path}" for path in find_links]
    pip = Pip.here(index)
    allowed = hashes_in(requirements) if requirements else set()
    if requirements and not allowed:
        raise Misused(f"{requirements} has no --hash=sha256:… line.")
    lock = _lock_file(config_path)
    with tempfile.TemporaryDirectory(prefix="hub-plugin-") as name:
        folder = Path(name)
        looked = _look(pip, Wanted(package, digest, allowed, allow_sdist), folder)
        _describe(looked)
        if not yes and not click.confirm("\nInstall it?"):
            raise Stop("Nothing was installed.")
        pip.install([(one.file, one.sha256) for one in (*looked.along, looked.plugin)], folder)
    if lock is not None:
        pin(lock, looked.pins)
    click.echo("\nInstalled. The same again, anywhere:")
    for line in looked.pins:
        click.echo(line)
    click.echo(f"\nwritten to {lock}" if lock else "\nThere is no hub.toml here, so no plugins.lock was written.")
    for one in _brings(looked.plugin):
        click.echo(f"{_use_of(one, lock)} Its settings: hub plugins show {one}")


def _use_of(name: str, lock: Path | None) -> str:
    """What of the configuration beside ``lock`` uses the plugin from the next start on, in a sentence."""
    try:
        used = _used(lock.parent / "hub.toml", [name]) if lock else []
    except Misused:  # it is installed all the same
        return "Whether anything uses it cannot be told, because hub.toml cannot be read."
    return f"From the next start on {', '.join(used)} will use it." if used else "Nothing uses it yet."


def _lock_file(config_path: Path | None) -> Path | None:
    """``plugins.lock`` beside hub.toml; ``None`` where there is no hub.toml and none was asked for."""
    try:
        return find_config(config_path).parent / "plugins.lock"
    except Misused:
        if config_path is not None:
            raise
        return None


# --- looking ---------------------------------------------------------------------------------------------------------


def _look(pip: Pip, wanted: Wanted, folder: Path) -> Looked:
    """Fetch and read the plugin and what would come along. Raises :class:`Stop` with every reason against it."""
    fetched = _fetch(pip, wanted, folder)
    _must_be_allowed(fetched, wanted)
    archive = fetched
    if fetched.suffix != ".whl":
        click.echo(f"Building {fetched.name}: this runs its author's code.", err=True)
        archive = pip.build(fetched, folder)
    taken = _taken()
    plugin = _read(archive, taken)
    reasons = [*plugin.refused, *_not_a_plugin(plugin), *_names_taken(plugin), *_no_plugin_until_now(plugin)]
    if reasons:
        raise Stop(_refusal(plugin, reasons))
    brought = pip.would_bring(archive, folder)
    replaced = [
        f"it would put {name} {version} in the place of {_present(name)}, on which this environment runs"
        for name, version in brought.items()
        if _present(name)
    ]
    if replaced:
        raise Stop(_refusal(plugin, replaced))
    along = []
    for name, version in sorted(brought.items()):
        place = folder / f"along-{name}"
        place.mkdir()
        library = pip.download(f"{name}=={version}", place)
        _must_be_allowed(library, Wanted("", "", wanted.allowed, sdist=False))
        along.append(_read(library, taken))
        reasons = [*along[-1].refused, *_names_taken(along[-1])]
        if reasons:
            raise Stop(_refusal(along[-1], reasons))
    first = plugin.pin if archive is fetched else f"{plugin.name}=={plugin.version} --hash=sha256:{_sha256(fetched)}"
    return Looked(plugin, along, [first, *(one.pin for one in along)])


def _read(archive: Path, taken: Mapping[str, Collection[str]]) -> Wheel:
    from hub.catalogue.wheels import NotAWheel, read_wheel

    try:
        return read_wheel(archive, taken=taken)
    except NotAWheel as error:
        raise Stop(f"{error}. Nothing was installed.") from error


def _fetch(pip: Pip, wanted: Wanted, folder: Path) -> Path:
    """The archive in ``folder``; nothing of it has run, unless it is an sdist from an index."""
    from hub.cli.packages import copied

    local = Path(wanted.what)
    if local.suffix in (".whl", ".gz", ".zip") and local.is_file():
        if local.suffix != ".whl" and not wanted.sdist:
            raise Stop(
                f"{local.name} is no wheel: building it would run its author's code before anybody could look at it. "
                "Ask its author for a wheel, or say --allow-sdist."
            )
        return copied(local, folder)
    if local.suffix == ".whl" or "/" in wanted.what or local.is_dir():
        raise Stop(f"There is no wheel {wanted.what}.")
    if wanted.sdist and (wanted.digest or wanted.allowed) and not ("==" in wanted.what and wanted.digest):
        raise Misused("With --allow-sdist pip must know the hash before it builds: NAME==VERSION --hash sha256:…")
    return pip.download(wanted.what, folder, sdist=wanted.sdist, pinned=wanted.digest if wanted.sdist else "")


def _sha256(file: Path) -> str:
    from hub.catalogue.wheels import sha256_of

    return sha256_of(file)


def _must_be_allowed(file: Path, wanted: Wanted) -> None:
    """Before anything in the file is looked at."""
    found = f"sha256:{_sha256(file)}"
    if wanted.digest and found != wanted.digest:
        raise Stop(f"{file.name} is not the file you meant.\n  wanted {wanted.digest}\n  found  {found}")
    if wanted.allowed and found not in wanted.allowed:
        raise Stop(f"{file.name} ({found}) does not stand in --requirements: it is not installed.")


def _taken() -> Mapping[str, Collection[str]]:
    from importlib.metadata import packages_distributions

    return packages_distributions()


def _present(name: str) -> str:
    """The installed version of a distribution as ``name version``; empty when there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""


def _not_a_plugin(plugin: Wheel) -> list[str]:
    from hub.catalogue.loading import OUR_DISTRIBUTION
    from hub.catalogue.wheels import normal

    if normal(plugin.name) == OUR_DISTRIBUTION:
        return ["it is the hub itself; update that with pip"]
    return [] if plugin.points else ["it is no plugin: it has no entry point in the group social_care_hub"]


def _names_taken(plugin: Wheel) -> list[str]:
    """Two plugins of one name would keep the hub from starting."""
    from hub.catalogue.wheels import normal

    return [
        f'its name "{name}" is taken by the plugin of {owner}'
        for name, owner in sorted(_installed())
        if name in _brings(plugin) and normal(owner) != normal(plugin.name)
    ]


def _no_plugin_until_now(plugin: Wheel) -> list[str]:
    """A plugin may take the place of its older self, and not of a library that happens to have its name."""
    from hub.catalogue.wheels import normal

    present = _present(plugin.name)
    if not present or normal(plugin.name) in {normal(owner) for _, owner in _installed()}:
        return []
    return [f"it would take the place of {present}, which is installed and no plugin"]


def _installed() -> set[tuple[str, str]]:
    """Name and distribution of every installed plugin."""
    from importlib.metadata import entry_points

    from hub.catalogue.contract import connector_name
    from hub.sdk import ENTRY_POINT_GROUP

    points = entry_points(group=ENTRY_POINT_GROUP)
    return {(connector_name(point.name), str(point.dist.metadata["Name"])) for point in points if point.dist}


def _brings(plugin: Wheel) -> list[str]:
    from hub.catalogue.contract import connector_name

    return sorted({connector_name(point) for point in plugin.points})


def _refusal(wheel: Wheel, reasons: Sequence[str]) -> str:
    return f"{wheel.name} {wheel.version} is not installed:\n" + "\n".join(f"  {reason}" for reason in reasons)


# --- telling ---------------------------------------------------------------------------------------------------------


def _describe(looked: Looked) -> None:
    """What was found, with the honest word about how much that means."""
    from hub.cli.printing import clean, print_facts
    from hub.sdk import PLUGIN_API

    plugin, declared = looked.plugin, looked.plugin.declared
    apis = ", ".join(map(str, declared.plugin_apis)) or "not stated"
    present = _present(plugin.name)
    summary = " ".join(plugin.summary.split())
    click.echo(clean(f"{plugin.name} {plugin.version}" + (f": {summary}" if summary else "")))
    print_facts(
        [
            ("sha256", plugin.sha256),
            ("instead of", present),
            ("licence", plugin.licence or "none named: nobody may use it without its author's word"),
            ("brings", [f"{' and '.join(declared.sides) or 'connector'} {name}" for name in _brings(plugin)]),
            ("plugin API", f"{apis} (this hub speaks {PLUGIN_API})"),
            ("tier", f"{plugin.tier}, as its author claims" if plugin.tier else "none claimed"),
            ("packages", plugin.packages),
            ("commands", plugin.scripts),
            ("also plugs into", plugin.other_groups),
            ("needs", plugin.requires),
            ("comes along", [f"{one.name} {one.version} ({one.licence or 'no licence'})" for one in looked.along]),
            ("may reach", reach_words(declared.reaches)),
        ]
    )
    click.echo()
    tell_hints(declared.hints)
    click.echo("\nAn installed plugin runs inside the hub and can do whatever the hub can, from the next start on.")


def tell_hints(hints: Sequence[Hint]) -> None:
    """What reading the code has found, one place a line."""
    from hub.cli.printing import clean

    click.echo("Found by reading its code (hints, no proof: code can hide what it does):")
    for hint in hints[:MOST_HINTS]:
        click.echo(f"  {clean(hint)}")
    if len(hints) > MOST_HINTS:
        click.echo(f"  and {len(hints) - MOST_HINTS} more")
    if not hints:
        click.echo("  nothing out of the ordinary")


def reach_words(reaches: Sequence[str] | None) -> str:
    """What a plugin says of the hosts it calls, as an operator reads it."""
    if reaches is None:
        return "it does not say"
    if not reaches:
        return "nobody, it says"
    return ", ".join(
        f"the host of its setting {one[1:-1]}" if re.fullmatch(r"\{\w+\}", one) else one for one in reaches
    )


# --- removing --------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def remove(name: str, yes: bool, config_path: Path | None) -> None:
    """Uninstall the plugin NAME. Refused while a connection uses it, and for what comes with the hub."""
    from hub.catalogue.loading import OUR_DISTRIBUTION
    from hub.catalogue.wheels import normal
    from hub.cli.packages import Pip, unpinned

    installed = _installed()
    found = sorted(owner for one, owner in installed if one == name)
    if len(found) != 1:
        two = f'Two distributions bring "{name}": {", ".join(found)}; pip uninstall the one you do not mean.'
        raise Stop(two if found else f'There is no plugin "{name}": hub plugins list')
    (owner,) = found
    if normal(owner) == OUR_DISTRIBUTION:
        raise Stop(f'"{name}" comes with the hub; it does nothing as long as no connection uses it.')
    brought = {one for one, of in installed if of == owner}
    lock = _lock_file(config_path)
    used = _used(lock.parent / "hub.toml", brought) if lock else []
    if used:
        raise Stop(f"{', '.join(used)} still needs it: take that out of hub.toml first.")
    if not yes and not click.confirm(f"Uninstall {owner} ({', '.join(sorted(brought))})?"):
        raise Stop("Nothing was removed.")
    Pip.here().uninstall(owner)
    if lock and lock.exists():
        lock.write_text("\n".join(unpinned(lock.read_text("utf-8").splitlines(), owner)) + "\n", encoding="utf-8")
    click.echo(f"{owner} is removed. Libraries that came along stay: others may need them.")


def _used(file: Path, names: Collection[str]) -> list[str]:
    """The connections and routers of a configuration that need one of these plugins."""
    from hub.configuration import survey

    config, _ = survey(file)
    if config is None:
        raise Misused(f"{file} cannot be read, so nobody knows whether the plugin is in use: hub config check")
    found = [one.name for one in config.connections.values() if one.connector.rpartition(":")[2] in names]
    found += [f"the router {block.name}" for block in config.routers if block.name in names]
    trial = {config.trial.source, config.trial.sink} & set(names) if config.trial.enabled else set()
    return found + ["the trial"] * bool(trial)
