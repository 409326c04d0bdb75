"""A mail server on a local port that keeps what it accepts, and that can be told to refuse, to delay and to hang up."""

from __future__ import annotations

import asyncio
import email.policy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

Answer = Callable[[str], str | None]


class Catcher:
    """`on_rcpt`, `on_data`: take the recipient and return another answer than 250, or None."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.on_rcpt: Answer = lambda to: None
        self.on_data: Answer = lambda to: None
        self.port = 0
        self.lock = threading.Lock()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := self.on_rcpt(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.on_data(envelope.rcpt_tos[0])
        if answer and answer.startswith(("4", "5")):
            return answer
        content: Any = envelope.content
        with self.lock:
            self.mails.append(BytesParser(EmailMessage, policy=email.policy.default).parsebytes(content))
            self.recipients += envelope.rcpt_tos
        if answer == "hang up":
            transport: Any = server.transport
            transport.abort()
        return "250 OK"


@contextmanager
def catching(catcher: Catcher | None = None, port: int = 0) -> Iterator[Catcher]:
    """Run a catcher in a thread. `port`: 0 for any."""
    caught, loop = catcher or Catcher(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    # In that thread: the test's own may run Playwright's loop.
    coroutine = loop.create_server(lambda: SMTP(caught, hostname="mail.test", loop=loop), "127.0.0.1", port)
    server = asyncio.run_coroutine_threadsafe(coroutine, loop).result(5)
    caught.port = server.sockets[0].getsockname()[1]
    try:
        yield caught
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        server.close()
        loop.close()
