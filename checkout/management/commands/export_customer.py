"""manage.py export_customer EMAIL: everything that is stored about a customer, as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from checkout.privacy.customer_data import export
from config.env import write_secret_file


class Command(BaseCommand):
    help = "Write everything that is stored about a customer as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the address that the customer paid with")
        parser.add_argument("--output", help="a file, readable for its owner only; default: standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        data = export(options["email"].strip())
        text = json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
        if not options["output"]:
            self.stdout.write(text)
            return
        write_secret_file(Path(options["output"]), text)
        self.stdout.write(f"Written: {len(data['orders'])} orders, {len(data['stripe_events'])} events.")
