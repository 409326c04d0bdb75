"""The SMTP server: accepts every mail for every address on this machine, and delivers none of them."""

from __future__ import annotations

from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from demo.mailbox.store import Mails

MAX_BYTES = 5_000_000


class SmtpServer(Controller):
    """Listens on 127.0.0.1 in a thread of this process, for the `with` block."""

    def __init__(self, mails: Mails, port: int) -> None:
        super().__init__(
            Handler(mails), hostname="127.0.0.1", port=port, data_size_limit=MAX_BYTES, ready_timeout=20
        )

    def __enter__(self) -> SmtpServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


class Handler:
    def __init__(self, mails: Mails) -> None:
        self.mails = mails

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content: Any = envelope.content
        self.mails.add(envelope.mail_from or "", envelope.rcpt_tos, content)
        return "250 OK"
