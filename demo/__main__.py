"""Start the shop with a sample catalog and a fake Stripe: `python -m demo [--fresh | --check | --manage COMMAND]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from demo.check import check
from demo.customer import NotAsExpected
from demo.kept import ANY_PORTS, AlreadyRunning, Unreadable, keep, lock, open_folder
from demo.manage import manage_in
from demo.past import NoPast
from demo.prepare import OWNER
from demo.running import ROOT, Demo, DidNotStart
from demo.stripe_api import StripeSaid
from script.processes import end_on_signals

FOLDER = ROOT / "var" / "demo"
PAST = ROOT / "var" / "demo-past"

WELCOME = """
  The shop is open.

    Shop          {site}/
    Admin         {site}/admin/   user name: {owner}   password: {password}
    Stripe        {stripe}/dashboard   a fake Stripe, for this demo only
    Mailbox       {mailbox}/   all mail that the shop sends
    Stripe CLI    {listen}
    Sample files  demo/files   a delivery for Stock items, Stock file; exports of other shops:
                  script/demo --manage import_products demo/files/shopify-products.csv
    Data, logs    {folder}   (script/demo --fresh deletes them)

  Pay with the card 4242 4242 4242 4242, any future date and any three digits,
  and watch stock_M of the BALM T-Shirt go down at Stripe.

  Press Ctrl-C to stop.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--fresh", action="store_true", help="delete the data of earlier runs first")
    what.add_argument("--check", action="store_true", help="make one purchase with temporary data, then exit")
    what.add_argument(
        "--manage",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="run a command of manage.py in the demo that runs, such as --manage inventory_report --low",
    )
    options = parser.parse_args()
    end_on_signals()
    try:
        if options.manage is not None:
            sys.exit(manage_in(FOLDER, options.manage))
        run_check() if options.check else run(fresh=options.fresh)
    except (DidNotStart, NotAsExpected, StripeSaid, AlreadyRunning, Unreadable, NoPast) as exc:
        sys.exit(str(exc))
    except KeyboardInterrupt:
        # Ctrl-C is the normal end of a demo, but an interrupted check has shown nothing.
        sys.exit(1 if options.check else 0)


def run(*, fresh: bool) -> None:
    with lock(FOLDER):
        demo = Demo(FOLDER, open_folder(FOLDER, fresh=fresh), past=PAST)
        print("Opening the shop, the first time of a day with six weeks of orders ...", flush=True)
        with demo.running():
            keep(FOLDER, demo.kept)
            print(welcome(demo), flush=True)
            ended = demo.programs.wait_for_one_to_end()
            raise DidNotStart(
                f"“{ended}” has stopped, so everything else was stopped too.\n{demo.last_words(ended)}"
            )


def welcome(demo: Demo) -> str:
    return WELCOME.format(
        site=demo.site_url,
        stripe=demo.stripe_url,
        mailbox=demo.mailbox_url,
        listen=demo.listen_command(),
        owner=OWNER,
        password=demo.kept.owner_password,
        folder=demo.folder.relative_to(ROOT),
    )


def run_check() -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="shop-demo-", ignore_cleanup_errors=True) as name:
        demo = Demo(Path(name), open_folder(Path(name), ports=ANY_PORTS))
        with demo.running():
            try:
                check(demo)
            except NotAsExpected as exc:
                logs = [demo.last_words(name) for name in ("shop", "worker")]
                raise NotAsExpected("\n".join([str(exc), *logs])) from exc
    print(f"A purchase lowers the count at Stripe. ({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    main()
