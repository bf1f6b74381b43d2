"""A fresh environment with the hub in it, into which plugins can really be installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Environment:
    """A virtual environment that sees the packages of the tests' own one, and takes installations of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        (self.site / "host.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")

    @property
    def site(self) -> Path:
        """Where packages are installed."""
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def run(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """``python`` with these arguments, from an empty folder unless ``cwd`` says otherwise."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "PYTEST_", "PIP_"))}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd or self.folder,
            env={**kept, "PIP_NO_INDEX": "1", "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def hub(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command ``hub``."""
        return self.run("-m", "hub.cli", *arguments, cwd=cwd, **environment)

    def pip(self, *arguments: str, cwd: Path | None = None) -> None:
        """pip, which must succeed."""
        done = self.run("-m", "pip", *arguments, "--quiet", "--root-user-action=ignore", cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A fresh one for each test."""
    assert sys.version_info >= (3, 11)
    return Environment(tmp_path / "venv")
