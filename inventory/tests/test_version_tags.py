"""Version tags distinguish stale forms, other shops, duplicated products and restored databases."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from config.stripe_client import ConnectionFailed
from inventory import gateway
from inventory.events import inbox
from inventory.models import Installation, Issue, StripeEvent, VersionSnapshot
from inventory.tests.factories import Shirt, later, raising
from inventory.worker import drain

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


# --- Forms whose event arrives before those of earlier edits ---------------------------------


def _open_after_an_edit(shirt: Shirt, removes_tag: bool) -> dict[str, str]:
    """A form that shows an edit of S from 10 to 12, whose event has not arrived, and is old when it is saved."""
    shirt.edit(S=12)
    form = shirt.form()
    if removes_tag:
        shirt.edit_keys({"inventory_version": ""})
    else:
        shirt.sell("M", 2)
        drain()
    shirt.fake.forward(5)
    return form


def _events(shirt: Shirt) -> list[dict[str, Any]]:
    """The product's updates at Stripe that have not arrived, oldest first."""
    known = set(StripeEvent.objects.values_list("pk", flat=True))
    events = sorted(shirt.fake.events.values(), key=lambda event: event["created"])
    return [event for event in events if event["type"] == "product.updated" and event["id"] not in known]


@pytest.mark.parametrize("removes_tag", [True, False], ids=["the tag was removed", "another update was sent"])
def test_an_old_form_is_measured_from_an_edit_whose_event_comes_later(
    shirt: Shirt, removes_tag: bool
) -> None:
    form = _open_after_an_edit(shirt, removes_tag)
    shirt.save_form(form, M=20)
    inbox.store_events(_events(shirt)[-1:])

    drain()
    shirt.settle()

    assert shirt.movements("S") == [10, 2]
    assert shirt.movements("M", "edited") == [5] and shirt.is_at_rest()
    assert not Issue.objects.exists()


def test_two_old_forms_of_one_second_are_both_counted(shirt: Shirt) -> None:
    form = _open_after_an_edit(shirt, removes_tag=False)
    shirt.save_form(form, M=20)
    shirt.sell("L")
    drain()
    shirt.save_form(form, L=9)
    inbox.store_events(reversed(_events(shirt)))

    drain()
    shirt.settle()

    assert [shirt.movements(size, "edited") for size in "SML"] == [[2], [5], [4]]
    assert shirt.is_at_rest()


def test_the_list_of_events_is_read_once_for_forms_that_arrived_before(shirt: Shirt) -> None:
    form = _open_after_an_edit(shirt, removes_tag=False)
    shirt.save_form(form, M=20)
    shirt.sell("L")
    drain()
    shirt.fake.forward(5)
    shirt.save_form(form, M=20)
    inbox.store_events(_events(shirt)[-3:])
    shirt.fake.calls.clear()

    inbox.process_local(timezone.now())
    inbox.process_remote(timezone.now())

    assert not inbox.waiting_for_stripe()
    assert [call.path for call in shirt.fake.calls].count("/v1/events") == 1


def test_an_old_form_waits_until_stripe_lists_events_again(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = _open_after_an_edit(shirt, removes_tag=True)
    shirt.save_form(form, M=20)
    inbox.store_events(_events(shirt)[-1:])
    with monkeypatch.context() as away:
        away.setattr(gateway, "product_events", raising(ConnectionFailed("no answer")))
        drain()
        waiting = StripeEvent.objects.get(state=StripeEvent.State.WAITING)
        assert waiting.error.startswith("ConnectionFailed") and not shirt.movements("M", "edited")

    drain(later(60))
    shirt.settle()

    assert shirt.movements("M", "edited") == [5] and shirt.is_at_rest()


def _stored_edit_and_form(shirt: Shirt) -> tuple[StripeEvent, StripeEvent]:
    """The events of an edit and of an old form that shows it, neither of them handled."""
    form = _open_after_an_edit(shirt, removes_tag=True)
    shirt.save_form(form, M=20)
    edit, *_removal, saved = _events(shirt)
    inbox.store_events([edit, saved])
    return StripeEvent.objects.get(pk=edit["id"]), StripeEvent.objects.get(pk=saved["id"])


def test_an_old_form_waits_for_an_earlier_event_that_another_worker_handles(shirt: Shirt) -> None:
    edit, form = _stored_edit_and_form(shirt)
    StripeEvent.objects.filter(pk=edit.pk).update(lease_until=later(30))

    with inbox.allow_stripe_calls():
        assert not inbox.handle(form.pk, timezone.now())

    form.refresh_from_db()
    assert form.error == f"EarlierEventWaits: An earlier event of the product is not handled yet: {edit.pk}."
    assert not shirt.movements("M", "edited")
    StripeEvent.objects.filter(pk=edit.pk).update(lease_until=None)
    drain(later(60))
    shirt.settle()
    assert shirt.movements("M", "edited") == [5] and shirt.is_at_rest()


def test_an_earlier_event_that_has_failed_for_good_does_not_hold_up_a_form(shirt: Shirt) -> None:
    edit, form = _stored_edit_and_form(shirt)
    StripeEvent.objects.filter(pk=edit.pk).update(attempts=inbox.MAX_LEASES)

    drain()

    form.refresh_from_db()
    assert Issue.objects.get(kind="event_failed").subject == edit.pk
    assert form.state == StripeEvent.State.HANDLED


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
