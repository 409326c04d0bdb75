"""Prepare the demo's shop: `python -m demo.prepare`.

Creates the tables, the static files, the owner's account and texts, and syncs the catalog.
"""

from __future__ import annotations

import os

from demo import storefront

OWNER = "owner"


def main() -> None:
    import django
    from django.core.management import call_command

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    call_command("migrate", "--no-input", verbosity=0)
    call_command("collectstatic", "--no-input", verbosity=0)
    storefront.write_once()
    make_owner(os.environ["DEMO_OWNER_PASSWORD"])
    call_command("sync_catalog")


def make_owner(password: str) -> None:
    from django.contrib.auth.models import User

    if not User.objects.filter(username=OWNER).exists():
        User.objects.create_superuser(OWNER, "owner@shop.example", password)


if __name__ == "__main__":
    main()
