"""manage.py doctor: examine the whole set-up and name what mends each problem."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from inventory.setup.doctor import ERROR, OK, examine

MARKS = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}


class Command(BaseCommand):
    help = (
        "Examine settings, the Stripe account, the webhook endpoint, clock, database, worker and mail. Each problem "
        "comes with the line that mends it. Exits with 1 if there is an error; warnings do not count."
    )
    # Problems of the settings and the database are findings here.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one object with the findings, for programs")
        parser.add_argument("--send-mail", action="store_true", help="send a test mail to OWNER_EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine(timezone.now(), send_mail=options["send_mail"])
        errors = sum(finding.level == ERROR for finding in findings)
        if options["json"]:
            report = {"healthy": not errors, "findings": [asdict(finding) for finding in findings]}
            self.stdout.write(json.dumps(report, ensure_ascii=False, indent=1))
        else:
            styles = {OK: self.style.SUCCESS, ERROR: self.style.ERROR}
            for finding in findings:
                mark = styles.get(finding.level, self.style.WARNING)(MARKS[finding.level])
                self.stdout.write(f"{mark} {finding.check:12} {finding.text}")
                if finding.remedy:
                    self.stdout.write(f"                     → {finding.remedy}")
        if errors:
            raise CommandError(f"{errors} error{'s' if errors > 1 else ''} found.")
