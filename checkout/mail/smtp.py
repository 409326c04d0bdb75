"""Hand a mail to the mail server, and translate what comes back into an outcome.

Django's SMTP backend is used with a client that knows whether the server had the whole mail when the connection ended. Other
backends, such as those of anymail, work as well; of their errors only the type is known.
"""

from __future__ import annotations

import smtplib
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.core.validators import validate_email

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
TIMEOUT = 15  # seconds for each step of a mail server
MAILS_PER_CONNECTION = 50  # Some servers close a connection after 100.
CLOSING = 421  # The server closes the connection: the mail is not at fault.


class Result(Enum):
    SENT = "sent"
    RETRY = "retry"
    MAY_HAVE_ARRIVED = "may have arrived"
    REFUSED = "refused"  # the address, for good
    FAILED = "failed"  # the mail itself, for good


@dataclass(frozen=True)
class Outcome:
    result: Result
    error: str = ""


class MailServerDown(Exception):
    """The mail server cannot be reached or does not accept the login. The message says why."""


class MayHaveArrived(Exception):
    """The connection ended after the mail was handed over and before the server's answer."""


class _WatchedClient(smtplib.SMTP):
    # Counts replies to DATA: the first asks for the mail, the second accepts it.
    _replies = 0

    def getreply(self) -> tuple[int, bytes]:
        reply = super().getreply()
        self._replies += 1
        return reply

    def data(self, msg: Any) -> tuple[int, bytes]:
        self._replies = 0
        try:
            return super().data(msg)
        except (OSError, smtplib.SMTPServerDisconnected) as exc:
            if self._replies:
                raise MayHaveArrived(str(exc)) from exc
            raise


class _WatchedClientOverTLS(_WatchedClient, smtplib.SMTP_SSL):
    pass


class WatchedBackend(EmailBackend):
    @property
    def connection_class(self) -> Any:
        return _WatchedClientOverTLS if self.use_ssl else _WatchedClient


class Connection:
    """A connection that is kept for several mails. Used by one thread at a time."""

    def __init__(self) -> None:
        watched = settings.EMAIL_BACKEND == SMTP_BACKEND
        path = f"{__name__}.WatchedBackend" if watched else settings.EMAIL_BACKEND
        self.backend: BaseEmailBackend = get_connection(path, timeout=TIMEOUT)
        self.mails = 0

    def open(self) -> None:
        """Raises MailServerDown."""
        try:
            self.backend.open()
        except Exception as exc:  # Mail backends raise many kinds of errors.
            raise MailServerDown(describe(exc)) from exc

    def send(self, message: EmailMessage) -> Outcome:
        """Raises MailServerDown if there is no connection to send it by."""
        try:
            for address in message.to:
                validate_email(address)
        except ValidationError as exc:
            return Outcome(Result.REFUSED, " ".join(exc.messages))
        self.open()
        message.connection = self.backend
        self.mails += 1
        outcome = self._try(message)
        if outcome.result in (Result.RETRY, Result.MAY_HAVE_ARRIVED):
            self.drop()
        elif self.mails >= MAILS_PER_CONNECTION:
            self.close()
        return outcome

    def _try(self, message: EmailMessage) -> Outcome:
        try:
            message.send()
        except smtplib.SMTPRecipientsRefused as exc:
            code, text = next(iter(exc.recipients.values()))
            return Outcome(Result.REFUSED if code >= 500 else Result.RETRY, _reply(code, text))
        except smtplib.SMTPSenderRefused as exc:
            # DEFAULT_FROM_EMAIL is not accepted, which concerns all mails until the owner changes it.
            return Outcome(Result.RETRY, _reply(exc.smtp_code, exc.smtp_error))
        except smtplib.SMTPResponseException as exc:
            is_final = exc.smtp_code >= 500
            return Outcome(Result.FAILED if is_final else Result.RETRY, _reply(exc.smtp_code, exc.smtp_error))
        except MayHaveArrived as exc:
            return Outcome(Result.MAY_HAVE_ARRIVED, describe(exc))
        except (ValueError, TypeError) as exc:  # BadHeaderError, an address that cannot be encoded.
            return Outcome(Result.FAILED, describe(exc))
        except Exception as exc:
            return Outcome(Result.RETRY, describe(exc))
        return Outcome(Result.SENT)

    def close(self) -> None:
        self.mails = 0
        with suppress(Exception):
            self.backend.close()

    def drop(self) -> None:
        """Close without a farewell, for which a hanging server would have to be waited for."""
        client = getattr(self.backend, "connection", None)
        if isinstance(client, smtplib.SMTP):
            client.close()
            self.backend.connection = None  # type: ignore[attr-defined]
        self.close()


def _reply(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"


def describe(exc: Exception) -> str:
    return " ".join(f"{type(exc).__name__}: {exc}".split())[:400]
