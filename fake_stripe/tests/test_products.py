"""Products and their events."""

from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.tests.conftest import NOW, Receiver


def test_a_product_has_stripes_fields_and_id_format(client: stripe.StripeClient) -> None:
    product = client.v1.products.create({"name": "A shirt", "images": ["https://x.test/a.png"]})

    assert product.id.startswith("prod_")
    assert len(product.id) == 19
    assert (product.object, product.active, product.livemode, product.created) == (
        "product",
        True,
        False,
        NOW,
    )
    assert product.images == ["https://x.test/a.png"]
    assert product.default_price is None


def test_a_product_can_be_created_with_an_id_and_a_default_price(client: stripe.StripeClient) -> None:
    product = client.v1.products.create(
        {
            "id": "prod_mine",
            "name": "A shirt",
            "default_price_data": {"unit_amount": 2500, "currency": "usd", "metadata": {"size": "M"}},
            "expand": ["default_price"],
        }
    )

    assert product.id == "prod_mine"
    assert isinstance(product.default_price, stripe.Price)
    assert product.default_price.unit_amount == 2500
    assert product.default_price.metadata.to_dict() == {"size": "M"}


def test_a_duplicate_id_is_refused(client: stripe.StripeClient, shirt: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.products.create({"id": "prod_shirt", "name": "Another"})

    assert refused.value.code == "resource_already_exists"


def test_metadata_merges_by_key_and_an_empty_value_unsets(client: stripe.StripeClient, shirt: Any) -> None:
    product = client.v1.products.update("prod_shirt", {"metadata": {"stock_S": "", "new": "1"}})

    assert product.metadata.to_dict() == {
        "category": "clothing",
        "sizes": "S,M",
        "stock_M": "15",
        "new": "1",
    }


def test_empty_metadata_unsets_every_key(client: stripe.StripeClient, shirt: Any) -> None:
    assert client.v1.products.update("prod_shirt", {"metadata": ""}).metadata.to_dict() == {}


def test_an_update_event_has_only_what_changed(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any, receiver: Receiver
) -> None:
    fake.clock.forward(5)
    client.v1.products.update(
        "prod_shirt",
        {"metadata": {"stock_M": "13", "stock_S": "4", "new": "1", "sizes": ""}},
        {"idempotency_key": "k1"},
    )
    fake.deliver_due()

    (event,) = receiver.events()
    assert event.type == "product.updated"
    assert event.data.previous_attributes is not None
    assert event.data.to_dict()["previous_attributes"] == {
        "metadata": {"stock_M": "15", "new": None, "sizes": "S,M"},
        "updated": NOW,
    }
    assert event.data.object["metadata"].to_dict() == {
        "category": "clothing",
        "stock_S": "4",
        "stock_M": "13",
        "new": "1",
    }
    assert event.request is not None
    assert event.request.idempotency_key == "k1"
    assert event.request.id == fake.calls[-1].request_id


def test_an_update_without_changes_emits_no_event(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    client.v1.products.update("prod_shirt", {"metadata": {"stock_M": "15"}, "name": "BALM T-Shirt"})

    assert len(fake.events) == 0


def test_an_archived_product_is_only_listed_when_asked_for(client: stripe.StripeClient, shirt: Any) -> None:
    client.v1.products.update("prod_shirt", {"active": False})

    assert client.v1.products.list({"active": True}).data == []
    assert [p.id for p in client.v1.products.list({"active": False})] == ["prod_shirt"]


def test_a_product_with_a_price_cannot_be_deleted(client: stripe.StripeClient, shirt: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="cannot be deleted"):
        client.v1.products.delete("prod_shirt")


def test_a_deleted_product_is_gone_and_emits_an_event(fake: FakeStripe, client: stripe.StripeClient) -> None:
    product = client.v1.products.create({"name": "A poster"})

    deleted = client.v1.products.delete(product.id)

    assert (deleted.id, deleted.deleted) == (product.id, True)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.products.retrieve(product.id)
    assert (missing.value.http_status, missing.value.code, missing.value.param) == (
        404,
        "resource_missing",
        "id",
    )
    assert [e["type"] for e in fake.events.values()] == ["product.created", "product.deleted"]


def test_a_default_price_must_be_an_active_one_of_the_product(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    other = fake.add_product(name="Other", prices=[{"unit_amount": 100}])
    retired = fake.add_price("prod_shirt", unit_amount=100, active=False)

    for price in (other["default_price"], retired["id"], "price_nobody"):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.products.update("prod_shirt", {"default_price": price})
        assert refused.value.param == "default_price"
    assert client.v1.products.update("prod_shirt", {"default_price": ""}).default_price is None


def test_products_are_filtered_by_id_and_creation_time(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    fake.clock.forward(100)
    late = client.v1.products.create({"name": "Late"}).id

    def listed(**filters: Any) -> list[str]:
        return [p.id for p in client.v1.products.list(filters)]  # type: ignore[arg-type]

    assert listed(ids=["prod_shirt"]) == ["prod_shirt"]
    assert listed(created={"gt": NOW}) == [late]
    assert listed(created={"gte": NOW}) == [late, "prod_shirt"]
    assert listed(created={"lt": NOW + 100}) == ["prod_shirt"]
    assert listed(created={"lte": NOW + 100, "gt": NOW}) == [late]
    assert listed(created=NOW) == ["prod_shirt"]


@pytest.mark.parametrize("cursor", ["starting_after", "ending_before"])
def test_ids_and_a_cursor_cannot_be_combined(client: stripe.StripeClient, shirt: Any, cursor: str) -> None:
    params: Any = {"ids": ["prod_shirt"], cursor: "prod_shirt"}

    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.products.list(params)

    assert (refused.value.http_status, refused.value.param) == (400, "ids")


@pytest.mark.parametrize("kind", ["products", "webhook_endpoints"])
def test_delete_does_not_accept_expand(fake: FakeStripe, client: stripe.StripeClient, kind: str) -> None:
    ids = {
        "products": client.v1.products.create({"name": "A poster"}).id,
        "webhook_endpoints": fake.add_webhook_endpoint("https://shop.test/")["id"],
    }

    status, answer = fake.call("DELETE", f"/v1/{kind}/{ids[kind]}", "expand[]=anything")

    assert (status, answer["error"]["param"]) == (400, "expand")
    assert (len(fake.products), len(fake.webhook_endpoints)) == (1, 1)


def test_seeding_emits_no_events_unless_asked(fake: FakeStripe) -> None:
    fake.add_product(name="Quiet", prices=[{"unit_amount": 1}])
    assert len(fake.events) == 0

    fake.add_product(name="Loud", prices=[{"unit_amount": 1}], emit=True)
    assert [e["type"] for e in fake.events.values()] == ["product.created", "price.created"]


def test_a_seeded_product_has_the_price_marked_as_default(fake: FakeStripe) -> None:
    product = fake.add_product(
        name="A",
        prices=[
            {"unit_amount": 100, "metadata": {"size": "S"}},
            {"unit_amount": 200, "metadata": {"size": "M"}, "default": True},
        ],
    )

    assert fake.prices[product["default_price"]]["unit_amount"] == 200
