"""Pagination and expansion."""

from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe
from fake_stripe.resources.absent import ABSENT
from fake_stripe.tests.conftest import open_session


@pytest.fixture
def many(fake: FakeStripe) -> list[str]:
    """The ids of 120 products, newest first, in list order."""
    created = [fake.add_product(id=f"prod_{n:03}", name=f"N{n}")["id"] for n in range(120)]
    return list(reversed(created))


def test_every_product_is_listed_once_across_pages(client: stripe.StripeClient, many: list[str]) -> None:
    found = [p.id for p in client.v1.products.list({"limit": 50}).auto_paging_iter()]

    assert found == many


def test_a_page_has_ten_entries_by_default(client: stripe.StripeClient, many: list[str]) -> None:
    page = client.v1.products.list()

    assert [p.id for p in page] == many[:10]
    assert page.has_more is True
    assert page.url == "/v1/products"
    assert client.v1.products.list({"starting_after": many[-2]}).has_more is False


def test_the_last_page_has_no_more(client: stripe.StripeClient, many: list[str], shirt: Any) -> None:
    session = open_session(client, "", line_items=[{"price": shirt["default_price"], "quantity": 1}] * 3)

    assert client.v1.products.list({"starting_after": many[-6], "limit": 5}).has_more is False
    assert client.v1.products.list({"starting_after": many[-7], "limit": 5}).has_more is True
    assert client.v1.checkout.sessions.line_items.list(session.id, {"limit": 3}).has_more is False
    assert client.v1.checkout.sessions.line_items.list(session.id, {"limit": 2}).has_more is True


def test_cursors_work_in_both_directions(client: stripe.StripeClient, many: list[str]) -> None:
    after = client.v1.products.list({"starting_after": many[9], "limit": 5})
    before = client.v1.products.list({"ending_before": many[20], "limit": 5})
    first = client.v1.products.list({"ending_before": many[3], "limit": 5})

    assert [p.id for p in after] == many[10:15]
    assert [p.id for p in before] == many[15:20]
    assert before.has_more is True
    assert [p.id for p in first] == many[:3]
    assert first.has_more is False


def test_new_objects_do_not_shift_the_pages(
    fake: FakeStripe, client: stripe.StripeClient, many: list[str]
) -> None:
    page = client.v1.products.list({"limit": 5})
    fake.add_product(name="New")

    following = client.v1.products.list({"limit": 5, "starting_after": page.data[-1].id})

    assert [p.id for p in following] == many[5:10]


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"starting_after": "prod_nobody"}, "starting_after"),
        ({"ending_before": "prod_nobody"}, "ending_before"),
        ({"starting_after": "prod_001", "ending_before": "prod_002"}, "starting_after"),
        ({"created": {"since": 1}}, "created[since]"),
        ({"created": "today"}, "created"),
        ({"color": "red"}, "color"),
    ],
)
def test_a_list_refuses_what_stripe_refuses(
    client: stripe.StripeClient, many: list[str], params: Any, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.products.list(params)

    assert (refused.value.http_status, refused.value.param) == (400, param)


def test_lines_are_paged_by_their_own_ids(client: stripe.StripeClient, shirt: Any) -> None:
    line = {"price": shirt["default_price"], "quantity": 1}
    session = open_session(client, "", line_items=[line] * 7)
    lines = client.v1.checkout.sessions.line_items

    ids = [item.id for item in lines.list(session.id)]
    assert [i.id for i in lines.list(session.id, {"starting_after": ids[1], "limit": 2})] == ids[2:4]
    assert [i.id for i in lines.list(session.id, {"ending_before": ids[4], "limit": 2})] == ids[2:4]
    with pytest.raises(stripe.InvalidRequestError):
        lines.list(session.id, {"starting_after": "li_nobody"})


def test_ids_expand_to_four_levels_through_lists(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    session = open_session(client, shirt["default_price"])
    fake.pay(session.id)

    (listed,) = client.v1.checkout.sessions.list(
        {"expand": ["data.line_items.data.price", "data.payment_intent.latest_charge"]}
    ).data
    one = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items.data.price.product"]})

    assert listed.line_items is not None
    assert one.line_items is not None
    price = one.line_items.data[0].price
    assert price is not None
    assert isinstance(price.product, stripe.Product)
    assert isinstance(listed.payment_intent, stripe.PaymentIntent)
    assert isinstance(listed.payment_intent.latest_charge, stripe.Charge)


def test_a_null_field_can_be_expanded(client: stripe.StripeClient, shirt: Any) -> None:
    session = open_session(
        client, shirt["default_price"], expand=["payment_intent.latest_charge", "customer"]
    )

    assert session.payment_intent is None
    assert session.customer is None


def test_an_expanded_deleted_product_is_marked_as_deleted(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    with fake.account.store.transaction():
        fake.account.store.remove("product", "prod_shirt")

    product = client.v1.prices.retrieve(shirt["default_price"], {"expand": ["product"]}).product

    assert isinstance(product, stripe.Product)
    assert product.deleted is True


@pytest.mark.parametrize(
    "path", ["nothing", "name", "data.default_price", "default_price.name", "", "...", "default_price."]
)
def test_unexpandable_paths_are_refused(client: stripe.StripeClient, shirt: Any, path: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.products.retrieve("prod_shirt", {"expand": [path]})

    assert refused.value.http_status == 400


def test_a_fifth_level_is_refused_and_nothing_is_created(
    fake: FakeStripe, client: stripe.StripeClient, shirt: Any
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="4 levels"):
        open_session(client, shirt["default_price"], expand=["line_items.data.price.product.default_price"])
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        open_session(client, shirt["default_price"], expand=["line_items.nothing"])

    assert len(fake.sessions) == 0


def test_kinds_of_objects_that_cannot_be_created_have_empty_lists(fake: FakeStripe) -> None:
    for name in ABSENT:
        status, answer = fake.call("GET", f"/v1/{name}", "limit=100")
        assert (status, answer["data"], answer["url"]) == (200, [], f"/v1/{name}")
        assert fake.call("POST", f"/v1/{name}")[0] == 404

    assert fake.call("GET", "/v1/customers", "starting_after=cus_1")[0] == 400


def test_a_list_is_refused_if_the_account_would_have_such_an_object(fake: FakeStripe) -> None:
    product = fake.add_product(name="A")["id"]
    form = f"product={product}&currency=usd&unit_amount=500&recurring[interval]=month"
    status, price = fake.call("POST", "/v1/prices", form)
    assert status == 200
    line = {"price": price["id"], "quantity": 1}
    fake.pay(fake.open_session(mode="subscription", line_items=[line])["id"])

    for name in ("plans", "subscriptions", "invoices"):
        status, answer = fake.call("GET", f"/v1/{name}")
        assert (status, name in answer["error"]["message"]) == (400, True)
    assert fake.call("GET", "/v1/coupons")[0] == 200
