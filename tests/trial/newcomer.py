"""A company that begins from nothing: an empty folder, a network and a Zendesk account on this machine, one hub."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from hub.sdk.sandboxes import Sandbox, SandboxPost, SandboxRecord
from hub.trial.children import Child, find
from tests.trial.conftest import prepare, run_hub

WITHIN = 30.0
Found = TypeVar("Found")

PAIR = """
[connections.acme-mastodon]
connector = "mastodon"
base_url = "{network}"
access_token = {{ file = "{secrets}/mastodon" }}
poll_every = {poll_every}

[connections.acme-zendesk]
connector = "zendesk"
base_url = "{desk}"
"""
CLIENT = """\
client_id = "{identifier}"
client_secret = {{ file = "{secrets}/zendesk" }}
ask_write = true
assign = "group"
"""


class Company:
    """Its folder, its accounts at both vendors, and the hub it runs. People's hands at the vendors are here; what the
    operator does in the console is the tests'."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "care"
        self.secrets = folder / "secrets"
        self.children: list[Child] = []
        self.network: Any = self._vendor("mastodon", folder)
        self.desk: Any = self._vendor("zendesk", folder)
        self.process: subprocess.Popen[str] | None = None
        self.login = ""
        self.address = ""

    # --- the operator, on the hub's machine --------------------------------------------------------------------------

    def init(self) -> None:
        """``hub init``, and a first hub.toml: a source, and of Zendesk nothing but its address."""
        self.folder.mkdir()
        self.secrets.mkdir(mode=0o700)
        port = prepare(self.folder)
        self.address = f"http://127.0.0.1:{port}"
        given = self.network.connection_settings(webhook_url="")
        (self.secrets / "mastodon").write_text(given["access_token"])
        file = self.folder / "config" / "hub.toml"
        text = file.read_text().replace("[trial]\nenabled = true", "[trial]\nenabled = false")
        text = re.sub(r"(?m)^# public_url = .*$", f'public_url = "{self.address}"', text)
        pair = PAIR.format(
            network=given["base_url"], desk=self.desk.base_url, secrets=self.secrets, poll_every=given["poll_every"]
        )
        file.write_text(text + pair)
        teams = self.folder / "config" / "teams.toml"
        teams.write_text(teams.read_text().replace('"trial-zendesk"', '"acme-zendesk"'))

    def put_in_client(self, client: dict[str, Any]) -> None:
        """What the guide says: the identifier into hub.toml, the secret into a file."""
        (self.secrets / "zendesk").write_text(client["secret"])
        file = self.folder / "config" / "hub.toml"
        file.write_text(file.read_text() + CLIENT.format(identifier=client["identifier"], secrets=self.secrets))

    def take_write_back(self) -> None:
        """What the guide says to do after the setup."""
        file = self.folder / "config" / "hub.toml"
        file.write_text(file.read_text().replace("ask_write = true\n", ""))

    def start(self) -> None:
        """``hub run``, until it prints the console's one-time link."""
        with (self.folder / "errors.txt").open("w") as errors:
            command = [sys.executable, "-m", "hub.cli", "run"]
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        printed = ""
        for line in self.process.stdout:
            printed += line
            if line.startswith("Stop with"):
                break
        found = re.search(r"one-time link\):\s+(\S+)", printed)
        if found is None:
            pytest.fail(f"hub run ended: {printed}{(self.folder / 'errors.txt').read_text()}")
        self.login = found[1]

    def stop(self) -> None:
        """Ctrl-C; it ends in order."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        assert code == 0

    def hub(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another ``hub`` command beside it."""
        return run_hub(self.folder, *arguments)

    def close(self) -> None:
        """End the hub and both vendors."""
        try:
            self.stop()
        finally:
            for child in self.children:
                child.stop()

    # --- the administrator and the agent, at Zendesk ------------------------------------------------------------------

    def register_client(self, redirect_url: str) -> dict[str, Any]:
        """Admin Center, OAuth clients: add one."""
        return self._at_desk("oauth/client", {"redirect_uri": redirect_url})

    def put_fields_on_form(self) -> None:
        """Admin Center, Forms: drag every field of the account onto the default form."""
        numbers = [row["id"] for row in self.zendesk("GET", "ticket_fields.json")["ticket_fields"]]
        form = next(row for row in self.zendesk("GET", "ticket_forms.json")["ticket_forms"] if row["default"])
        body = {"ticket_form": {"ticket_field_ids": numbers}}
        self.zendesk("PUT", f"ticket_forms/{form['id']}.json", body)

    def comment(self, ticket: str, text: str, *, public: bool) -> None:
        """The agent writes on the screen."""
        body = {"ticket_id": int(ticket), "ticket": {"comment": {"body": text, "public": public}}}
        self._at_desk("agent/update", body)

    def zendesk(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call as the account's administrator."""
        admin = self.desk.http.get(f"{self.desk.base_url}/_sandbox/accounts", timeout=10).json()["hub"]
        auth = (f"{admin['email']}/token", admin["token"])
        answer = self.desk.http.request(method, f"{self.desk.base_url}/api/v2/{path}", json=body, auth=auth, timeout=10)
        answer.raise_for_status()
        return dict(answer.json())

    def view(self, title: str) -> list[str]:
        """The tickets an agent finds in a view."""
        number = next(row["id"] for row in self.zendesk("GET", "views.json")["views"] if row["title"] == title)
        return [str(row["id"]) for row in self.zendesk("GET", f"views/{number}/tickets.json")["tickets"]]

    def fields(self, ticket: str) -> dict[str, Any]:
        """What stands in the ticket's custom fields, by their titles."""
        titles = {row["id"]: row["title"] for row in self.zendesk("GET", "ticket_fields.json")["ticket_fields"]}
        row = self.zendesk("GET", f"tickets/{ticket}.json")["ticket"]
        return {titles[one["id"]]: one["value"] for one in row["custom_fields"]}

    # --- waiting -----------------------------------------------------------------------------------------------------

    def ticket_about(self, text: str) -> SandboxRecord:
        """The customer's ticket, as soon as it is there."""
        return wait_for(
            f"a ticket about {text!r}",
            lambda: next((one for one in self.desk.records() if any(text in c.text for c in one.comments)), None),
        )

    def ticket(self, number: str) -> SandboxRecord:
        """The ticket as it is now."""
        found: SandboxRecord = next(one for one in self.desk.records() if one.id == number)
        return found

    def noted(self, number: str, text: str) -> str:
        """The internal note with these words, as soon as it is there."""

        def look() -> str | None:
            notes = [one.text for one in self.ticket(number).comments if not one.public]
            return next((note for note in notes if text in note), None)

        return wait_for(f"a note with {text!r} in {number}", look)

    def answers(self, post_id: str) -> list[SandboxPost]:
        """What stands under a customer's post by the company."""
        return [one for one in self.network.posts() if one.reply_to == post_id and one.own]

    def answered(self, post_id: str) -> SandboxPost:
        """The first answer under a post, as soon as it is there."""
        return wait_for(f"an answer under {post_id}", lambda: next(iter(self.answers(post_id)), None))

    def _vendor(self, name: str, folder: Path) -> Sandbox:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        child = Child(find(name), folder, port)
        child.start()
        self.children.append(child)
        http = requests.Session()
        http.trust_env = False
        made = find(name)(f"http://127.0.0.1:{port}", child.state, http)
        wait_for(f"the sandbox {name}", lambda: made.is_ready() or None)
        return made

    def _at_desk(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.desk.http.post(f"{self.desk.base_url}/_sandbox/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return dict(answer.json())


def wait_for(what: str, look: Callable[[], Found | None]) -> Found:
    """Look again until there is something; fail with ``what`` after half a minute."""
    deadline = time.monotonic() + WITHIN
    pause = threading.Event()
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        pause.wait(0.1)
    pytest.fail(f"did not come within {WITHIN:.0f} s: {what}")
