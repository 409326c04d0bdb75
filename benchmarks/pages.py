"""Measure the cost of a page to the visitor and the server, against a bare view and django-oscar.

    python -m benchmarks.pages --json

The shop runs as script/server runs it, with a full list page of shirts in six sizes. A browser with an empty
cache visits each page. Then the same pages are requested as fast as they are answered, in turns with a bare
Django view that returns the same bytes and with oscar's pages of the same products. README.md in this
directory explains each figure. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from benchmarks import browser, servers
from benchmarks.goods import goods
from benchmarks.load import Load, as_fast_as_possible, get
from benchmarks.rival import oscar
from benchmarks.servers import Running, free_port
from benchmarks.shoppers import CHOICE
from benchmarks.stripe_side import StripeSide
from demo.images import Images

ROUNDS, SECONDS, CONNECTIONS = 9, 1.5, 8
WIRE = 60 * 1024
RATED = ("list", "product")
Json = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """One page of one contender. `cookie`: the visitor's Cookie header."""

    port: int
    path: str
    cookie: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def flood(self, seconds: float) -> Load:
        # The same header that browsers send.
        headers = [("Accept-Encoding", "gzip, deflate, br")]
        headers += [("Cookie", self.cookie)] if self.cookie else []
        request = get(self.path, host="127.0.0.1", headers=headers)
        load = as_fast_as_possible(self.port, [request], connections=CONNECTIONS, seconds=seconds)
        if load.good < sum(load.statuses.values()):
            told(f"{self.url}: some responses were not 200: {dict(load.statuses)}")
        return load


def main() -> int:
    given = _options()
    with tempfile.TemporaryDirectory(prefix="shop-pages-") as name, ExitStack() as stack:
        result = measure(
            Path(name),
            stack,
            shown=not given.without_browser,
            rated=not given.without_rates,
            with_oscar=not given.without_oscar,
        )
    print(json.dumps(result) if given.json else json.dumps(result, indent=2))
    return exit_code(result)


def exit_code(result: Mapping[str, Json]) -> int:
    missed = [name for name, target in result["targets"].items() if not target["met"]]
    if missed:
        told(f"missed: {', '.join(missed)}")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pages", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--without-oscar",
        action="store_true",
        help="do not install or measure django-oscar; ratio_oscar is null",
    )
    parser.add_argument(
        "--without-rates", action="store_true", help="measure only queries and the browser's figures"
    )
    parser.add_argument(
        "--without-browser", action="store_true", help="measure only queries and requests per second"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser.parse_args()


def told(what: str) -> None:
    """Print progress to standard error; standard output is for the result."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def measure(folder: Path, stack: ExitStack, *, shown: bool, rated: bool, with_oscar: bool) -> Json:
    """Measure queries, the browser's figures (`shown`) and rates (`rated`), one after the other."""
    images = f"http://127.0.0.1:{stack.enter_context(_images())}"
    shirts = goods(images)
    side = stack.enter_context(StripeSide())
    side.tell("add_goods", goods=shirts)
    url = stack.enter_context(servers.database("sqlite", folder))
    shop = stack.enter_context(
        servers.shop(
            folder,
            database_url=url,
            stripe_url=side.url,
            image_origin=images,
            settings={"SHOP_LANGUAGES": "en,de,fr"},
        )
    )
    pages = pages_of(shop, shirts[0]["id"])
    told("queries")
    queries = servers.counted_queries(shop.environment, "pages", shirts[0]["id"])
    result: dict[str, Json] = {name: {} for name in pages}
    if shown:
        told("browser")
        result |= seen(pages, images)
    for name, count in queries.items():
        result[name]["queries"] = count
    if rated:
        rivals = _rivals(folder, stack, shirts, with_oscar=with_oscar)
        bare = stack.enter_context(servers.bare(folder, _saved(folder, pages), shop.environment))
        for name in RATED:
            told(f"requests per second: {name}")
            bare_page = Target(bare.port, f"/{name}")
            result[name] |= rates(pages[name], bare_page, rivals.get(name), cart_cookie(pages))
    return {**_circumstances(), **result, "targets": targets(result)}


@contextmanager
def _images() -> Iterator[int]:
    """Serve the demo's images from another origin, as a real shop does."""
    with Images(free_port()) as server:
        yield server.server_address[1]


def _circumstances() -> Json:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def pages_of(shop: Running, product_id: str) -> dict[str, Target]:
    """The measured pages; the product page under its canonical address, after the redirect, and in each language."""
    home = f"http://127.0.0.1:{shop.port}"
    landed = requests.get(f"{home}/products/{product_id}/", timeout=30).url
    product = landed.removeprefix(home)
    paths = {"home": "/", "list": "/products/", "product": product, "cart": "/cart/"}
    paths |= {
        f"{name}_{language}": f"/{language}{paths[name]}" for language in ("de", "fr") for name in RATED
    }
    return {name: Target(shop.port, path) for name, path in paths.items()}


def cart_cookies(pages: Mapping[str, Target]) -> dict[str, str]:
    """The cookies of a visitor with one shirt in the cart."""
    with requests.Session() as visitor:
        page = visitor.get(pages["product"].url, timeout=30).text
        form = {"item": CHOICE.findall(page)[-1][0], "color": "Black", "quantity": "1"}
        form["csrfmiddlewaretoken"] = visitor.cookies["csrftoken"]
        answer = visitor.post(f"{pages['cart'].url}add/", data=form, timeout=30)
        answer.raise_for_status()
        return {name: str(value) for name, value in visitor.cookies.items()}


def cart_cookie(pages: Mapping[str, Target]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cart_cookies(pages).items())


def seen(pages: Mapping[str, Target], image_origin: str) -> dict[str, Json]:
    """The browser's figures of each page; the cart page is visited with a shirt in the cart."""
    cookies = [
        {"name": name, "value": value, "url": pages["cart"].url}
        for name, value in cart_cookies(pages).items()
    ]
    with browser.chromium() as chromium:
        return {
            name: browser.measure(
                chromium, page.url, cookies=cookies if name == "cart" else [], image_origin=image_origin
            )
            for name, page in pages.items()
        }


def _saved(folder: Path, pages: Mapping[str, Target]) -> Path:
    """Save the shop's responses, for the bare view to return."""
    saved = folder / "bare"
    saved.mkdir()
    for name in RATED:
        (saved / f"{name}.html").write_bytes(requests.get(pages[name].url, timeout=30).content)
    return saved


def _rivals(folder: Path, stack: ExitStack, shirts: list[Json], *, with_oscar: bool) -> dict[str, Target]:
    if not with_oscar:
        return {}
    told("django-oscar, in its own virtual environment")
    running, paths = stack.enter_context(oscar(folder, shirts))
    return {name: Target(running.port, path) for name, path in paths.items()}


def rates(page: Target, bare: Target, rival: Target | None, cookie: str) -> Json:
    """Requests per second of each contender, measured in turns, and the median of the ratios per round."""
    contenders = {"shop": page, "bare": bare, "shop_with_cart": Target(page.port, page.path, cookie)}
    if rival:
        contenders["oscar"] = rival
    for contender in contenders.values():
        contender.flood(1.0)
    rounds = [
        {name: contender.flood(SECONDS).good_per_second for name, contender in contenders.items()}
        for _ in range(ROUNDS)
    ]
    return {
        "ratio_bare": _ratio(rounds, "shop", "bare"),
        "ratio_bare_with_cart": _ratio(rounds, "shop_with_cart", "bare"),
        "ratio_oscar": _ratio(rounds, "shop", "oscar") if rival else None,
        "requests_per_second": {
            name: round(statistics.median(one[name] for one in rounds), 1) for name in contenders
        },
    }


def _ratio(rounds: list[dict[str, float]], one: str, other: str) -> float:
    return round(statistics.median(each[one] / each[other] for each in rounds), 3)


def targets(result: Mapping[str, Json]) -> Json:
    """Each target of what was measured, with the value, and whether it was met. `result`: figures by page."""
    wanted: dict[str, tuple[float, float | None, float | None]] = {}
    wanted |= {f"{name}: queries": (result[name]["queries"], None, 4) for name in ("list", "product", "cart")}
    for name, page in result.items():
        if "bytes" in page:
            wanted[f"{name}: bytes"] = (page["bytes"], None, WIRE)
            wanted[f"{name}: requests elsewhere"] = (page["third_party"], None, 0)
            wanted[f"{name}: layout shift"] = (page["layout_shift"], None, 0)
    for name, of_bare, times in (("list", 0.45, 20), ("product", 0.55, 5)):
        if "ratio_bare" in result[name]:
            wanted[f"{name}: of the bare view"] = (result[name]["ratio_bare"], of_bare, None)
        if result[name].get("ratio_oscar") is not None:
            wanted[f"{name}: times oscar"] = (result[name]["ratio_oscar"], times, None)
    return {name: _target(*figures) for name, figures in wanted.items()}


def _target(measured: float, at_least: float | None, at_most: float | None) -> Json:
    met = (at_least is None or measured >= at_least) and (at_most is None or measured <= at_most)
    limit = {"at_least": at_least} if at_most is None else {"at_most": at_most}
    return {"measured": measured, **limit, "met": met}


if __name__ == "__main__":
    sys.exit(main())
