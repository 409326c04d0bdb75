"""`why`, the name of explain_stock until 2026-11-28; it stays for one release."""

from typing import Any

from inventory.management.commands import explain_stock


class Command(explain_stock.Command):
    help = "Old name of explain_stock."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stderr.write(
            "“why” is now called “explain_stock”; the old name goes away with the next release."
        )
        super().handle(*args, **options)
