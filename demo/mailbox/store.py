"""The mails that arrived: one file each in the demo's folder, the newest MAX_MAILS."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path

MAX_MAILS = 200
FILE = re.compile(r"(\d{9})\.eml")


@dataclass(frozen=True)
class Mail:
    """A mail as it arrived. `source` begins with the envelope's Return-Path and Delivered-To."""

    number: int
    arrived_at: datetime
    source: bytes

    @property
    def message(self) -> Message:
        return message_from_bytes(self.source, policy=policy.default)

    def header(self, name: str) -> str:
        """All values of a header, decoded; "" without one, and the raw text of one that cannot be parsed."""
        try:
            values = self.message.get_all(name, [])
        except Exception:  # The email package raises many kinds of errors for malformed headers.
            plain = message_from_bytes(self.source, policy=policy.compat32)
            values = plain.get_all(name, [])
        return ", ".join(" ".join(str(value).split()) for value in values)

    def body(self, kind: str) -> str:
        """The text of the body of `kind`, "plain" or "html"; "" without one."""
        try:
            message = self.message
            part = message.get_body((kind,)) if isinstance(message, EmailMessage) else None
            content = part.get_content() if part else ""
        except Exception:
            return ""
        return content if isinstance(content, str) else ""


class Mails:
    """`add` is called by the SMTP server's thread, the rest by those of the pages."""

    def __init__(self, folder: Path, *, most: int = MAX_MAILS) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.most = folder, most
        self._lock = threading.Lock()
        self._last = max(self._numbers(), default=0)

    def add(self, sender: str, recipients: Sequence[str], content: bytes) -> None:
        delivered = [f"Delivered-To: {recipient}" for recipient in recipients]
        envelope = "\r\n".join([f"Return-Path: <{sender}>", *delivered, ""])
        with self._lock:
            self._last += 1
            temporary = self.folder / "arriving"
            temporary.write_bytes(envelope.encode() + content)
            temporary.replace(self._file(self._last))
            for number in self._numbers()[: -self.most]:
                self._file(number).unlink(missing_ok=True)

    def all(self) -> list[Mail]:
        """The newest first."""
        mails = (self.get(number) for number in reversed(self._numbers()))
        return [mail for mail in mails if mail]

    def get(self, number: int) -> Mail | None:
        try:
            with self._file(number).open("rb") as file:
                arrived_at = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, tz=UTC)
                return Mail(number, arrived_at, file.read())
        except FileNotFoundError:
            return None

    def _numbers(self) -> list[int]:
        return sorted(int(name[1]) for file in self.folder.iterdir() if (name := FILE.fullmatch(file.name)))

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:09}.eml"
