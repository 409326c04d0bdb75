"""Write .env, create the tables, and run connect_stripe: `python -m script.connect --site https://your.shop`."""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
from pathlib import Path

from config.env import write_env_file
from script.processes import python

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="script/connect", description="Connect the shop to a Stripe account."
    )
    parser.add_argument("--site", metavar="URL", help="public address of the shop, such as https://your.shop")
    parser.add_argument(
        "--owner", metavar="MAIL", help="address for mails about stock and problems; also the login"
    )
    parser.add_argument("--env", type=Path, default=ROOT / ".env", metavar="FILE", help="default: .env")
    parser.add_argument("--yes", action="store_true", help="do not ask; the key comes from STRIPE_SECRET_KEY")
    sys.exit(connect(parser.parse_args()))


def connect(options: argparse.Namespace) -> int:
    env: Path = options.env.resolve()
    complete(env, site=options.site or "", owner=options.owner or "")
    environment = {**os.environ, "ENV_FILE": str(env)}
    steps = [["migrate", "--no-input", "-v", "0"], ["connect_stripe", "--env", str(env)]]
    if options.yes:
        steps[1].append("--yes")
    for step in steps:
        if code := subprocess.run(python("manage.py", *step), cwd=ROOT, env=environment).returncode:
            return code
    print("Next: .venv/bin/python manage.py createsuperuser, then script/server", flush=True)
    return 0


def complete(env: Path, *, site: str, owner: str) -> None:
    """Create the file from .env.example with a new SECRET_KEY, or change only what was given in one that exists."""
    values = {
        "SITE_URL": site,
        "OWNER_EMAIL": owner,
        "STRIPE_SECRET_KEY": os.environ.get("STRIPE_SECRET_KEY", ""),
    }
    values = {name: value for name, value in values.items() if value}
    if not env.exists():
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        env.touch(mode=0o600)  # Only the owner may read the secrets.
        env.write_text(example, encoding="utf-8")
        values["SECRET_KEY"] = secrets.token_urlsafe(50)
    if values:
        write_env_file(env, values)


if __name__ == "__main__":
    main()
