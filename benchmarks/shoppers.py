"""Customers who open checkouts through the shop's pages, several at once, as browsers would.

Each has a session of their own, opens the product page, adds sizes to the cart and starts a checkout. The
redirect to Stripe's page contains the id of the Checkout Session; a customer who is turned away has none.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

CHOICE = re.compile(r'name="item" value="(\d+)"[^>]*>\s*<span class="choice__name">([^<]+)</span>')
SESSION = re.compile(r"cs_test_\w+")
AT_ONCE = 8


class NotServed(Exception):
    """A page answered with an unexpected status or content."""


@dataclass(frozen=True)
class Shop:
    """The shop over HTTP, and the id of the product to buy.

    `doors`: addresses of more web processes of the same shop. Each request goes to a random one, as behind a
    load balancer.
    """

    url: str
    product: str
    doors: Sequence[str] = ()

    @property
    def page(self) -> str:
        return f"{self._door()}/products/{self.product}/"

    def _door(self) -> str:
        return random.choice([self.url, *self.doors])

    def choices(self) -> dict[str, str]:
        """Size -> value of its radio button on the product page."""
        return {size: item for item, size in CHOICE.findall(requests.get(self.page, timeout=30).text)}

    def open_sessions(self, wants: Sequence[Mapping[str, int]]) -> list[str | None]:
        """Let one customer per basket start a checkout, several at a time; the session of each, or None if refused."""
        items = self.choices()
        missing = {size for basket in wants for size in basket} - set(items)
        if missing:
            raise NotServed(f"the product page does not offer {', '.join(sorted(missing))}, only {items}")
        with ThreadPoolExecutor(AT_ONCE) as crowd:
            return list(crowd.map(lambda basket: self.buy(items, basket), wants))

    def open_all(self, wants: Sequence[Mapping[str, int]]) -> list[str]:
        """As `open_sessions`, and those who were refused try again: for a moment the payment page may be very busy.

        Raises NotServed if someone is refused five times.
        """
        sessions = self.open_sessions(wants)
        for _attempt in range(4):
            refused = [place for place, session in enumerate(sessions) if session is None]
            for place, session in zip(refused, self.open_sessions([wants[p] for p in refused]), strict=True):
                sessions[place] = session
        if None in sessions:
            raise NotServed(f"{sessions.count(None)} of {len(sessions)} checkouts were refused five times")
        return [session for session in sessions if session]

    def buy(self, items: Mapping[str, str], basket: Mapping[str, int]) -> str | None:
        """Start a checkout of sizes and quantities; the session's id, or None if refused. `items`: as in `choices`."""
        with requests.Session() as browser:
            _ok(browser.get(self.page, timeout=60))
            for size, quantity in basket.items():
                self._post(browser, "/cart/add/", item=items[size], color="", quantity=str(quantity))
            answer = self._post(browser, "/checkout/")
            found = SESSION.search(answer.headers.get("Location", ""))
            return found.group() if found else None

    def _post(self, browser: requests.Session, path: str, **form: str) -> requests.Response:
        token = browser.cookies.get("csrftoken", "")
        data = {"csrfmiddlewaretoken": token, **form}
        return _ok(
            browser.post(
                self._door() + path,
                data=data,
                headers={"Referer": self.page},
                allow_redirects=False,
                timeout=60,
            )
        )


def _ok(answer: requests.Response) -> requests.Response:
    if answer.status_code not in (200, 302, 303):
        raise NotServed(f"{answer.request.method} {answer.url}: {answer.status_code}\n{answer.text[:500]}")
    return answer
