"""What a watcher outside may ask: /healthz, /readyz and /metrics.

The addresses pass the other middleware: a watcher asks by IP address and without https.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from inventory import heartbeat
from inventory.models import Issue, Movement, StockItem, StripeEvent
from inventory.setup.doctor import is_read_only, pending_migrations

MAX_EVENT_AGE = MAX_MOVEMENT_AGE = timedelta(minutes=15)

_is_migrated = False  # Once the tables are there, they stay while this process runs.


@dataclass(frozen=True)
class State:
    """Ages in seconds; None where nothing waits, or no worker ever ran. `problem` is "" if the shop is ready."""

    problem: str
    worker_silence: float | None = None
    oldest_event: float | None = None
    oldest_movement: float | None = None


def read_state(now: datetime) -> State:
    global _is_migrated
    try:
        if not _is_migrated and pending_migrations():
            return State("Migrations have not been applied.")
        _is_migrated = True
        if is_read_only():
            return State("The database is read-only.")
        silence = heartbeat.worker_silence(now)
        waiting = StripeEvent.objects.filter(state=StripeEvent.State.WAITING)
        event = waiting.aggregate(at=Min("received_at"))["at"]
        unpublished = Movement.objects.filter(published_at=None, item__state=StockItem.State.COUNTED)
        movement = unpublished.aggregate(at=Min("created_at"))["at"]
    except DatabaseError as exc:
        return State(f"The database does not answer: {' '.join(str(exc).split())[:300]}")
    problem = ""
    if silence is not None:
        problem = "No worker is running."
    elif event is not None and now - event > MAX_EVENT_AGE:
        problem = "Events wait to be handled."
    elif movement is not None and now - movement > MAX_MOVEMENT_AGE:
        problem = "Counts wait to be sent to Stripe."
    seconds = None if silence in (None, timedelta.max) else round(silence.total_seconds(), 1)
    return State(problem, seconds, _age(event, now), _age(movement, now))


def _age(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else max(0.0, round((now - since).total_seconds(), 1))


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. For a load balancer and for service managers; the database is not asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 if everything works, else 503; the details are shown with MONITORING_TOKEN only."""
    state = read_state(timezone.now())
    status = 503 if state.problem else 200
    if _has_token(request):
        return JsonResponse(asdict(state), status=status)
    return HttpResponse("not ready\n" if state.problem else "ok\n", status=status, content_type="text/plain")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus, from the database: the same whichever process answers."""
    if not _has_token(request):
        answer = HttpResponse("MONITORING_TOKEN is needed.\n", status=401, content_type="text/plain")
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    registry = CollectorRegistry()
    registry.register(ShopCollector())
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4; charset=utf-8")


class ShopCollector(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = timezone.now()
        state = read_state(now)
        yield GaugeMetricFamily("shop_ready", "1 if the shop is ready.", value=int(not state.problem))
        ages = {
            "shop_worker_silence_seconds": (
                "Since the last heartbeat, if no worker runs.",
                state.worker_silence,
            ),
            "shop_oldest_event_seconds": ("Age of the oldest event that waits.", state.oldest_event),
            "shop_oldest_movement_seconds": (
                "Age of the oldest movement that is not at Stripe.",
                state.oldest_movement,
            ),
        }
        for name, (text, value) in ages.items():
            yield GaugeMetricFamily(name, text, value=value or 0)
        events = GaugeMetricFamily("shop_events", "Stored events by state.", labels=["state"])
        for name, number in StripeEvent.objects.order_by().values_list("state").annotate(number=Count("pk")):
            events.add_metric([name], number)
        yield events
        issues = GaugeMetricFamily("shop_open_issues", "Open issues by kind.", labels=["kind"])
        still_open = Issue.objects.filter(closed_at=None).order_by().values_list("kind")
        for kind, number in still_open.annotate(number=Count("pk")):
            issues.add_metric([kind], number)
        yield issues
        unpublished = Movement.objects.filter(published_at=None, item__state=StockItem.State.COUNTED)
        yield GaugeMetricFamily(
            "shop_unpublished_movements", "Movements that are not at Stripe.", value=unpublished.count()
        )


def _has_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    token: str = settings.MONITORING_TOKEN
    return bool(token) and secrets.compare_digest(given.encode(), token.encode())
