"""Play schedules on a database in memory: `python -m proofs.state_machine [first seed] [how many] [steps]`."""

from __future__ import annotations

import os
import sys
import time
import traceback

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.test_settings")
    django.setup()
    from django.core.management import call_command

    from proofs.state_machine.schedule import run_schedule
    from proofs.state_machine.trouble import Tally

    call_command("migrate", verbosity=0)
    first, how_many, steps = _numbers()
    tally, failures, began = Tally(), [], time.monotonic()
    for seed in range(first, first + how_many):
        try:
            tally.add(run_schedule(seed, steps))
        except Exception as error:
            failures.append((seed, f"{type(error).__name__}: {error}"[:300]))
            print("BROKEN", *failures[-1], flush=True)
            if os.environ.get("TRACE"):
                traceback.print_exc()
        if (seed - first) % 50 == 49:
            fired = sum(tally.faults.values())
            print(f"{tally.schedules} schedules, {fired} faults, {len(failures)} broken so far", flush=True)
    print(tally)
    print(f"{len(failures)} broken of {how_many} in {time.monotonic() - began:.1f} s")
    sys.exit(bool(failures))


def _numbers() -> tuple[int, int, int]:
    given = [int(text) for text in sys.argv[1:]]
    first, how_many, steps = (*given, *(0, 100, 40)[len(given) :])
    return first, how_many, steps


if __name__ == "__main__":
    main()
