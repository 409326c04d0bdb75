"""The demo's size guides and texts are valid, and the owner's changes stay."""

from __future__ import annotations

import pytest

from demo.catalog import SAMPLES
from demo.storefront import SIZE_GUIDES, write_once
from shop import size_guide
from shop.metadata import parse
from shop.models import SizeGuide, Storefront

pytestmark = pytest.mark.django_db


def test_every_size_of_the_catalog_is_in_a_guide() -> None:
    write_once()

    in_guides = {line.split()[0] for guide in SIZE_GUIDES for line in guide["lines"].splitlines()}
    sold = {size for sample in SAMPLES for size in parse(sample.metadata).sizes}
    assert sold <= in_guides
    assert [size_guide.problems_of(guide.columns, guide.lines) for guide in SizeGuide.objects.all()] == [
        [],
        [],
    ]


def test_the_owners_changes_survive_the_next_start() -> None:
    write_once()
    Storefront.objects.update(tagline="Ours")
    SizeGuide.objects.filter(category="kids").delete()

    write_once()

    assert Storefront.objects.get().tagline == "Ours"
    assert SizeGuide.objects.count() == 1
