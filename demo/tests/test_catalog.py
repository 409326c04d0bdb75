"""The sample catalog covers every case, keeps to Stripe's limits and has all of its images."""

from __future__ import annotations

from urllib.request import urlopen
from xml.etree import ElementTree

import pytest

from demo.catalog import SAMPLES, Sample
from demo.garments import CLOTHS, GARMENTS
from demo.images import Images, draw
from demo.prints import PRINTS
from shop.metadata import parse

BY_ID = {sample.id: sample for sample in SAMPLES}


def test_there_are_fourteen_products_with_distinct_ids() -> None:
    assert len(SAMPLES) == len(BY_ID) == 14


def test_the_balm_t_shirt_starts_with_fifteen_medium() -> None:
    assert BY_ID["prod_balm_tshirt"].metadata["stock_M"] == "15"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_only_the_broken_one_has_metadata_with_problems(sample: Sample) -> None:
    assert bool(parse(sample.metadata).problems) == (sample.id == "prod_zz_misprint")


def test_every_special_case_has_its_product() -> None:
    facts = {sample.id: parse(sample.metadata) for sample in SAMPLES}

    assert len({fact.category for fact in facts.values()}) >= 4
    assert any(fact.link and BY_ID[id].price is None for id, fact in facts.items())
    assert any(not fact.sizes and "stock" in BY_ID[id].metadata for id, fact in facts.items())
    assert any("unlimited" in sample.metadata.values() for sample in SAMPLES)
    assert any("3XL" in sample.prices for sample in SAMPLES)
    assert any("stock_M" in sample.metadata and sample.metadata["stock_M"] == "1" for sample in SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_a_product_keeps_to_stripes_limits(sample: Sample) -> None:
    assert len(sample.image_paths()) <= 8
    assert len(sample.metadata) <= 50
    assert all(len(key) <= 40 and 0 < len(value) <= 500 for key, value in sample.metadata.items())
    assert set(sample.prices) <= set(parse(sample.metadata).sizes)


@pytest.mark.parametrize("path", sorted({path for sample in SAMPLES for path in sample.image_paths()}))
def test_every_image_can_be_drawn(path: str) -> None:
    assert ElementTree.fromstring(draw(path)).tag == "{http://www.w3.org/2000/svg}svg"


def test_any_print_can_be_drawn_on_any_garment_in_any_color() -> None:
    drawn = {
        draw(f"/{garment}/{name}/{color}.svg") for garment in GARMENTS for name in PRINTS for color in CLOTHS
    }

    assert len(drawn) == len(GARMENTS) * len(PRINTS) * len(CLOTHS)
    assert all(ElementTree.fromstring(picture) is not None for picture in drawn)


@pytest.mark.parametrize(
    "path", ["/", "/tee/balm/Pink.svg", "/tee/nothing/White.svg", "/a/b/c/d.svg", "/detail/x/y"]
)
def test_an_unknown_path_has_no_image(path: str) -> None:
    assert draw(path) == b""


def test_the_thread_that_serves_images_ends_with_the_server() -> None:
    """At a closed socket it would not wait, and take a whole processor."""
    with (
        Images(port=0) as images,
        urlopen(f"http://127.0.0.1:{images.server_port}/tee/balm/White.svg") as answer,
    ):
        assert answer.read() == draw("/tee/balm/White.svg")

    images.thread.join(timeout=5)
    assert not images.thread.is_alive()
