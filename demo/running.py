"""Start image server, mailbox, Stripe, the shop and its worker in this order, and stop them in reverse."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from demo import account, past
from demo.images import Images
from demo.kept import Kept
from demo.mailbox.pages import Links
from demo.mailbox.server import PageServer
from demo.mailbox.smtp import SmtpServer
from demo.mailbox.store import Mails
from demo.stripe_api import StripeApi
from fake_stripe.listeners import signing_secret
from script.processes import Programs, python

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 40  # seconds to wait for a program to answer
# Environment variables that programs need. The shop's settings are not among them: no real key may reach the demo.
KEPT_VARIABLES = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TMP", "TEMP"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "COMSPEC", "PATHEXT"),
)


class DidNotStart(Exception):
    """A program did not start; the message has the end of its log."""


class Demo:
    """The shop, its worker, a fake Stripe, a mailbox and the image server on local ports, while `running()`."""

    def __init__(
        self,
        folder: Path,
        kept: Kept,
        *,
        database_url: str = "",
        record: Path | None = None,
        past: Path | None = None,
    ) -> None:
        """`database_url`: default is a SQLite file in `folder`. `record`: where Stripe records its API calls.

        `past`: folder that caches six weeks of orders, with which a new demo begins; None begins without any.
        """
        self.folder, self.kept, self.record, self.past = folder, kept, record, past
        self.database_url = database_url or f"sqlite:///{(folder / 'shop.sqlite3').as_posix()}"
        self.site_url = address(kept.ports["shop"])
        self.stripe_url = address(kept.ports["stripe"])
        self.image_origin = address(kept.ports["images"])
        self.mailbox_url = address(kept.ports["mailbox"])
        self.mails = Mails(folder / "mails")
        self.webhook_url = f"{self.site_url}/stripe/webhook/"
        self.stripe = StripeApi(self.stripe_url, kept.stripe_key)
        self.programs = Programs()

    @contextmanager
    def running(self) -> Iterator[None]:
        links = Links(self.site_url, self.stripe_url)
        with (
            Images(self.kept.ports["images"]),
            PageServer(self.mails, links, self.kept.ports["mailbox"]),
            SmtpServer(self.mails, self.kept.ports["smtp"]),
            self.programs,
        ):
            if self.past:
                past.provide(self.folder, self.environment(), cache=self.past)
            self._start_stripe()
            account.prepare(self.stripe, image_origin=self.image_origin, webhook_url=self.webhook_url)
            self._prepare_shop()
            self._start_shop()
            yield

    def environment(self) -> dict[str, str]:
        """The environment of the shop's processes, with all of its settings."""
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        return {
            **kept,
            "PYTHONUTF8": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ENV_FILE": "",
            "SECRET_KEY": self.kept.django_secret,
            "SITE_URL": self.site_url,
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "DATABASE_URL": self.database_url,
            "STATIC_ROOT": str(self.folder / "static"),
            "STRIPE_API_BASE": self.stripe_url,
            "STRIPE_CHECKOUT_ORIGIN": self.stripe_url,
            "STRIPE_DASHBOARD": f"{self.stripe_url}/dashboard",
            "STRIPE_SECRET_KEY": self.kept.stripe_key,
            # The second secret is that of `stripe listen`. What arrives both ways is handled once.
            "STRIPE_WEBHOOK_SECRET": f"{self.kept.webhook_secret},{signing_secret(self.kept.stripe_key)}",
            "ALLOWED_IMAGE_ORIGINS": self.image_origin,
            "SHOP_NAME": "Tin & Cotton",
            "SHOP_CURRENCY": account.CURRENCY,
            "SHOP_CURRENCIES": account.OTHER,
            "SHOP_LANGUAGES": "en,de,fr",
            "SHIPPING_COUNTRIES": "US,CA,GB,DE",
            "OWNER_EMAIL": "owner@shop.example",
            "DEFAULT_FROM_EMAIL": "Tin & Cotton <hello@shop.example>",
            "EMAIL_URL": f"smtp://127.0.0.1:{self.kept.ports['smtp']}",
        }

    def listen_command(self) -> str:
        """The command that attaches the real Stripe CLI to the demo."""
        return (
            f"STRIPE_API_KEY={self.kept.stripe_key} stripe listen --api-base {self.stripe_url} "
            f"--all-snapshot --forward-to {self.webhook_url}"
        )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _start_stripe(self) -> None:
        options = {
            "--port": str(self.kept.ports["stripe"]),
            "--state": str(self.folder / "stripe.sqlite3"),
            "--key": self.kept.stripe_key,
            "--webhook-url": self.webhook_url,
            "--webhook-secret": self.kept.webhook_secret,
            **({"--record": str(self.record)} if self.record else {}),
        }
        self._start("stripe", "-m", "fake_stripe", *[part for option in options.items() for part in option])
        self._wait_for("stripe", f"{self.stripe_url}/dashboard")

    def _prepare_shop(self) -> None:
        environment = {**self.environment(), "DEMO_OWNER_PASSWORD": self.kept.owner_password}
        with self.log("prepare").open("wb") as log:
            prepared = subprocess.run(
                python("-m", "demo.prepare"), cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        if prepared.returncode:
            raise DidNotStart(f"The shop could not be prepared.\n{self.last_words('prepare')}")

    def _start_shop(self) -> None:
        self._start("shop", "manage.py", "runserver", "--noreload", self.site_url.removeprefix("http://"))
        self._wait_for("shop", f"{self.site_url}/")
        # Afterwards: it examines at once whether the shop answers.
        self._start("worker", "manage.py", "run_worker")

    def _start(self, name: str, *arguments: str) -> None:
        self.log(name).write_bytes(b"")
        self.programs.start(
            name,
            python("-m", "script.parent_watch", *arguments),
            environment=self.environment(),
            folder=ROOT,
            log=self.log(name),
            leashed=True,
        )

    def _wait_for(self, name: str, url: str) -> None:
        """Wait until `url` answers 200. Raises DidNotStart if a program ends or after PATIENCE seconds."""
        deadline = time.monotonic() + PATIENCE
        while not answers(url):
            if ended := self.programs.ended():
                raise DidNotStart(f"“{ended}” stopped during startup.\n{self.last_words(ended)}")
            if time.monotonic() > deadline:
                raise DidNotStart(f"“{name}” does not answer at {url}.\n{self.last_words(name)}")
            time.sleep(0.05)

    def last_words(self, name: str, lines: int = 15) -> str:
        written = self.log(name).read_text(errors="replace").splitlines()
        return "\n".join([f"The end of {self.log(name)}:", *written[-lines:]])


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except HTTPError as error:
        raise DidNotStart(f"{url} answers with status {error.code}.") from error
    except (URLError, OSError):
        return False
