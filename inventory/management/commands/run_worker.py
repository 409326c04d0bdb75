"""manage.py run_worker: run the worker."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inventory import worker


class Command(BaseCommand):
    help = "Run the worker: handle events, send counts to Stripe and run periodic tasks, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Do what is due now and exit; for cron.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["once"]:
                self.stdout.write(f"{worker.run_once()} done.")
            else:
                worker.start()
                worker.run()
        except worker.WrongDatabase as exc:
            raise CommandError(str(exc)) from exc
