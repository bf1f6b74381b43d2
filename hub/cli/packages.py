"""pip, as ``hub plugins`` uses it: in the hub's own environment, asked for one thing at a time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

from hub.cli.opening import Stop

# --only-binary says nothing of what is named by its address, by a path or as name @ address (which any dependency may
# be): pip would build that while we are only looking. Whatever it builds or fetches so, it starts a program for it.
_NO_BUILDS = """
import runpy, sys

def refuse(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
        raise PermissionError("no wheel: it would have to be built, which runs its author's code")

sys.addaudithook(refuse)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class Pip:
    """``index`` are the options that say where packages come from."""

    index: tuple[str, ...] = ()

    @classmethod
    def here(cls, index: Sequence[str] = ()) -> Pip:
        """The pip of this environment. Raises :class:`Stop` when there is none."""
        if find_spec("pip") is None:
            raise Stop(
                f"There is no pip in the hub's environment ({sys.prefix}), and plugins are installed with it. Add it: "
                f"{sys.executable} -m ensurepip"
            )
        return cls(tuple(index))

    def download(self, what: str, folder: Path, *, sdist: bool = False, pinned: str = "") -> Path:
        """Fetch one distribution without what it needs, and without running anything of it (an sdist's build does
        run). ``pinned``: the hash pip must find before it touches the file."""
        if pinned:
            lines = folder / "wanted.txt"
            lines.write_text(f"{what} --hash={pinned}\n", encoding="utf-8")
            wanted = ["--require-hashes", "-r", str(lines)]
        else:
            wanted = [what]
        only = [] if sdist else ["--only-binary", ":all:"]
        target = folder / "fetched"
        self._run("download", "--no-deps", "--dest", str(target), *only, *self.index, *wanted, builds=sdist)
        (found,) = target.iterdir()
        return found

    def build(self, sdist: Path, folder: Path) -> Path:
        """A wheel of an sdist: this runs its author's code."""
        target = folder / "built"
        self._run("wheel", "--no-deps", "--wheel-dir", str(target), *self.index, str(sdist), builds=True)
        (found,) = target.glob("*.whl")
        return found

    def would_bring(self, wheel: Path, folder: Path) -> dict[str, str]:
        """Name -> version of everything that installing ``wheel`` would install, itself left out."""
        report = folder / "report.json"
        self._run("install", "--dry-run", "--report", str(report), "--only-binary", ":all:", *self.index, str(wheel))
        planned = json.loads(report.read_text(encoding="utf-8"))["install"]
        return {
            str(one["metadata"]["name"]): str(one["metadata"]["version"])
            for one in planned
            if unquote(one["download_info"]["url"]).rpartition("/")[2] != wheel.name
        }

    def install(self, files: Iterable[tuple[Path, str]], folder: Path) -> None:
        """Install exactly these files, each with its sha256, and nothing else."""
        lines = folder / "install.txt"
        lines.write_text(
            "".join(f"{file.as_uri()} --hash=sha256:{digest}\n" for file, digest in files), encoding="utf-8"
        )
        # Forced: pip would keep an installed one of the same version, whatever is in it.
        self._run("install", "--require-hashes", "--no-deps", "--no-index", "--force-reinstall", "-r", str(lines))

    def uninstall(self, name: str) -> None:
        """Remove one distribution."""
        self._run("uninstall", "--yes", name)

    def _run(self, command: str, *arguments: str, builds: bool = False) -> None:
        calm = ["--quiet", "--no-input", "--disable-pip-version-check"]
        root = ["--root-user-action=ignore"] if command in ("install", "uninstall") else []
        pip = ["-m", "pip"] if builds else ["-c", _NO_BUILDS]
        run = subprocess.run(  # noqa: S603 - our own interpreter; what the operator typed goes in as one argument
            [sys.executable, "-P", *pip, command, *calm, *root, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise Stop(f"pip {command} failed:\n{_worst(run.stderr or run.stdout)}")


def _worst(said: str) -> str:
    """The lines of pip that say what went wrong, without addresses' user and password."""
    lines = [line for line in said.strip().splitlines() if not line.startswith(("WARNING: Retrying", "[notice]"))]
    errors = [line for line in lines if line.startswith(("ERROR:", "error:", "PermissionError:"))] or lines[-5:]
    return re.sub(r"://[^/\s@]+@", "://***@", "\n".join(f"  {line}" for line in errors))


def copied(wheel: Path, folder: Path) -> Path:
    """A copy of a local file, so that what is installed is what was looked at, whatever happens to the original."""
    target = folder / "fetched"
    target.mkdir()
    return Path(shutil.copy(wheel, target))


def hashes_in(file: Path) -> set[str]:
    """Every ``sha256:…`` a requirements file allows."""
    return set(re.findall(r"--hash[= ](sha256:[0-9a-f]{64})\b", file.read_text(encoding="utf-8")))


def pin(lock: Path, lines: Iterable[str]) -> None:
    """Write ``NAME==VERSION --hash=…`` lines to plugins.lock, each in the place of an older one of the same name."""
    from hub.catalogue.wheels import normal

    kept = lock.read_text(encoding="utf-8").splitlines() if lock.exists() else [_HEAD]
    for line in lines:
        name = normal(line.partition("==")[0])
        kept = [*unpinned(kept, name), line]
    lock.write_text("\n".join(kept) + "\n", encoding="utf-8")


def unpinned(lines: Iterable[str], name: str) -> list[str]:
    """The lines without those of one distribution."""
    from hub.catalogue.wheels import normal

    return [line for line in lines if line.startswith("#") or normal(line.partition("==")[0]) != normal(name)]


_HEAD = (
    "# Plugins of this hub, each with the hash of the file that was looked at. On another machine:\n"
    "# pip install --require-hashes --no-deps -r plugins.lock"
)
