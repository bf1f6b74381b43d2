"""Tells people outside about alarms: once when one opens, once when it ends. No customer text is in an alarm."""

from __future__ import annotations

import logging
import smtplib
import ssl
from email.message import EmailMessage
from typing import Any

import requests

from hub.configuration import Alerts, Email
from hub.flow.hub import Hub
from hub.sdk import HttpSession
from hub.store import Row, alarms

log = logging.getLogger("hub.alert")
TIMEOUT = 10


def alert(hub: Hub, alerts: Alerts) -> bool:
    """Send what was not sent; False when something could not be sent and is to be tried again later."""
    with hub.store.read() as connection:
        rows = alarms.untold(connection)
    for row in rows:
        news = "opened" if row.closed_at is None else "closed"
        if not _send(hub, alerts, row, news):
            return False
        hub.store.run(lambda tx, row=row, news=news: alarms.mark_told(tx, row.id, news))  # type: ignore[misc]
    return True


def _send(hub: Hub, alerts: Alerts, row: Row[Any], news: str) -> bool:
    said = {"opened": "needs you", "closed": "works again"}[news]
    subject = f"Social Care Hub: {row.connection} {said} ({row.kind})"
    level = logging.ERROR if news == "opened" else logging.WARNING
    log.log(level, "%s: %s", subject, row.text)
    try:
        if alerts.webhook:
            session = HttpSession(user_agent="social-care-hub", proxy=hub.proxy, ca_file=hub.ca_file)
            body = {"text": f"{subject}: {row.text}", "connection": row.connection, "kind": row.kind, "news": news}
            session.post(alerts.webhook, json=body).raise_for_status()
        if alerts.email is not None:
            _mail(alerts.email, subject, row.text, row.id)
    except (requests.RequestException, OSError, smtplib.SMTPException) as error:
        log.warning("an alarm could not be sent, it is tried again: %s", type(error).__name__)
        return False
    return True


def _mail(email: Email, subject: str, text: str, number: int) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = email.sender, ", ".join(email.to), subject
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's autoresponder answers it
    message["X-Hub-Alarm"] = str(number)
    message.set_content(text)
    host, _, port = email.server.partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT) as server:
        if email.user:
            server.starttls(context=ssl.create_default_context())
            server.login(email.user, email.password)
        server.send_message(message)
