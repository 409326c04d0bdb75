"""Version tags distinguish stale forms, other shops, duplicated products and restored databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.models import (
    Installation,
    Issue,
    VersionSnapshot,
)
from inventory.tests.factories import Shirt

if TYPE_CHECKING:
    pass


# --- Forms opened a while ago -----------------------------------------------------------------


def test_an_old_form_saved_untouched_does_not_bring_sold_shirts_back(shirt: Shirt) -> None:
    form = shirt.form()
    shirt.sell("M", 2)
    shirt.settle()

    shirt.save_form(form)
    assert shirt.at_stripe("M") == "15"
    shirt.settle()

    assert shirt.at_stripe("M") == "13"
    assert shirt.movements("M") == [15, -2]
    assert shirt.is_at_rest()


def test_an_old_form_counts_what_its_owner_changed_and_keeps_what_was_sold_since(shirt: Shirt) -> None:
    form = shirt.form()
    shirt.sell("M", 2)
    shirt.sell("S", 1)
    shirt.settle()

    shirt.save_form(form, M=25)
    shirt.settle()

    assert (shirt.at_stripe("S"), shirt.at_stripe("M")) == ("9", "23")
    assert shirt.is_at_rest()


def test_a_form_several_versions_old_is_measured_from_its_own_version(shirt: Shirt) -> None:
    form = shirt.form()
    for _sale in range(3):
        shirt.sell("M")
        shirt.settle()

    shirt.save_form(form, M=20)
    shirt.settle()

    assert shirt.at_stripe("M") == "17"
    assert shirt.is_at_rest()


def test_a_form_that_was_opened_after_an_edit_is_measured_from_that_edit(shirt: Shirt) -> None:
    """The edit was made under the current tag, and the form shows both."""
    shirt.edit(S=12)
    form = shirt.form()
    shirt.settle()
    shirt.sell("M", 2)
    shirt.settle()

    shirt.save_form(form, M=20)
    shirt.settle()

    assert (shirt.at_stripe("S"), shirt.at_stripe("M")) == ("12", "18")
    assert shirt.is_at_rest()


def test_a_form_that_fits_two_snapshots_is_counted_and_becomes_an_issue(shirt: Shirt) -> None:
    shirt.edit(S=12)
    form = shirt.form()
    shirt.settle()

    shirt.save_form({**form, "stock_S": "11"})
    shirt.settle()

    assert Issue.objects.filter(kind="ambiguous_edit").exists()
    assert shirt.is_at_rest()


def test_a_form_with_an_unknown_version_becomes_an_issue_and_changes_nothing(shirt: Shirt) -> None:
    form = shirt.form()
    shirt.sell("M", 2)
    shirt.settle()
    VersionSnapshot.objects.filter(number=1).delete()

    shirt.save_form(form, M=25)
    shirt.settle()

    assert Issue.objects.get(kind="ambiguous_edit").subject == "prod_shirt"
    assert shirt.at_stripe("M") == "13"
    assert shirt.is_at_rest()


def test_an_old_form_over_an_unreadable_count_is_measured_from_its_version(
    shirt: Shirt,
) -> None:
    form = shirt.form()
    shirt.sell("S", 1)
    shirt.settle()
    shirt.edit(M="ten")
    shirt.settle()

    shirt.save_form(form, M=18)
    shirt.settle()

    assert Issue.objects.filter(kind="unreadable_count").exists()
    assert (shirt.at_stripe("S"), shirt.at_stripe("M")) == ("9", "18")
    assert shirt.item("M").state == "counted" and shirt.is_at_rest()


def test_an_edit_that_does_not_touch_the_version_key_is_a_plain_difference(shirt: Shirt) -> None:
    shirt.edit(M=20)

    shirt.settle()

    assert shirt.movements("M") == [15, 5]


def test_a_removed_version_tag_is_sent_again(shirt: Shirt) -> None:
    shirt.edit_keys({"inventory_version": ""})
    shirt.sell("M", 2)

    shirt.settle()

    assert shirt.version_tag == f"{Installation.current()}/prod_shirt/{shirt.stock.number}"
    assert shirt.at_stripe("M") == "13" and shirt.is_at_rest()
