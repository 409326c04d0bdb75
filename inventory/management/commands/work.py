"""`work`, the name of run_worker until 2026-11-28; it stays for one release."""

from typing import Any

from inventory.management.commands import run_worker


class Command(run_worker.Command):
    help = "Old name of run_worker."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stderr.write("“work” is now called “run_worker”; the old name goes away with the next release.")
        super().handle(*args, **options)
