"""Another shop's database updates the same product."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.core.management import call_command

from inventory.models import (
    Installation,
    Issue,
)
from inventory.tests.factories import Shirt

if TYPE_CHECKING:
    pass


def foreign_update(shirt: Shirt, **counts: int) -> None:
    """Another shop's database sends its totals and version tag."""
    metadata = {f"stock_{size}": str(count) for size, count in counts.items()}
    shirt.edit_keys({**metadata, "inventory_version": "them/prod_shirt/4"})


def test_a_foreign_version_tag_pauses_our_updates_and_notifies_the_owner(shirt: Shirt) -> None:
    foreign_update(shirt, M=14)
    shirt.settle()
    shirt.sell("M", 2)

    shirt.settle()

    assert shirt.at_stripe("M") == "14"
    assert shirt.stock.pause_text == "another shop updates its counts: them/prod_shirt/4"
    assert "--take-over" in Issue.objects.get(kind="foreign_version").text
    assert shirt.item("M").pending == -2


def test_an_update_of_the_other_shop_is_an_edit_here(shirt: Shirt) -> None:
    foreign_update(shirt, M=14)

    shirt.settle()

    assert shirt.movements("M") == [15, -1]


def test_taking_over_publishes_pending_movements(shirt: Shirt) -> None:
    foreign_update(shirt, M=14)
    shirt.settle()
    shirt.sell("M", 2)
    shirt.settle()

    call_command("sync_catalog", "--product", "prod_shirt", "--take-over")
    shirt.settle()

    assert shirt.at_stripe("M") == "12"
    assert shirt.version_tag is not None and shirt.version_tag.startswith(Installation.current())
    assert not Issue.objects.filter(kind="foreign_version", closed_at=None).exists()
    assert shirt.is_at_rest()


def test_a_shop_that_keeps_updating_after_the_takeover_pauses_us_again(shirt: Shirt) -> None:
    foreign_update(shirt, M=14)
    shirt.settle()
    call_command("sync_catalog", "--product", "prod_shirt", "--take-over")
    shirt.settle()

    shirt.edit_keys({"inventory_version": "them/prod_shirt/5"})
    shirt.settle()

    assert shirt.stock.pause_detail == "them/prod_shirt/5"


def test_a_version_tag_of_the_longest_length_can_be_taken_over(shirt: Shirt) -> None:
    long_name = "x" * (500 - len("/prod_shirt/5"))
    shirt.edit_keys({"inventory_version": f"{long_name}/prod_shirt/5"})
    shirt.settle()

    call_command("sync_catalog", "--product", "prod_shirt", "--take-over")
    shirt.settle()

    assert not shirt.stock.pause_reason and shirt.is_at_rest()


def test_a_product_updated_by_another_shop_is_shown_with_its_counts(
    new_shirt: Callable[..., Shirt],
) -> None:
    """A second database on the same account reads the counts and sends no updates."""
    shirt = new_shirt(M=15)
    foreign_update(shirt, M=14)

    shirt.sync()

    assert shirt.item("M").available == 14
    assert shirt.version_tag == "them/prod_shirt/4"


def test_a_duplicated_product_begins_its_own_ledger_and_version(shirt: Shirt) -> None:
    """The Dashboard copies all metadata, including the version tag of the original product."""
    shirt.fake.add_product(id="prod_copy", name="Copy", metadata=shirt.metadata)
    copy = Shirt(shirt.fake, "prod_copy")

    copy.sync()

    assert copy.movements("M") == [15]
    assert copy.version_tag == f"{Installation.current()}/prod_copy/1"
    assert not Issue.objects.exists()
