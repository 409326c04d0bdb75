"""manage.py replay_events: handle stored events again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from config.dates import format_local, parse_past, parse_when
from inventory.events import inbox
from inventory.models import StripeEvent


class Command(BaseCommand):
    help = "Handle events again: by id, by time range, or all that failed. Nothing is counted twice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="evt_x", help="Event ids.")
        parser.add_argument("--failed", action="store_true", help="All failed events.")
        parser.add_argument(
            "--since",
            type=parse_past,
            metavar="WHEN",
            help="Received at or after: 7d, 36h, 2026-11-24, 2026-11-24T09:30.",
        )
        parser.add_argument("--until", type=parse_when, metavar="WHEN", help="Received before.")
        parser.add_argument("--type", help="Only events of this type, such as checkout.session.completed.")
        parser.add_argument("--dry-run", action="store_true", help="List the events without handling them.")

    def handle(self, *args: Any, **options: Any) -> None:
        events: QuerySet[StripeEvent] = StripeEvent.objects.order_by("received_at")
        if not any(options[name] for name in ("ids", "failed", "since", "until")):
            raise CommandError("Specify event ids, --failed, --since or --until.")
        if options["ids"]:
            events = events.filter(pk__in=options["ids"])
            missing = set(options["ids"]) - set(events.values_list("pk", flat=True))
            if missing:
                raise CommandError(f"Events not found: {', '.join(sorted(missing))}.")
        if options["failed"]:
            events = events.filter(state=StripeEvent.State.FAILED)
        if options["type"]:
            events = events.filter(type=options["type"])
        if options["since"]:
            events = events.filter(received_at__gte=options["since"])
        if options["until"]:
            events = events.filter(received_at__lt=options["until"])
        chosen = list(events)
        for event in chosen:
            self.stdout.write(f"{format_local(event.received_at)} {event.type} {event.pk} {event.state}")
        if options["dry_run"]:
            self.stdout.write(f"{len(chosen)} would be handled again.")
            return
        number = inbox.replay([event.pk for event in chosen], timezone.now())
        self.stdout.write(f"{number} will be handled again by the worker.")
