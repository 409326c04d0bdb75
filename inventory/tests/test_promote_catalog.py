"""manage.py promote_catalog: the catalog of test mode becomes that of live mode, and again after each change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from config import stripe_client
from fake_stripe import FakeStripe
from fake_stripe.api import Answer, ConnectionCut, Request
from fake_stripe.transport import InProcess

SHIRT = {
    "category": "art",
    "sizes": "M,3XL",
    "stock_M": "15",
    "stock_3XL": "4",
    "colors": "Black",
    "inventory_version": "abc/prod_shirt/7",
}
EUR = {"eur": {"unit_amount": 2300, "tax_behavior": "inclusive"}}


class TwoAccounts(InProcess):
    """Passes each call to the account that its key belongs to.

    writes_left: after so many writes in live mode the last answer is lost, and nothing is answered any more.
    """

    writes_left: int | None = None

    def __init__(self, accounts: Mapping[str, FakeStripe]) -> None:
        self.accounts = accounts
        super().__init__(self)  # type: ignore[arg-type]

    def answer(self, request: Request) -> Answer:
        account = self.accounts[request.headers["authorization"].removeprefix("Bearer ")]
        if self.writes_left == 0:
            raise ConnectionCut("the connection is down")
        answer = account.api.answer(request)
        if request.method == "POST" and account.livemode and self.writes_left:
            self.writes_left -= 1
            if self.writes_left == 0:
                raise ConnectionCut("the answer is lost")
        return answer


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[tuple[FakeStripe, FakeStripe]]:
    """A test account with a shirt, and an empty live account."""
    test = FakeStripe(secret_key="sk_test_one", seed=1, account_id="acct_1One")
    live = FakeStripe(secret_key="sk_live_two", seed=2, account_id="acct_1Two")
    keys = {"sk_test_one": test, "rk_test_one": test, "sk_live_two": live, "rk_live_two": live}
    client = TwoAccounts(keys)
    monkeypatch.setattr(stripe_client, "http_client", lambda: client)
    monkeypatch.setattr("inventory.imports.upload.time.sleep", lambda seconds: None)
    settings.STRIPE_SECRET_KEY = ""
    monkeypatch.setenv("STRIPE_TEST_SECRET_KEY", "sk_test_one")
    monkeypatch.setenv("STRIPE_LIVE_SECRET_KEY", "sk_live_two")
    stripe_client._client.cache_clear()
    test.add_product(
        id="prod_shirt",
        name="BALM T-Shirt",
        description="Organic cotton",
        images=["https://cdn.example/shirt.jpg"],
        metadata=SHIRT,
        prices=[
            {"unit_amount": 2500, "currency": "usd", "currency_options": EUR, "default": True},
            {"unit_amount": 2900, "currency": "usd", "metadata": {"size": "3XL"}, "lookup_key": "shirt-3xl"},
        ],
    )
    yield test, live
    stripe_client._client.cache_clear()


@pytest.fixture
def test(accounts: tuple[FakeStripe, FakeStripe]) -> FakeStripe:
    return accounts[0]


@pytest.fixture
def live(accounts: tuple[FakeStripe, FakeStripe]) -> FakeStripe:
    return accounts[1]


def promote(*options: str, source: str = "test", target: str = "live") -> str:
    printed = StringIO()
    call_command("promote_catalog", "--from", source, "--to", target, "--yes", *options, stdout=printed)
    return printed.getvalue()


def refusal(*options: str, **accounts: str) -> str:
    with pytest.raises(CommandError) as caught:
        promote(*options, **accounts)
    return str(caught.value)


def only(fake: FakeStripe) -> dict[str, Any]:
    [product] = fake.products.values()
    return product


def default_price(fake: FakeStripe) -> dict[str, Any]:
    return fake.prices[only(fake)["default_price"]]


def active_prices(fake: FakeStripe) -> list[tuple[int, str]]:
    """(amount, size) of each active price."""
    return sorted(
        (price["unit_amount"], price["metadata"].get("size", ""))
        for price in fake.prices.values()
        if price["active"]
    )


def state(fake: FakeStripe) -> tuple[dict[str, Any], dict[str, Any]]:
    return dict(fake.products), dict(fake.prices)


def test_a_product_is_copied_with_prices_currencies_pictures_and_metadata(
    test: FakeStripe, live: FakeStripe
) -> None:
    printed = promote()

    copy = only(live)
    assert copy["id"] != "prod_shirt" and copy["active"] and copy["livemode"]
    assert (copy["name"], copy["description"]) == ("BALM T-Shirt", "Organic cotton")
    assert copy["images"] == ["https://cdn.example/shirt.jpg"]
    assert copy["metadata"] == {
        "category": "art",
        "sizes": "M,3XL",
        "colors": "Black",
        "promoted_from": "prod_shirt",
    }
    assert active_prices(live) == [(2500, ""), (2900, "3XL")]
    assert default_price(live)["unit_amount"] == 2500
    assert default_price(live)["metadata"] == {"promoted_from": only(test)["default_price"]}
    _status, price = live.call("GET", f"/v1/prices/{default_price(live)['id']}", "expand[]=currency_options")
    euro = price["currency_options"]["eur"]
    assert (euro["unit_amount"], euro["tax_behavior"]) == (2300, "inclusive")
    assert [price["lookup_key"] for price in live.prices.values() if price["metadata"].get("size")] == [
        "shirt-3xl"
    ]
    assert "1 to create" in printed and "no counts, so they are not for sale yet" in printed


def test_the_original_is_not_changed(test: FakeStripe, live: FakeStripe) -> None:
    before = state(test)

    promote()

    assert state(test) == before


def test_a_dry_run_changes_nothing(test: FakeStripe, live: FakeStripe) -> None:
    printed = promote("--dry-run")

    assert state(live) == ({}, {})
    assert "will create BALM T-Shirt" in printed
    assert "new price 25.00 USD (and 1 currencies)" in printed and "new price 29.00 USD for 3XL" in printed


def test_a_second_run_changes_nothing(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    before, events = state(live), len(live.events)

    printed = promote()

    assert "0 to create, 0 to change, 1 as they should be" in printed
    assert (state(live), len(live.events)) == (before, events)


def test_without_a_terminal_it_asks_for_yes(test: FakeStripe, live: FakeStripe) -> None:
    with pytest.raises(CommandError, match="add --yes"):
        call_command("promote_catalog", "--from", "test", "--to", "live", stdout=StringIO())

    assert state(live) == ({}, {})


# --- Counts


def test_counts_are_copied_on_request_and_never_replace_one(test: FakeStripe, live: FakeStripe) -> None:
    promote("--with-stock")
    assert only(live)["metadata"]["stock_M"] == "15"
    live.dashboard.edit_product(only(live)["id"], metadata={"stock_M": "3", "inventory_version": "live/x/1"})
    test.dashboard.edit_product("prod_shirt", metadata={"stock_M": "99", "category": "basics"})

    promote("--with-stock")

    metadata = only(live)["metadata"]
    assert (metadata["stock_M"], metadata["category"]) == ("3", "basics")
    assert metadata["inventory_version"] == "live/x/1"


def test_counts_of_the_target_stay_without_the_option(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    live.dashboard.edit_product(only(live)["id"], metadata={"stock_M": "3"})

    assert "1 as they should be" in promote()
    assert only(live)["metadata"]["stock_M"] == "3"


# --- Changes of the original


def test_changed_fields_and_metadata_are_brought_along(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    live.dashboard.edit_product(only(live)["id"], metadata={"note": "of the owner"})
    test.call("POST", "/v1/products/prod_shirt", "name=BALM Tee&description=&images=&metadata[colors]=")

    printed = promote()

    copy = only(live)
    assert (copy["name"], copy["description"], copy["images"]) == ("BALM Tee", None, [])
    assert "colors" not in copy["metadata"] and copy["metadata"]["note"] == "of the owner"
    assert "change name, description, images, metadata colors" in printed


def test_a_changed_price_is_a_new_one_and_the_old_one_is_archived(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    old_copy = default_price(live)["id"]
    new = test.add_price("prod_shirt", unit_amount=2700)
    old = only(test)["default_price"]
    test.call("POST", "/v1/products/prod_shirt", f"default_price={new['id']}")
    test.call("POST", f"/v1/prices/{old}", "active=false")

    printed = promote()

    assert default_price(live)["unit_amount"] == 2700
    assert live.prices[old_copy]["active"] is False
    assert active_prices(live) == [(2700, ""), (2900, "3XL")]
    assert "new price 27.00 USD" in printed and "archive the old price 25.00 USD" in printed
    assert "1 as they should be" in promote()


def test_changed_currency_options_make_a_new_price(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    test.call("POST", f"/v1/prices/{only(test)['default_price']}", "currency_options[eur][unit_amount]=2400")

    promote()

    _status, price = live.call("GET", f"/v1/prices/{default_price(live)['id']}", "expand[]=currency_options")
    assert price["currency_options"]["eur"]["unit_amount"] == 2400
    assert active_prices(live) == [(2500, ""), (2900, "3XL")]


def test_a_new_price_of_a_size_takes_the_lookup_key_along(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    [old] = [price["id"] for price in test.prices.values() if price["metadata"].get("size")]
    test.call("POST", f"/v1/prices/{old}", "active=false&lookup_key=")
    test.add_price("prod_shirt", unit_amount=3000, metadata={"size": "3XL"}, lookup_key="shirt-3xl")

    promote()

    holders = [price for price in live.prices.values() if price["lookup_key"] == "shirt-3xl"]
    assert [(price["unit_amount"], price["active"]) for price in holders] == [(3000, True)]
    assert active_prices(live) == [(2500, ""), (3000, "3XL")]


def test_an_archived_original_archives_its_copy(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    test.call("POST", "/v1/products/prod_shirt", "active=false")

    promote()

    assert only(live)["active"] is False


def test_an_archived_product_is_not_copied(test: FakeStripe, live: FakeStripe) -> None:
    test.call("POST", "/v1/products/prod_shirt", "active=false")

    assert "0 to create" in promote()
    assert state(live) == ({}, {})


def test_a_deleted_original_is_named_and_its_copy_stays(test: FakeStripe, live: FakeStripe) -> None:
    test.add_product(id="prod_old", name="Old Cap", metadata={"stock": "1"})
    promote()
    test.call("DELETE", "/v1/products/prod_old")

    printed = promote()

    assert "Old Cap" in printed and "its original prod_old is deleted; the copy stays on sale" in printed
    assert all(product["active"] for product in live.products.values())


def test_a_deleted_copy_is_made_again(test: FakeStripe, live: FakeStripe) -> None:
    test.add_product(id="prod_cap", name="Cap")
    promote()
    [copy] = [product["id"] for product in live.products.values() if product["name"] == "Cap"]
    live.call("DELETE", f"/v1/products/{copy}")

    assert "1 to create" in promote()
    assert [product["name"] for product in live.products.values()].count("Cap") == 1


# --- What is at the target already


def test_a_product_of_the_same_name_is_not_doubled(test: FakeStripe, live: FakeStripe) -> None:
    live.add_product(id="prod_mine", name="BALM T-Shirt")

    assert (
        "prod_mine has the same name and is no copy. Give it the metadata promoted_from: prod_shirt"
        in refusal()
    )
    assert list(live.products) == ["prod_mine"]

    live.dashboard.edit_product("prod_mine", metadata={"promoted_from": "prod_shirt"})
    promote()
    assert only(live)["description"] == "Organic cotton"


def test_a_twin_of_the_same_import_is_adopted_with_its_prices(test: FakeStripe, live: FakeStripe) -> None:
    test.dashboard.edit_product("prod_shirt", metadata={"import_handle": "balm"})
    live.add_product(
        id="prod_other",
        name="Balm",
        metadata={"import_handle": "balm", "stock_M": "2"},
        prices=[{"unit_amount": 2900, "currency": "usd", "metadata": {"size": "3XL"}}],
    )

    promote()

    assert only(live)["name"] == "BALM T-Shirt" and only(live)["metadata"]["stock_M"] == "2"
    assert active_prices(live) == [(2500, ""), (2900, "3XL")]


def test_a_duplicated_copy_is_named(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    live.add_product(id="prod_duplicate", name="Duplicate", metadata={"promoted_from": "prod_shirt"})

    assert "both say promoted_from: prod_shirt" in refusal()


def test_products_that_are_no_copies_stay(test: FakeStripe, live: FakeStripe) -> None:
    live.add_product(id="prod_live_only", name="Poster", metadata={"stock": "3"})
    before = live.products["prod_live_only"]

    promote()

    assert live.products["prod_live_only"] == before


def test_prices_made_by_hand_stay_and_are_named(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    live.add_price(only(live)["id"], unit_amount=1000, metadata={"size": "M"})

    assert "10.00 USD for M" in promote()
    assert (1000, "M") in active_prices(live)


def test_a_copy_can_be_promoted_back(test: FakeStripe, live: FakeStripe) -> None:
    promote()
    live.call("POST", f"/v1/products/{only(live)['id']}", "name=Better name")

    promote(source="live", target="test")

    assert only(test)["name"] == "Better name"
    assert "0 to create" in promote()
    assert len(live.products) == len(test.products) == 1


def test_one_product_can_be_chosen(test: FakeStripe, live: FakeStripe) -> None:
    test.add_product(id="prod_junk", name="myproduct")

    printed = promote("--product", "prod_shirt", "--product", "prod_none")

    assert only(live)["name"] == "BALM T-Shirt"
    assert "There is no product prod_none" in printed


def test_prices_that_the_shop_does_not_sell_are_left_out(test: FakeStripe, live: FakeStripe) -> None:
    test.add_price("prod_shirt", unit_amount=100, recurring={"interval": "month"})

    assert "is recurring, which the shop does not sell" in promote()
    assert active_prices(live) == [(2500, ""), (2900, "3XL")]


# --- Interruptions and refusals


@pytest.mark.parametrize("call", range(1, 7))
def test_an_interrupted_run_is_continued_by_the_next(call: int, test: FakeStripe, live: FakeStripe) -> None:
    # Two probes of the key, the product, two prices, the last update.
    client = stripe_client.http_client()
    assert isinstance(client, TwoAccounts)
    client.writes_left = call
    assert "Run the same command again" in refusal()
    client.writes_left = None
    assert not any(product["active"] for product in live.products.values()) or active_prices(live) == [
        (2500, ""),
        (2900, "3XL"),
    ]

    promote()

    assert only(live)["active"]
    assert active_prices(live) == [(2500, ""), (2900, "3XL")]


def test_what_stripe_refuses_is_named_and_the_others_are_copied(test: FakeStripe, live: FakeStripe) -> None:
    full = {f"key_{number}": "x" for number in range(50)}
    test.add_product(id="prod_full", name="Full", metadata=full)

    assert "Full (prod_full): Stripe refused it" in (text := refusal())
    assert "more than Stripe's 50 metadata keys" in text
    assert only(live)["name"] == "BALM T-Shirt"


@pytest.mark.parametrize("missing", ["products", "prices"])
def test_a_target_key_without_a_right_changes_nothing(
    missing: str, test: FakeStripe, live: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.keys.add("rk_live_two", {"products": "write", "prices": "write", missing: "read"})
    monkeypatch.setenv("STRIPE_LIVE_SECRET_KEY", "rk_live_two")

    text = refusal()

    assert text.startswith("The key in STRIPE_LIVE_SECRET_KEY lacks a permission:") and missing in text
    assert state(live) == ({}, {})


def test_restricted_keys_with_just_these_rights_are_enough(
    test: FakeStripe, live: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    test.keys.add("rk_test_one", {"products": "read", "prices": "read"})
    live.keys.add("rk_live_two", {"products": "write", "prices": "write"})
    monkeypatch.setenv("STRIPE_TEST_SECRET_KEY", "rk_test_one")
    monkeypatch.setenv("STRIPE_LIVE_SECRET_KEY", "rk_live_two")

    promote()

    assert only(live)["name"] == "BALM T-Shirt"


def test_a_revoked_key_is_named(test: FakeStripe, live: FakeStripe) -> None:
    test.keys.revoke("sk_test_one")

    assert refusal().startswith("Stripe does not accept the key in STRIPE_TEST_SECRET_KEY.")


# --- Keys


def test_a_key_on_the_command_line_is_refused_and_not_repeated(test: FakeStripe, live: FakeStripe) -> None:
    text = refusal(source="sk_test_one")

    assert "does not belong on the command line" in text and "sk_test_one" not in text


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("STRIPE_TEST_SECRET_KEY", "", "STRIPE_TEST_SECRET_KEY is not set"),
        ("STRIPE_TEST_SECRET_KEY", "sk_live_two", "STRIPE_TEST_SECRET_KEY holds a key of the other mode."),
        ("STRIPE_TEST_SECRET_KEY", '"sk_test_one"', "STRIPE_TEST_SECRET_KEY must not be in quotes."),
        ("STRIPE_TEST_SECRET_KEY", "pk_test_one", "STRIPE_TEST_SECRET_KEY must be an API key"),
    ],
)
def test_a_wrong_key_is_told_in_one_sentence(
    variable: str,
    value: str,
    sentence: str,
    test: FakeStripe,
    live: FakeStripe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)

    assert sentence in refusal()
    assert state(live) == ({}, {})


def test_the_shops_own_key_is_used_for_its_mode(
    test: FakeStripe, live: FakeStripe, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STRIPE_LIVE_SECRET_KEY")
    settings.STRIPE_SECRET_KEY = "sk_live_two"

    assert "live mode (STRIPE_SECRET_KEY" in promote()


def test_the_same_account_and_mode_is_refused(
    test: FakeStripe, live: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    test.keys.add("rk_test_one", {"products": "write", "prices": "write"})
    monkeypatch.setenv("OTHER_KEY", "rk_test_one")
    before = state(test)

    assert refusal(target="test") == "Both keys belong to the same account and mode."
    assert refusal(target="OTHER_KEY") == "Both keys belong to the same account and mode."
    assert state(test) == before


def test_two_modes_of_one_account_are_two_catalogs(
    test: FakeStripe, live: FakeStripe, accounts: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = stripe_client.http_client()
    assert isinstance(client, TwoAccounts)
    client.accounts = {"sk_test_one": test, "sk_live_one": test}
    test.keys.add("sk_live_one")
    monkeypatch.setenv("STRIPE_LIVE_SECRET_KEY", "sk_live_one")

    promote()

    assert sorted(product["livemode"] for product in test.account.store.table("product").rows.values()) == [
        False,
        True,
    ]


def test_two_sandboxes_are_two_accounts(
    test: FakeStripe, live: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FakeStripe(secret_key="sk_test_three", seed=3, account_id="acct_1Three")
    client = stripe_client.http_client()
    assert isinstance(client, TwoAccounts)
    client.accounts = {**client.accounts, "sk_test_three": other}
    monkeypatch.setenv("SANDBOX_KEY", "sk_test_three")

    promote(target="SANDBOX_KEY")

    assert only(other)["name"] == "BALM T-Shirt"
