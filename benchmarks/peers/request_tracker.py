"""Starts and stops a Request Tracker of its own: own configuration, own database, mail only into a file."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.install import RT_SERVER, RT_SETUP

ROOT_PASSWORD = "rootpass123"
AGENT_PASSWORD = "annapass123"  # of anna, see people.pl
# The paths of an installed Request Tracker (compiled pages, sessions, database) belong to its administrator.
SITE_CONFIG = """\
Set($rtname, 'peers.test'); Set($Organization, 'peers.test'); Set($Timezone, 'UTC');
Set($CorrespondAddress, 'rt@peers.test'); Set($CommentAddress, 'rt-comment@peers.test');
Set($DatabaseType, 'SQLite'); Set($DatabaseName, '{folder}/rtdb'); Set($DatabaseUser, ''); Set($DatabasePassword, '');
Set($WebPath, ''); Set($WebDomain, '127.0.0.1'); Set($WebPort, {port}); Set($WebBaseURL, 'http://127.0.0.1:{port}');
Set($RestrictReferrer, 0); Set($LogToSTDERR, 'warning'); Set($LogToSyslog, undef);
Set($MailCommand, 'testfile');
require Mail::Mailer::testfile;
$Mail::Mailer::testfile::config{{outfile}} = '{folder}/mails';
$RT::VarPath = '{folder}'; $RT::MasonDataDir = '{folder}/mason'; $RT::MasonSessionDir = '{folder}/sessions';
1;
"""


@dataclass
class RequestTracker:
    """One Request Tracker: its files in ``folder``, REST 2 at ``url``."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead Request Tracker's programs to this instance."""
        return {
            **os.environ,
            "RT_SITE_CONFIG": str(self.folder / "RT_SiteConfig.pm"),
            "RT_SITE_CONFIG_DIR": str(self.folder / "no-more-configuration"),
        }

    def make(self) -> None:
        """Write the configuration and make the database."""
        for name in ["no-more-configuration", "mason", "sessions"]:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "RT_SiteConfig.pm").write_text(SITE_CONFIG.format(folder=self.folder, port=self.port))
        (self.folder / "mails").touch()
        (self.folder / "root-password").write_text(ROOT_PASSWORD)
        people = Path(__file__).with_name("people.pl")
        self._database("init", "--root-password-file", str(self.folder / "root-password"))
        self._database("insert", "--datafile", str(people))

    def _database(self, action: str, *arguments: str) -> None:
        command = [str(RT_SETUP), "--action", action, "--skip-create", *arguments]
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if result.returncode or not (self.folder / "rtdb").exists():
            raise SystemExit(f"Request Tracker's database could not be made:\n{result.stdout}\n{result.stderr}")

    def hub_token(self) -> str:
        """The token people.pl has made for the hub's account."""
        return (self.folder / "hub-token").read_text().strip()

    def start(self) -> float:
        """Start it, or start it again with its data; return the seconds it took to answer."""
        started = time.monotonic()
        command = [str(RT_SERVER), "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--server", "Starlet", "--max-workers", "2"]
        with (self.folder / "rt.log").open("ab") as log:
            # A group of its own: the workers end with it.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self.environment, start_new_session=True
            )
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > started + 60:
                raise SystemExit(f"Request Tracker did not start:\n{(self.folder / 'rt.log').read_text()[-4000:]}")
            time.sleep(0.05)
        return time.monotonic() - started

    def is_up(self) -> bool:
        """True when it listens."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.5).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End the server and its workers; its data stays."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            # The workers hold the port a moment longer.
            while self.is_up():
                time.sleep(0.01)
            self.process = None

    def mails(self) -> str:
        """Every mail it would have sent."""
        return (self.folder / "mails").read_text(errors="replace")
