"""Validators of others on the shop's pages and their structured data.

- html-validate: HTML as the standard has it.
- schema-dts with TypeScript: every type, property and enumeration value is one of schema.org's.
- @adobe/structured-data-validator: what Google's documentation requires of products, offers, shipping and breadcrumbs.

Each test also has a page with a fault, because a validator may be blind to what it is asked about.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from proofs.clients.npm import installed_clients
from shop.models import ShippingRate, Storefront
from shop.prices import CurrencyOption
from shop.tests.factories import on_shelf, price

pytestmark = [pytest.mark.django_db, pytest.mark.enable_socket]

HERE = Path(__file__).parent
GROUP, SINGLE = "/products/prod_balm/balm-t-shirt/", "/products/prod_mug/mug/"
PAGES = {
    "home": "/",
    "list": "/products/",
    "found": "/products/?q=shirt&sort=price&in_stock=1",
    "category": "/category/clothing/",
    "group": GROUP,
    "size": f"/de{GROUP}?size=M",
    "single": SINGLE,
    "cart": "/fr/cart/",
    "order": "/order/find/",
    "restock": "/restock/prod_balm/?size=S",
    "legal": "/legal/legal-notice/",
    "missing": "/never/",
}
WITH_DATA = ("home", "group", "size", "single")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the packages can be imported."""
    packages = installed_clients(HERE)
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    shutil.copy(HERE / "structured_data.mjs", tmp_path)
    return tmp_path


@pytest.fixture
def pages(folder: Path, settings: Settings) -> dict[str, Path]:
    """Pages of a shop in which everything is filled in."""
    settings.SHOP_LANGUAGES, settings.SHOP_CURRENCIES = ["en", "de", "fr"], ["eur"]
    settings.SITE_URL = "https://shop.example"
    settings.SHIPPING_COUNTRIES, settings.SHIPPING_RATES = ["US", "DE"], ["shr_1"]
    ShippingRate.objects.create(
        id="shr_1",
        name="Post",
        currency="usd",
        amount=500,
        options={"eur": 450},
        delivery_days=[2, 5],
        fetched_at=timezone.now(),
    )
    Storefront.objects.create(
        name="Linden & Söhne", tagline="Shirts", about="Two people.", announcement="Hi", gender="unisex",
        age_group="adult", return_days=30, legal_notice="1 Road",
    )  # fmt: skip
    images = ("https://cdn.example/1.jpg", "https://cdn.example/2.jpg")
    standard, large = (CurrencyOption("eur", 2300),), (CurrencyOption("eur", 2600),)
    on_shelf(
        description="Soft </script> <b>&amp; \N{EM DASH}\nmore",
        images=images,
        prices=(price(options=standard), price("price_l", 2800, size="L", options=large)),
        stock={"S": 0, "M": 3, "L": 10},
        metadata={"category": "clothing", "sizes": "S,M,L", "colors": "Black", "gtin_L": "4006381333931"},
    )
    mug = price("price_mug", 1200, options=standard)
    on_shelf(
        "prod_mug", name="Mug", description="A mug.", images=images[:1], metadata={"category": "things"},
        default_price_id="price_mug", prices=(mug,),
    )  # fmt: skip
    files = {name: folder / f"{name}.html" for name in PAGES}
    for name, file in files.items():
        file.write_bytes(Client().get(PAGES[name]).content)
    return files


def node(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", *map(str, command)],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def html_problems(folder: Path, *files: Path) -> list[str]:
    (folder / ".htmlvalidate.json").write_text('{"root": true, "extends": ["html-validate:standard"]}')
    done = node(folder, "node_modules/html-validate/bin/html-validate.mjs", "--formatter=json", *files)
    assert done.stdout, done.stderr
    results = json.loads(done.stdout)
    return [
        f"{result['filePath']}: {problem['message']}" for result in results for problem in result["messages"]
    ]


def unknown_words(folder: Path, *files: Path) -> dict[str, list[str]]:
    """What of the structured data schema.org does not know, as the compiler says it, by the name of the file."""
    for file in files:
        graphs = re.findall(
            r'<script type="application/ld\+json">(.*?)</script>', file.read_text(), re.DOTALL
        )
        assert graphs
        lines = [f"export const graph{n}: Graph = {graph};" for n, graph in enumerate(graphs)]
        source = folder / f"{file.stem}.ts"
        source.write_text("\n".join(['import type { Graph } from "schema-dts";', *lines]))
    sources = [f"{file.stem}.ts" for file in files]
    options = ["--noEmit", "--strict", "--pretty", "false"]
    options += ["--moduleResolution", "bundler", "--module", "esnext", "--target", "es2022"]
    # All in one run, which reads the types of schema.org once.
    done = node(folder, "node_modules/typescript/bin/tsc", *options, *sources)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    found: dict[str, list[str]] = {file.stem: [] for file in files}
    for line in done.stdout.splitlines():
        if not line.startswith(" "):  # Those explain the line before.
            found[line.partition(".ts(")[0]].append(line)
    return found


def google_errors(folder: Path, *files: Path) -> list[list[Any]]:
    """Errors only: warnings name optional properties."""
    done = node(folder, "structured_data.mjs", *files)
    assert done.returncode == 0, done.stderr
    return [
        [message, path] for _file, severity, message, path in json.loads(done.stdout) if severity == "ERROR"
    ]


def test_pages_are_valid_html(folder: Path, pages: dict[str, Path]) -> None:
    assert html_problems(folder, *pages.values()) == []

    wrong = folder / "wrong.html"
    wrong.write_text(pages["group"].read_text().replace("</footer>", "", 1).replace(' lang="en"', "", 1))
    assert len(html_problems(folder, wrong)) >= 2


def test_structured_data_has_only_words_of_schema_org(folder: Path, pages: dict[str, Path]) -> None:
    found = unknown_words(folder, *(pages[name] for name in WITH_DATA))

    assert found == {name: [] for name in WITH_DATA}


def test_every_misspelled_word_is_found(folder: Path, pages: dict[str, Path]) -> None:
    html = pages["group"].read_text()
    words = [
        "ProductGroup",
        "hasVariant",
        "variesBy",
        "priceCurrency",
        "https://schema.org/InStock",
        "deliveryTime",
    ]
    files = {word: folder / f"wrong{n}.html" for n, word in enumerate(words)}
    for word, file in files.items():
        assert f'"{word}"' in html
        file.write_text(html.replace(f'"{word}"', f'"{word}x"'))

    found = unknown_words(folder, *files.values())

    assert [word for word, file in files.items() if "error TS" not in "".join(found[file.stem])] == []


def test_structured_data_has_what_google_requires(folder: Path, pages: dict[str, Path]) -> None:
    assert google_errors(folder, *(pages[name] for name in WITH_DATA)) == []


@pytest.mark.parametrize(
    ("page", "part", "path"),
    [
        ("single", '"name":"Mug",', "Product"),
        ("single", '"price":"12.00",', "Product/Offer"),
        ("group", '"price":"28.00",', "ProductGroup/Product/Offer"),
        ("group", '"name":"BALM T-Shirt L",', "ProductGroup/Product"),
    ],
)
def test_a_missing_part_is_found(
    folder: Path, pages: dict[str, Path], page: str, part: str, path: str
) -> None:
    html = pages[page].read_text()
    assert part in html
    wrong = folder / "wrong.html"
    wrong.write_text(html.replace(part, ""))

    assert path in {found for _message, found in google_errors(folder, wrong)}


@pytest.mark.parametrize("part", ['"productGroupID":"prod_balm",', '"variesBy":["https://schema.org/size"],'])
def test_no_validator_misses_what_only_a_group_needs(folder: Path, pages: dict[str, Path], part: str) -> None:
    """All are blind to these two, so shop/tests/test_json_ld.py asks for them. If one learns to see, use it."""
    html = pages["group"].read_text()
    assert part in html
    wrong = folder / "wrong.html"
    wrong.write_text(html.replace(part, ""))

    assert google_errors(folder, wrong) == [] and unknown_words(folder, wrong) == {"wrong": []}
