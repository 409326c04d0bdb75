"""manage.py enroll_totp: give a user of the admin a second factor."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from io import StringIO
from typing import Any

import segno
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

RECOVERY_CODES = 8


class Command(BaseCommand):
    help = (
        "Enroll an authenticator app as second factor of the admin's login: shows a QR code, asks for a code of the app, and "
        "prints recovery codes, each valid once. Replaces an earlier enrollment."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--remove", action="store_true", help="remove the second factor, if the device is lost"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user “{options['username']}”.")
        if options["remove"]:
            removed = _devices(user)
            for device in removed:
                device.delete()
            self.stdout.write("The second factor was removed." if removed else "There was none.")
            return
        new = TOTPDevice(user=user, name="authenticator", confirmed=False)
        picture = StringIO()
        segno.make(new.config_url).terminal(out=picture, compact=True)
        self.stdout.write(
            f"{picture.getvalue()}\nScan this with an authenticator app, or enter: {new.config_url}"
        )
        if not self._ask(new):
            raise CommandError("The code is not valid. Nothing was changed.")
        with transaction.atomic():
            for device in _devices(user):
                device.delete()
            new.confirmed = True
            new.save()
            recovery = StaticDevice.objects.create(user=user, name="recovery codes")
            codes = [StaticToken.random_token() for _number in range(RECOVERY_CODES)]
            StaticToken.objects.bulk_create(StaticToken(device=recovery, token=code) for code in codes)
        self.stdout.write("\nRecovery codes, each valid once; keep them where the phone is not:")
        for code in codes:
            self.stdout.write(f"  {code}")

    def _ask(self, new: TOTPDevice) -> bool:
        # Whether a code that the app shows fits; three attempts on a terminal. The device is not saved yet.
        for _attempt in range(3 if sys.stdin.isatty() else 1):
            try:
                code = input("Code of the app: ").replace(" ", "")
            except EOFError:
                return False
            new.throttling_failure_count = 0
            new.save()
            if new.verify_token(code):
                return True
            new.delete()
            new.pk = None
        return False


def _devices(user: Any) -> list[Any]:
    return [
        *TOTPDevice.objects.filter(user=user, confirmed=True),
        *StaticDevice.objects.filter(user=user),
    ]
