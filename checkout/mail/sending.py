"""The worker task that sends what is due, over several kept connections, in a thread of its own.

Only the mail server is spoken to in threads; the database is read and written by the task itself, between the mails.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr
from queue import Empty, SimpleQueue

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_noop

from checkout.mail import outbox
from checkout.mail.kinds import KINDS, SILENT_BACKENDS
from checkout.mail.render import Rendered, Renderer
from checkout.mail.smtp import Connection, MailServerDown, Outcome, Result, describe
from checkout.mail.texts import one_line
from checkout.models import CustomerMail
from config.fault_points import fault_point
from config.logs import log_rarely
from inventory import issues
from inventory.models import Issue

logger = logging.getLogger(__name__)

BUDGET = 10.0  # seconds of one run; the worker runs the task again while it finds work, or stops
UNREACHABLE_BEFORE_ISSUE = timedelta(minutes=15)
MAIL_SERVER = "mail server"  # Subject of the issue that tells of it.
UNREACHABLE = gettext_noop(
    "Mails to customers wait since %(since)s: %(error)s. They are sent once the mail server accepts them. "
    "Check EMAIL_URL; “manage.py doctor --send-mail” tries it."
)


def send_due(now: datetime) -> int:
    """Worker task: send the mails that are due. Returns how many were sent or refused."""
    if settings.EMAIL_BACKEND in SILENT_BACKENDS or not outbox.has_due(now):
        return 0
    with ExitStack() as stack:
        senders = stack.enter_context(Senders())
        try:
            senders.connect()
        except MailServerDown as exc:
            # Nothing is leased: while the server is down, no mail uses up its attempts.
            _report_unreachable(str(exc), now)
            return 0
        if issues.is_open(Issue.Kind.CUSTOMER_MAIL, MAIL_SERVER):
            issues.close(Issue.Kind.CUSTOMER_MAIL, MAIL_SERVER)
        renderer, finished = Renderer.load(), 0
        ends_at = time.monotonic() + BUDGET
        while True:
            # Several at once, because each claim is a transaction.
            if time.monotonic() < ends_at and senders.room >= senders.limit / 2:
                for mail in outbox.claim(now, senders.room):
                    _hand_over(mail, senders, renderer)
            if not senders.busy:
                return finished
            answers = senders.wait()
            with transaction.atomic():
                for mail, rendered, outcome in answers:
                    fault_point("mail.answered")
                    finished += _record(mail, rendered, outcome)


def _hand_over(mail: CustomerMail, senders: Senders, renderer: Renderer) -> None:
    try:
        still_true = KINDS[mail.kind].still_true
        if still_true and not import_string(still_true)(mail):
            outbox.record_canceled(mail)
            return
        rendered = renderer.render(mail)
        message = message_of(mail, rendered, shop=renderer.storefront.name)
    except Exception as exc:  # A fault in a template must not stop the mails behind it.
        logger.exception("Mail %d could not be rendered", mail.pk)
        outbox.record_failed(mail, describe(exc))
    else:
        fault_point("mail.claimed")
        senders.send(mail, rendered, message)


def _record(mail: CustomerMail, rendered: Rendered, outcome: Outcome) -> int:
    now = timezone.now()
    if outcome.result == Result.SENT:
        outbox.record_sent(mail, subject=rendered.subject, body=rendered.text, now=now)
        logger.info("Mail %d (%s) is sent", mail.pk, mail.kind)
    elif outcome.result == Result.REFUSED:
        outbox.record_refused(mail, outcome.error)
    elif outcome.result == Result.FAILED:
        outbox.record_failed(mail, outcome.error)
    else:
        may_have_arrived = outcome.result == Result.MAY_HAVE_ARRIVED
        outbox.postpone(mail, outcome.error, now=now, may_have_arrived=may_have_arrived)
        logger.warning("Mail %d (%s) will be tried again", mail.pk, mail.kind)
        return 0
    return 1


def message_of(mail: CustomerMail, rendered: Rendered, *, shop: str) -> EmailMultiAlternatives:
    # A mail that is sent twice after a crash has the same id, by which many mail programs show it once.
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    number = f"{mail.pk}.{mail.repeats}.{int(mail.created_at.timestamp())}"
    message = EmailMultiAlternatives(
        rendered.subject,
        rendered.text,
        from_email=sender(shop),
        to=[mail.to],
        headers={
            "Message-ID": f"<mail.{number}@{domain}>",
            "Auto-Submitted": "auto-generated",
            **mail.headers,
        },
    )
    message.attach_alternative(rendered.html, "text/html")
    return message


def sender(shop: str) -> str:
    """DEFAULT_FROM_EMAIL, with the shop's name unless it has one."""
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return formataddr((name or one_line(shop, 60), address))


def _report_unreachable(error: str, now: datetime) -> None:
    log_rarely(logger, logging.WARNING, f"Mails to customers wait: {error}", key="mail server")
    oldest = CustomerMail.objects.waiting().order_by("created_at").first()
    if (
        oldest
        and now - oldest.created_at > UNREACHABLE_BEFORE_ISSUE
        and not issues.is_open(Issue.Kind.CUSTOMER_MAIL, MAIL_SERVER)
    ):
        since = timezone.localtime(oldest.created_at).strftime("%Y-%m-%d %H:%M")
        issues.open_issue(Issue.Kind.CUSTOMER_MAIL, MAIL_SERVER, UNREACHABLE, since=since, error=error)


class Senders:
    """Connections to the mail server and the threads that use them. More are opened while mails wait."""

    def __init__(self) -> None:
        self.limit: int = settings.EMAIL_CONNECTIONS
        self._pool = ThreadPoolExecutor(self.limit, thread_name_prefix="mail")
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._sending: dict[Future[Outcome], tuple[CustomerMail, Rendered]] = {}

    def __enter__(self) -> Senders:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.shutdown(wait=True)
        while (connection := self._take_idle()) is not None:
            connection.close()

    @property
    def busy(self) -> int:
        return len(self._sending)

    @property
    def room(self) -> int:
        return max(0, self.limit - self.busy)

    def connect(self) -> None:
        """Open the first connection. Raises MailServerDown."""
        connection = Connection()
        connection.open()
        self._idle.put(connection)

    def send(self, mail: CustomerMail, rendered: Rendered, message: EmailMultiAlternatives) -> None:
        self._sending[self._pool.submit(self._send, message)] = mail, rendered

    def wait(self) -> list[tuple[CustomerMail, Rendered, Outcome]]:
        """Wait for the next answers. A refused connection lowers the limit: the server takes no more of them."""
        done, _waiting = wait(self._sending, return_when=FIRST_COMPLETED)
        answers = []
        for future in done:
            mail, rendered = self._sending.pop(future)
            try:
                outcome = future.result()
            except MailServerDown as exc:
                self.limit = max(1, min(self.limit, self.busy))
                outcome = Outcome(Result.RETRY, str(exc))
            answers.append((mail, rendered, outcome))
        return answers

    def _send(self, message: EmailMultiAlternatives) -> Outcome:
        connection = self._take_idle() or Connection()
        outcome = connection.send(message)
        self._idle.put(connection)
        return outcome

    def _take_idle(self) -> Connection | None:
        try:
            return self._idle.get_nowait()
        except Empty:
            return None
