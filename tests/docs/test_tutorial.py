"""The tutorial is done as it is written: a distribution of its own, installed, and green."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import main
from hub.configuration import shipped
from tests.docs.markdown import ROOT, blocks

PAGE = ROOT / "docs" / "plugins" / "tutorial.md"
FILES = {block.file: block.text for block in blocks(PAGE) if block.file}


class Vendor:
    """Somebody who follows the tutorial."""

    def __init__(self, folder: Path) -> None:
        made = CliRunner().invoke(main, ["plugins", "new", "source", "guestbook", "--dir", str(folder)])
        assert made.exit_code == 0, made.output
        self.folder = folder / "sch-guestbook"
        self.site = folder / "site"
        self.environ = {**os.environ, "PYTHONPATH": str(self.site)}

    def write(self, file: str) -> None:
        """Copy one file from the page."""
        target = self.folder / file
        assert target.parent.is_dir(), f"{file}: hub plugins new makes no such folder"
        target.write_text(FILES[file])

    def install(self) -> None:
        """As pip does, into a folder of our own."""
        offline = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--upgrade"]
        self.run("pip", "install", *offline, "--target", str(self.site), str(self.folder))

    def pytest(self, *arguments: str, expect: int = 0) -> str:
        """Run the plugin's own tests; return what they print."""
        return self.run("pytest", "-p", "no:cacheprovider", *arguments, expect=expect)

    def run(self, module: str, *arguments: str, expect: int = 0, cwd: Path | None = None) -> str:
        """Run a module of this environment; return its output."""
        # -P: the plugin must come from where it is installed, not from the folder it was written in.
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            cwd=cwd or self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    """The vendor, at the end of the tutorial."""
    vendor = Vendor(tmp_path_factory.mktemp("tutorial"))
    vendor.install()
    first = vendor.pytest("-x", expect=1)
    assert "describe your first event" in first
    for file in FILES:
        if not file.endswith(".expected.json") and not file.endswith("quality.toml"):
            vendor.write(file)
    vendor.install()
    vendor.pytest("--update-expected")
    return vendor


def test_the_fixture_means_what_the_page_says(vendor: Vendor) -> None:
    """The events the kit writes beside the first fixture are those the page shows."""
    (file,) = [file for file in FILES if file.endswith(".expected.json")]
    assert (vendor.folder / file).read_text() == FILES[file]


def test_the_connector_keeps_the_whole_contract(vendor: Vendor) -> None:
    """Every check is green without a waiver, first as bronze, and with an owner as silver."""
    told = vendor.pytest()
    assert "guestbook (source): bronze" in told
    assert "failed" not in told
    assert "waived" not in told
    (file,) = [file for file in FILES if file.endswith("quality.toml")]
    vendor.write(file)
    vendor.install()
    assert "guestbook (source): silver" in vendor.pytest()


def test_the_planted_bug_is_found(vendor: Vendor) -> None:
    """The bug the page tells to plant is told by the check it names."""
    client = vendor.folder / "sch_guestbook" / "client.py"
    right = client.read_text()
    assert "effect_possible=effect" in right
    assert "effect_possible=False" in PAGE.read_text()
    client.write_text(right.replace("effect_possible=effect", "effect_possible=False"))
    vendor.install()
    try:
        told = vendor.pytest("-k", "reply_under", expect=1)
    finally:
        client.write_text(right)
        vendor.install()
    assert "test_reply_under[read_timeout_after_effect]" in PAGE.read_text()
    assert "reply_under[read_timeout_after_effect]" in told


def test_the_hub_takes_the_connection(vendor: Vendor, tmp_path: Path) -> None:
    """The plugin is listed, and the page's block of hub.toml passes the check; a misspelt key in it does not."""
    (toml,) = [block.text for block in blocks(PAGE) if "[connections" in block.text]
    for name, text in shipped().items():
        (tmp_path / name).write_text(text)
    before = (tmp_path / "hub.toml").read_text()
    (tmp_path / "hub.toml").write_text(before + "\n" + toml)
    vendor.environ["ACME_GUESTBOOK_TOKEN"] = "test-token-0001"
    assert "guestbook" in vendor.run("hub.cli", "plugins", "list")
    vendor.run("hub.cli", "config", "check", "--config", str(tmp_path))
    (tmp_path / "hub.toml").write_text(before + "\n" + toml.replace("base_url", "base_uri"))
    vendor.run("hub.cli", "config", "check", "--config", str(tmp_path), expect=2)
