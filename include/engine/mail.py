"""Mail, by the connection `bindery_smtp`: plain text, one message at a time.

A try that died after a mail left sends it again, with the same Message-ID, so that mail programs show it once.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from email.message import EmailMessage

from include.engine.credentials import Connection
from include.engine.engine import Engine
from include.engine.errors import MissingCredential, Unreachable

log = logging.getLogger("bindery.mail")

SMTP = "bindery_smtp"
"""The connection that mails leave by, as Airflow's type smtp; extra `from_email` is the sender."""


def post(engine: Engine, to: str, subject: str, text: str, id: str, *, seconds: float = 30.0) -> bool:
    """Send one mail; `id` is the part of its Message-ID before the `@`. False where this installation sends no mail; Unreachable."""
    try:
        server = engine.credentials.get(SMTP)
    except MissingCredential as missing:
        log.warning("%s: no mail was sent: %s", id, missing)
        return False
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"] = server.text("from_email") or f"bindery@{server.host}"
    message["To"] = to
    message["Message-ID"] = f"<{id}@bindery>"
    message.set_content(text)
    try:
        with _connect(server, seconds) as smtp:
            if server.login:
                smtp.login(server.login, server.password)
            smtp.send_message(message)
    except UnicodeError:
        what, do = "the mail server's login or password holds a letter that is no ASCII: smtplib sends none.", "Give it another."
        raise Unreachable(what, where=f"connection {SMTP}", do=do) from None  # the error holds the password
    except (OSError, smtplib.SMTPException) as error:
        raise Unreachable(f"the mail server did not take a mail: {type(error).__name__}.", where=f"connection {SMTP}") from error
    return True


def _connect(server: Connection, seconds: float) -> smtplib.SMTP:
    """As Airflow's own connections of type smtp say: TLS from the start, STARTTLS, or (extras disable_ssl, disable_tls) neither."""
    if not server.flag("disable_ssl"):
        return smtplib.SMTP_SSL(server.host, server.port or 465, timeout=seconds, context=ssl.create_default_context())
    smtp = smtplib.SMTP(server.host, server.port or 25, timeout=seconds)
    if not server.flag("disable_tls"):
        smtp.starttls(context=ssl.create_default_context())
    return smtp
