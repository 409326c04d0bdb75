"""Examine settings, the Stripe account, the database and the worker, for the command and for hourly issues.

Stripe is asked in parallel and with one deadline, so that an examination ends in time although Stripe hangs.
"""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.http.request import validate_host
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from config.stripe_client import (
    AuthenticationFailed,
    ConnectionFailed,
    NotConfigured,
    ServerError,
    StripeCallError,
)
from inventory import checks, deliveries, gateway, heartbeat, issues
from inventory.gateway import Account, WebhookEndpoint
from inventory.models import (
    DeliveryStatus,
    Heartbeat,
    Issue,
    MailLock,
    Movement,
    ProductSync,
    StockItem,
    StripeEvent,
)
from inventory.setup import endpoint
from shop.models import Product
from shop.storefront import load_storefront

OK, WARNING, ERROR = "ok", "warning", "error"
STRIPE_DEADLINE = 2.5  # seconds for all requests to Stripe together
MAX_CLOCK_DIFFERENCE = timedelta(seconds=60)
MAX_WAIT = timedelta(minutes=5)  # for an event to be handled
MAX_UNPUBLISHED = timedelta(minutes=15)
MAIL_TIMEOUT = 10
# Problems that have issues or panels of their own.
SHOWN_ELSEWHERE = {"worker", "issues", "catalog", "events", "publishing", "deliveries", "clock"}
PROBLEM = gettext_noop("%(text)s → %(remedy)s")
READ_ONLY = (
    gettext_noop("The database is read-only, so nothing can be sold or counted."),
    gettext_noop("Point DATABASE_URL at the primary, or add ?target_session_attrs=read-write to its hosts."),
)
CONNECT = "manage.py connect_stripe --env .env"


@dataclass(frozen=True)
class Finding:
    """The result of one check. `remedy` is the command, setting or page that mends it.

    `is_silence`: only that Stripe did not answer in time.
    """

    check: str
    level: str
    text: str
    remedy: str = ""
    is_silence: bool = False


def examine(
    now: datetime, *, send_mail: bool = False, stripe_deadline: float = STRIPE_DEADLINE
) -> list[Finding]:
    """All findings, problems and what is in order, in the order in which a shop is set up."""
    return [
        *settings_findings(),
        *stripe_findings(now, deadline=stripe_deadline),
        *database_findings(now),
        *mail_findings(send_mail=send_mail),
    ]


def examine_hourly(now: datetime) -> int:
    """Worker task: open an issue for each problem, and close those that are gone. Returns 0."""
    findings = examine(now)
    for check in {finding.check for finding in findings} - SHOWN_ELSEWHERE:
        problems = [
            finding
            for finding in findings
            if finding.check == check and finding.level != OK and not finding.is_silence
        ]
        for problem in problems:
            facts = {"text": problem.text, "remedy": problem.remedy}
            issues.open_issue(Issue.Kind.SETUP, check, PROBLEM, **facts)
        # Stripe's silence proves neither; setup.alarms has it.
        is_silent = any(finding.is_silence for finding in findings if finding.check == check)
        if not problems and not is_silent:
            issues.close(Issue.Kind.SETUP, check)
    return 0


def is_live() -> bool:
    return "_live_" in settings.STRIPE_SECRET_KEY


# --- Settings -----------------------------------------------------------------------------------


def settings_findings() -> Iterator[Finding]:
    """Settings that do not fit each other. A setting that is invalid by itself has stopped the program before."""
    problems = []
    if is_live() and not settings.SITE_URL.startswith("https://"):
        text = _(
            "The key is a live key, but SITE_URL is not https: customers’ sessions are sent in the clear."
        )
        problems.append(Finding("settings", ERROR, text, _("SITE_URL=https://your.shop in .env")))
    if is_live() and settings.DEBUG:
        text = _("The key is a live key, but DEBUG is on: error pages show settings to visitors.")
        problems.append(Finding("settings", ERROR, text, _("DEBUG=False in .env")))
    if is_live() and settings.STRIPE_API_BASE != "https://api.stripe.com":
        text = _("The key is a live key, but STRIPE_API_BASE is %(base)s.")
        text %= {"base": settings.STRIPE_API_BASE}
        problems.append(Finding("settings", ERROR, text, _("Remove STRIPE_API_BASE from .env.")))
    if not validate_host(urlsplit(settings.SITE_URL).hostname or "", settings.ALLOWED_HOSTS):
        text = _("ALLOWED_HOSTS does not contain the host of SITE_URL, so every page answers 400.")
        problems.append(Finding("settings", ERROR, text, _("Remove ALLOWED_HOSTS, or add the host to it.")))
    if settings.STRIPE_WEBHOOK_SECRETS and not settings.STRIPE_SECRET_KEY:
        text = _("STRIPE_WEBHOOK_SECRET is set without STRIPE_SECRET_KEY, so every event is rejected.")
        problems.append(Finding("settings", ERROR, text, CONNECT))
    if settings.SHIPPING_RATES and not settings.SHIPPING_COUNTRIES:
        text = _("SHIPPING_RATES are offered, but without SHIPPING_COUNTRIES Stripe asks for no address.")
        problems.append(Finding("settings", WARNING, text, _("Set SHIPPING_COUNTRIES, such as US,DE.")))
    yield from problems or [Finding("settings", OK, _("The settings fit each other."))]


# --- Stripe -------------------------------------------------------------------------------------


def stripe_findings(now: datetime, *, deadline: float) -> Iterator[Finding]:
    if not settings.STRIPE_SECRET_KEY:
        yield Finding("stripe", ERROR, _("STRIPE_SECRET_KEY is not set: nothing can be bought."), CONNECT)
        return
    calls: dict[str, Callable[[], Any]] = {
        "account": gateway.fetch_account,
        "endpoints": gateway.webhook_endpoints,
        "version": gateway.newest_event_version,
        **{name: partial(gateway.has_permission, name) for name in gateway.PERMISSIONS},
    }
    secrets = settings.STRIPE_WEBHOOK_SECRETS
    if secrets:
        calls["ping"] = lambda: endpoint.ping(secrets[0])
    results = call_all(calls, seconds=deadline)
    account = results["account"]
    if isinstance(account, AuthenticationFailed | NotConfigured):
        yield Finding("stripe", ERROR, str(account), CONNECT)
        return
    if isinstance(account, ConnectionFailed | ServerError | TimeoutError):
        text = _("Stripe does not answer, so the account and the endpoint were not examined: %(error)s")
        remedy = _("Nothing is lost meanwhile. See https://status.stripe.com, then run doctor again.")
        yield Finding("stripe", ERROR, text % {"error": account}, remedy, is_silence=True)
        return
    mode = _("live mode") if is_live() else _("test mode")
    name = f"{account.name or account.id}, " if isinstance(account, Account) else ""
    yield Finding("stripe", OK, _("Stripe answers: %(name)s%(mode)s.") % {"name": name, "mode": mode})
    yield from _permission_findings(results)
    yield from _endpoint_findings(results)
    yield from _ping_findings(results.get("ping"))
    if isinstance(account, Account) and account.clock is not None:
        yield clock_finding(account.clock - now)


def call_all(calls: Mapping[str, Callable[[], Any]], *, seconds: float) -> dict[str, Any]:
    """Call all functions at once. Results by name: a value, a StripeCallError, or a TimeoutError after `seconds`."""
    results: dict[str, Any] = {}

    def run(name: str, call: Callable[[], Any]) -> None:
        try:
            results[name] = call()
        except StripeCallError as exc:
            results[name] = exc

    # Daemon threads: one that still waits for Stripe must not keep the process from exiting.
    threads = [threading.Thread(target=run, args=each, daemon=True) for each in calls.items()]
    for thread in threads:
        thread.start()
    last = timezone.now() + timedelta(seconds=seconds)
    for thread in threads:
        thread.join(max(0.0, (last - timezone.now()).total_seconds()))
    late = TimeoutError(_("no answer within %(seconds)g seconds") % {"seconds": seconds})
    return {name: results.get(name, late) for name in calls}


def _permission_findings(results: Mapping[str, Any]) -> Iterator[Finding]:
    lacking = [name for name in gateway.PERMISSIONS if results[name] is False]
    unknown = [name for name in gateway.PERMISSIONS if isinstance(results[name], Exception)]
    dashboard = f"{settings.STRIPE_DASHBOARD}/apikeys"
    for name in lacking:
        text = _("The key lacks the permission “%(name)s”.") % {"name": name}
        yield Finding("permissions", ERROR, text, _("Grant it at %(url)s") % {"url": dashboard})
    if unknown:
        text = _("Stripe did not say whether the key has: %(names)s.") % {"names": ", ".join(unknown)}
        yield Finding("permissions", WARNING, text, _("Run doctor again."), is_silence=True)
    if not lacking and not unknown:
        yield Finding("permissions", OK, _("The key has every permission that the shop needs."))


def _endpoint_findings(results: Mapping[str, Any]) -> Iterator[Finding]:
    listed = results["endpoints"]
    if not settings.STRIPE_WEBHOOK_SECRETS:
        text = _("STRIPE_WEBHOOK_SECRET is not set: no payment is ever counted.")
        yield Finding("endpoint", ERROR, text, CONNECT)
    if isinstance(listed, Exception):
        # A restricted key need not have the permission; deliveries that arrive show that there is an endpoint.
        text = _("The webhook endpoint was not examined: %(error)s") % {"error": listed}
        yield Finding("endpoint", WARNING, text, _("Grant “Webhook Endpoints: read” to the key."))
        return
    ours = [each for each in endpoint.ours_among(listed) if not each.rotating]
    if not ours:
        text = _("Stripe has no webhook endpoint for %(url)s: no payment is ever counted.")
        yield Finding("endpoint", ERROR, text % {"url": endpoint.webhook_url()}, CONNECT)
        return
    if len(ours) > 1:
        names = ", ".join(each.id for each in ours)
        text = _("Stripe has %(n)d endpoints of this URL: %(names)s.") % {"n": len(ours), "names": names}
        yield Finding("endpoint", WARNING, text, CONNECT)
    one = endpoint.plan(ours).keep or ours[0]
    problems = list(_problems_of_endpoint(one, results["version"]))
    yield from problems
    if not problems:
        text = _("The webhook endpoint %(id)s has the shop’s URL, events and API version.")
        yield Finding("endpoint", OK, text % {"id": one.id})


def _problems_of_endpoint(one: WebhookEndpoint, default_version: object) -> Iterator[Finding]:
    if not one.enabled:
        yield Finding(
            "endpoint", ERROR, _("The webhook endpoint %(id)s is disabled.") % {"id": one.id}, CONNECT
        )
    if missing := endpoint.missing_events(one):
        text = _("The webhook endpoint %(id)s does not send %(events)s.")
        yield Finding("endpoint", ERROR, text % {"id": one.id, "events": ", ".join(missing)}, CONNECT)
    if endpoint.has_configured_secret(one) is False:
        text = _("STRIPE_WEBHOOK_SECRET is not the secret of the webhook endpoint %(id)s.") % {"id": one.id}
        yield Finding("endpoint", ERROR, text, CONNECT)
    version = one.api_version or (default_version if isinstance(default_version, str) else "")
    if version and version != gateway.library_version():
        text = _("The webhook endpoint %(id)s sends API version %(version)s; the shop reads %(ours)s.")
        facts = {"id": one.id, "version": version, "ours": gateway.library_version()}
        yield Finding("endpoint", WARNING, text % facts, CONNECT)


def _ping_findings(reason: object) -> Iterator[Finding]:
    if reason == "":
        yield Finding(
            "webhook", OK, _("The shop answers at its public address and accepts the signing secret.")
        )
    elif isinstance(reason, str | Exception):
        text = _("A signed request to %(url)s was not accepted: %(reason)s")
        facts = {"url": endpoint.webhook_url(), "reason": reason}
        remedy = _(
            "Start the shop (script/server), or restart it if .env has changed; then check SITE_URL and the proxy."
        )
        yield Finding("webhook", WARNING, text % facts, remedy)


def clock_finding(ahead: timedelta) -> Finding:
    # `ahead`: Stripe's clock minus ours.
    seconds = int(ahead.total_seconds())
    if abs(ahead) <= MAX_CLOCK_DIFFERENCE:
        return Finding("clock", OK, _("The clock agrees with Stripe’s."))
    text = _(
        "This machine’s clock differs from Stripe’s by %(seconds)d seconds; beyond 300, webhooks are rejected."
    )
    return Finding("clock", ERROR, text % {"seconds": -seconds}, "timedatectl set-ntp true")


# --- Database, worker and catalog ---------------------------------------------------------------


def database_findings(now: datetime) -> Iterator[Finding]:
    try:
        unapplied = pending_migrations()
        if unapplied:
            text = ngettext(
                "%(n)d migration has not been applied: %(name)s.",
                "%(n)d migrations have not been applied, such as %(name)s.",
                len(unapplied),
            )
            facts = {"n": len(unapplied), "name": unapplied[0]}
            yield Finding("database", ERROR, text % facts, "manage.py migrate")
            return
        yield from _database_problems()
        yield from _worker_findings(now)
        yield from _delivery_findings()
        yield from _catalog_findings()
    except DatabaseError as exc:
        text = _("The database does not answer: %(error)s") % {"error": " ".join(str(exc).split())}
        yield Finding("database", ERROR, text, _("Check DATABASE_URL and that the database runs."))


def pending_migrations() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def is_read_only() -> bool:
    """Whether the database refuses writes: a standby, a read-only transaction default, or a read-only file."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'")
            return bool(cursor.fetchone()[0])
    try:
        # Changes nothing, but needs the write lock.
        Heartbeat.objects.filter(name="").update(timeout=0)
    except DatabaseError as exc:
        if "readonly" in str(exc):
            return True
        raise
    return False


def _database_problems() -> Iterator[Finding]:
    problems = [
        Finding(
            "database", ERROR if problem.is_serious() else WARNING, str(problem.msg), str(problem.hint or "")
        )
        for problem in checks.run_startup_checks()
        # For development any SQLite is good enough.
        if problem.is_serious() or is_live()
    ]
    if is_read_only():
        text, remedy = READ_ONLY
        problems.append(Finding("database", ERROR, _(text), _(remedy)))
    problems += _files_that_others_may_read()
    if settings.STRIPE_SECRET_KEY and StripeEvent.objects.filter(livemode=not is_live()).exists():
        text = _(
            "The key is of %(mode)s, but the database has events of the other mode: orders and counts of both are mixed."
        )
        facts = {"mode": _("live mode") if is_live() else _("test mode")}
        remedy = _("Use a new database for this mode: another name in DATABASE_URL (README, “Go live”).")
        problems.append(Finding("database", ERROR, text % facts, remedy))
    host = str(settings.DATABASES["default"].get("HOST") or "")
    options = settings.DATABASES["default"].get("OPTIONS") or {}
    if "," in host and options.get("target_session_attrs") != "read-write":
        text = _(
            "DATABASE_URL names several hosts, but not which of them: the shop may connect to a standby."
        )
        remedy = _("Add ?target_session_attrs=read-write&connect_timeout=3 to DATABASE_URL.")
        problems.append(Finding("database", ERROR, text, remedy))
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(connection.vendor, connection.vendor)
    yield from problems or [Finding("database", OK, _("%(name)s is migrated and writable.") % {"name": name})]


def _files_that_others_may_read() -> list[Finding]:
    # The database file and .env of a live shop.
    files = [Path(os.environ.get("ENV_FILE") or settings.BASE_DIR / ".env")]
    if connection.vendor == "sqlite":
        files.append(Path(str(settings.DATABASES["default"]["NAME"])))
    readable = [file for file in files if is_live() and file.is_file() and file.stat().st_mode & 0o077]
    text = _("Other users of this machine may read %(file)s.")
    return [
        Finding("files", WARNING, text % {"file": file}, f"chmod 600 {shlex.quote(str(file))}")
        for file in readable
    ]


def _worker_findings(now: datetime) -> Iterator[Finding]:
    silence = heartbeat.worker_silence(now)
    if silence is not None:
        text = _("No worker is running (%(since)s): orders are not counted.")
        since = {"since": heartbeat.describe(silence)}
        yield Finding("worker", ERROR, text % since, "manage.py run_worker")
    else:
        yield Finding("worker", OK, _("A worker is running."))
    failed = StripeEvent.objects.filter(state=StripeEvent.State.FAILED).count()
    if failed:
        text = ngettext("%(n)d event could not be handled.", "%(n)d events could not be handled.", failed)
        yield Finding("events", ERROR, text % {"n": failed}, "manage.py replay_events --failed")
    waiting = StripeEvent.objects.filter(state=StripeEvent.State.WAITING)
    oldest = waiting.aggregate(at=Min("received_at"))["at"]
    if oldest is not None and now - oldest > MAX_WAIT:
        text = _("An event has been waiting since %(since)s.") % {"since": _moment(oldest)}
        yield Finding("events", ERROR, text, "manage.py run_worker")
    elif not failed:
        yield Finding("events", OK, _("All events are handled."))
    oldest = Movement.objects.filter(
        published_at=None, item__state=StockItem.State.COUNTED, item__product__deleted=False
    ).aggregate(at=Min("created_at"))["at"]
    if oldest is not None and now - oldest > MAX_UNPUBLISHED:
        text = _("Counts have been waiting for Stripe since %(since)s.") % {"since": _moment(oldest)}
        remedy = _("See the issues in the admin and the worker’s log.")
        yield Finding("publishing", ERROR, text, remedy)
    else:
        yield Finding("publishing", OK, _("All counts are at Stripe, or a moment away from it."))


def _delivery_findings() -> Iterator[Finding]:
    status = DeliveryStatus.objects.first()
    if status is not None and status.refused_since is not None:
        text = _("Since %(since)s every delivery of Stripe was refused: %(reason)s")
        facts = {"since": _moment(status.refused_since), "reason": status.refusal}
        # Until Stripe's list confirms it (inventory.deliveries), a stranger may have posted them.
        level = ERROR if issues.is_open(*deliveries.ISSUE) else WARNING
        yield Finding("deliveries", level, text % facts, CONNECT)
    else:
        yield Finding(
            "deliveries", OK, _("No delivery of Stripe was refused since the last one that was accepted.")
        )
    lock = MailLock.objects.exclude(failing_since=None).first()
    if lock is not None and lock.failing_since is not None:
        text = _("Since %(since)s no mail could be sent: %(error)s")
        facts = {"since": _moment(lock.failing_since), "error": lock.error}
        yield Finding("mail", ERROR, text % facts, _("EMAIL_URL in .env"))


def _catalog_findings() -> Iterator[Finding]:
    visible = Product.objects.visible()
    if not Product.objects.exists():
        yield Finding("catalog", WARNING, _("No product was read from Stripe yet."), "manage.py sync_catalog")
        return
    with_problems = visible.exclude(problems=[]).count()
    paused = ProductSync.objects.exclude(pause_reason="").filter(product__deleted=False).count()
    problems = []
    if with_problems:
        text = ngettext(
            "%(n)d product has a problem at Stripe, so that something cannot be sold.",
            "%(n)d products have a problem at Stripe, so that something cannot be sold.",
            with_problems,
        )
        problems.append(Finding("catalog", WARNING, text % {"n": with_problems}, "manage.py sync_catalog"))
    if paused:
        text = ngettext(
            "The stock updates of %(n)d product are paused.",
            "The stock updates of %(n)d products are paused.",
            paused,
        ) % {"n": paused}
        remedy = _("Admin, Product sync states, filter “paused”")
        problems.append(Finding("catalog", ERROR, text, remedy))
    number = visible.count()
    yield from problems or [
        Finding(
            "catalog",
            OK,
            ngettext("%(n)d product is on sale.", "%(n)d products are on sale.", number) % {"n": number},
        )
    ]
    for code in sorted(set(settings.SHOP_CURRENCIES) - set(load_storefront().currencies)):
        text = _(
            "%(code)s is not offered: a price or a shipping rate has no amount in it, or was not read since."
        )
        yield Finding("currencies", WARNING, text % {"code": code.upper()}, "manage.py sync_catalog")
    number = Issue.objects.filter(closed_at=None).exclude(kind=Issue.Kind.SETUP).count()
    if number:
        yield Finding(
            "issues",
            WARNING,
            ngettext("%(n)d issue is open.", "%(n)d issues are open.", number) % {"n": number},
            _("Admin, Issues"),
        )


def _moment(when: datetime) -> str:
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M}"


# --- Mail ---------------------------------------------------------------------------------------


def mail_findings(*, send_mail: bool) -> Iterator[Finding]:
    prints_only = bool(re.search(r"\.(console|dummy|locmem)\.", settings.EMAIL_BACKEND))
    if not settings.OWNER_EMAILS:
        text = _("OWNER_EMAIL is not set: nobody is told about problems.")
        yield Finding("mail", WARNING, text, _("OWNER_EMAIL=you@your.shop in .env"))
    elif prints_only and is_live():
        text = _("Mails are printed to the log and not sent.")
        remedy = "EMAIL_URL=smtp+tls://user:password@host:587"
        yield Finding("mail", WARNING, text, remedy)
    elif not send_mail:
        where = _("printed to the log") if prints_only else _("sent")
        facts = {"owner": ", ".join(settings.OWNER_EMAILS), "where": where}
        text = _("Mails to %(owner)s are %(where)s; doctor --send-mail tries it.")
        yield Finding("mail", OK, text % facts)
    if not (send_mail and settings.OWNER_EMAILS):
        return
    text = _("If you can read this, mails of the shop arrive.")
    try:
        mail = EmailMessage(_("Test of the shop’s mail"), text, to=settings.OWNER_EMAILS)
        mail.connection = get_connection(timeout=MAIL_TIMEOUT)
        mail.send()
    except Exception as exc:
        # Mail backends raise many kinds of errors.
        facts = {"error": " ".join(f"{type(exc).__name__}: {exc}".split())[:300]}
        text = _("The mail was not accepted: %(error)s")
        yield Finding("mail", ERROR, text % facts, _("EMAIL_URL in .env"))
    else:
        facts = {"owner": ", ".join(settings.OWNER_EMAILS)}
        yield Finding("mail", OK, _("A mail to %(owner)s was accepted.") % facts)
