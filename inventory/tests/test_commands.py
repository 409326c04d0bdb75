"""Management commands sync_catalog, explain_stock, replay_events and the old names of commands."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.events import inbox
from inventory.models import Movement, StockItem, StripeEvent
from inventory.stock import ledger
from inventory.tests.factories import Shirt
from shop.models import Product

if TYPE_CHECKING:
    from fake_stripe import FakeStripe


def run(command: str, *arguments: str) -> tuple[str, str]:
    """Run a command; returns its stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


# --- sync_catalog -----------------------------------------------------------------------------


def test_a_first_sync_creates_and_says_so(new_shirt: Callable[..., Shirt]) -> None:
    new_shirt("prod_a", M=15)
    new_shirt("prod_b", M=3)

    out, _err = run("sync_catalog")

    assert out == "2 created, 0 updated, 0 unchanged, 0 problems\n"
    assert StockItem.objects.get(product="prod_a").on_hand == 15


def test_a_second_sync_writes_nothing(shirt: Shirt) -> None:
    run("sync_catalog")

    with CaptureQueriesContext(connection) as queries:
        out, _err = run("sync_catalog")

    assert out == "0 created, 0 updated, 1 unchanged, 0 problems\n"
    writing = [query["sql"] for query in queries if query["sql"].split()[0] in {"INSERT", "UPDATE", "DELETE"}]
    assert writing == []


def test_our_own_update_is_no_change_to_a_sync(shirt: Shirt) -> None:
    shirt.sell("M", 2)
    shirt.settle()

    out, _err = run("sync_catalog")

    assert shirt.at_stripe("M") == "13"
    assert out == "0 created, 0 updated, 1 unchanged, 0 problems\n"


def test_a_sync_reads_more_than_a_page(fake: FakeStripe, db: None) -> None:
    for number in range(105):
        fake.add_product(id=f"prod_{number}", name="Shirt", metadata={"stock": "1"})

    out, _err = run("sync_catalog")

    assert out.startswith("105 created")


def test_a_dry_run_says_what_would_change_and_changes_nothing(new_shirt: Callable[..., Shirt]) -> None:
    new_shirt(M=15)

    out, _err = run("sync_catalog", "--dry-run")

    assert out == "Dry run: 1 created, 0 updated, 0 unchanged, 0 problems\n"
    assert not Product.objects.exists() and not StockItem.objects.exists()


def test_a_dry_run_lists_the_problems_that_the_sync_would_list(fake: FakeStripe, db: None) -> None:
    fake.add_product(id="prod_bare", name="Bare", metadata={"stock": "1"})

    dry, dry_problems = run("sync_catalog", "--dry-run")
    wet, wet_problems = run("sync_catalog")

    assert dry_problems == wet_problems == "prod_bare Bare: It has no default price that can be used.\n"
    assert dry == f"Dry run: {wet}"


def test_a_corrected_product_has_no_problem_in_a_dry_run(shirt: Shirt) -> None:
    shirt.edit_keys({"link": "http://music.example"})
    run("sync_catalog")
    shirt.edit_keys({"link": ""})

    assert run("sync_catalog", "--dry-run")[0].endswith(" 0 problems\n")


def test_archived_products_have_no_problems(fake: FakeStripe, db: None) -> None:
    fake.add_product(id="prod_old", name="Old", metadata={"sizes": "M", "stock_M": "ten"}, active=False)

    out, err = run("sync_catalog")

    assert (out, err) == ("1 created, 0 updated, 0 unchanged, 0 problems\n", "")


def test_problems_are_listed_with_their_product(new_shirt: Callable[..., Shirt]) -> None:
    new_shirt(M="ten", S=3)

    out, err = run("sync_catalog")

    assert "1 problem\n" in out
    assert err.startswith("prod_shirt BALM T-Shirt: stock_M is “ten”")


def test_one_product_can_be_synced_alone(shirt: Shirt) -> None:
    shirt.fake.dashboard.edit_product("prod_shirt", name="New name")

    out, _err = run("sync_catalog", "--product", "prod_shirt")

    assert out == "0 created, 1 updated, 0 unchanged, 0 problems\n"
    assert Product.objects.get().name == "New name"


def test_an_unknown_product_is_an_error_of_one_sentence(fake: FakeStripe, db: None) -> None:
    with pytest.raises(CommandError, match="Stripe has no product prod_x"):
        run("sync_catalog", "--product", "prod_x")


def test_without_a_key_the_command_says_which_setting(db: None, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = ""

    with pytest.raises(CommandError, match="STRIPE_SECRET_KEY"):
        run("sync_catalog")


def test_a_product_that_vanished_is_kept_as_deleted(fake: FakeStripe, db: None) -> None:
    fake.add_product(id="prod_a", name="A", metadata={"stock": "1"})
    run("sync_catalog")
    assert fake.call("DELETE", "/v1/products/prod_a")[0] == 200

    out, _err = run("sync_catalog")

    assert out.startswith("0 created, 1 updated")
    assert Product.objects.get().deleted


def test_on_a_terminal_the_progress_is_shown_and_wiped(shirt: Shirt) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    call_command("sync_catalog", stdout=out)

    assert "\r\x1b[K1 BALM T-Shirt" in out.getvalue()


def test_an_edit_that_only_a_sync_finds_is_counted_from_its_event(shirt: Shirt) -> None:
    shirt.fake.faults.add("drop", types=("product.updated",))
    shirt.edit(M=20)

    run("sync_catalog")
    shirt.settle()

    assert shirt.movements("M", "edited") == [5] and shirt.is_at_rest()


# --- explain_stock ----------------------------------------------------------------------------


def test_explain_stock_prints_the_running_count_line_by_line(shirt: Shirt) -> None:
    shirt.sell("M", 2, order="order:77")
    shirt.settle()
    shirt.edit(M=20)
    shirt.settle()
    ledger.receive(shirt.item("M").pk, 5, reference="form:1", reason="Delivery", actor="owner")
    ledger.hold("order:78", {shirt.item("M").pk: 1})

    out, _err = run("explain_stock", "prod_shirt", "M")

    lines = [line for line in out.splitlines() if " = " in line and line[:4].isdigit()]
    assert [line.rsplit(" = ")[-1] for line in lines] == ["15", "13", "20", "25"]
    assert "sale                  −2 order:77:0 [update 2, applied] = 13" in out
    assert "received              +5 form:1 (Delivery) by owner [not yet at Stripe] = 25" in out
    assert "on hand   20 = movements published to Stripe\n" in out
    assert "pending   +5 = movements not yet published\n" in out
    assert "1 for order:78 since" in out
    assert "available 24" in out
    assert "product.updated evt_" in out


def test_explain_stock_prints_local_times(shirt: Shirt, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    opened = shirt.item("M").movements.get().created_at

    out, _err = run("explain_stock", "prod_shirt", "M")

    assert f"{opened + timedelta(hours=9):%Y-%m-%d %H:%M:%S} JST opening count" in out


def test_explain_stock_names_a_sum_that_drifted(shirt: Shirt) -> None:
    StockItem.objects.filter(pk=shirt.item("M").pk).update(on_hand=16)

    out, _err = run("explain_stock", "prod_shirt", "stock_M")

    assert "MISMATCH: they add up to 15" in out


def test_explain_stock_of_a_size_that_is_not_there_names_those_that_are(shirt: Shirt) -> None:
    with pytest.raises(CommandError, match="no size “XL”; it has S, M, L"):
        run("explain_stock", "prod_shirt", "XL")
    with pytest.raises(CommandError, match="Nothing is counted for prod_x"):
        run("explain_stock", "prod_x", "M")


# --- replay_events ----------------------------------------------------------------------------


@pytest.fixture
def handled(shirt: Shirt) -> list[str]:
    shirt.edit(M=20)
    shirt.settle()
    return list(StripeEvent.objects.order_by("received_at").values_list("pk", flat=True))


def states() -> set[str]:
    return set(StripeEvent.objects.values_list("state", flat=True))


def test_a_replay_counts_nothing_twice(shirt: Shirt, handled: list[str]) -> None:
    before = Movement.objects.count()

    out, _err = run("replay_events", *handled)
    assert f"{len(handled)} will be handled again" in out and states() == {"waiting"}
    shirt.settle()

    assert states() == {"handled"} and Movement.objects.count() == before
    assert shirt.is_at_rest()


def test_a_dry_run_names_the_events_and_leaves_them(handled: list[str]) -> None:
    out, _err = run("replay_events", "--dry-run", handled[0])

    assert handled[0] in out and "1 would be handled again" in out
    assert states() == {"handled"}


def test_a_range_of_days_is_replayed(handled: list[str]) -> None:
    today, tomorrow = timezone.now().date(), timezone.now().date() + timedelta(days=1)

    out, _err = run("replay_events", "--since", str(today), "--until", str(tomorrow), "--dry-run")
    assert f"{len(handled)} would" in out
    out, _err = run("replay_events", "--until", str(today), "--dry-run")
    assert "0 would" in out


def test_failed_events_are_replayed(handled: list[str]) -> None:
    StripeEvent.objects.filter(pk=handled[0]).update(state="failed")

    out, _err = run("replay_events", "--failed")

    assert "1 will be handled again" in out
    assert StripeEvent.objects.get(pk=handled[0]).state == "waiting"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Specify event ids"),
        (["evt_nowhere"], "Events not found: evt_nowhere"),
        (["--since", "yesterday"], "is not a valid time"),
        (["--since", "2026-13-45"], "is not a valid time"),
        (["--since", "2999-01-01"], "is in the future"),
    ],
)
def test_bad_arguments_get_an_error_message(db: None, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("replay_events", *arguments)


def test_a_replay_of_an_unknown_event_touches_no_other(handled: list[str]) -> None:
    assert inbox.replay(["evt_nowhere"], timezone.now()) == 0


# --- Old names of commands --------------------------------------------------------------------


def test_why_names_explain_stock_and_does_the_same(shirt: Shirt) -> None:
    out, err = run("why", "prod_shirt", "M")

    assert err == "“why” is now called “explain_stock”; the old name goes away with the next release.\n"
    assert out == run("explain_stock", "prod_shirt", "M")[0]


def test_work_names_run_worker_and_does_the_same(shirt: Shirt) -> None:
    shirt.sell("M", 2)

    out, err = run("work", "--once")

    assert err == "“work” is now called “run_worker”; the old name goes away with the next release.\n"
    assert out.endswith(" done.\n") and shirt.at_stripe("M") == "13"
