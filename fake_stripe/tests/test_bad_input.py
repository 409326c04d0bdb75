"""Invalid input: the answer is Stripe's error object with type, code and param."""

import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fake_stripe import FakeStripe
from fake_stripe.api import Request
from fake_stripe.routes import ROUTES

FORM = {"content-type": "application/x-www-form-urlencoded"}


def post(fake: FakeStripe, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    given = {"authorization": "Bearer sk_test_fake", **FORM, **headers}
    answer = fake.api.answer(Request("POST", path, b"", body, given))
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "parameter_missing", "name"),
        (b"name=", "parameter_invalid_empty", "name"),
        (b"name=A&nmae=B", "parameter_unknown", "nmae"),
        (b"name=A&metadata[a][b]=c", None, "metadata[a]"),
        (b"name=A&metadata=text", None, "metadata"),
        (b"name=A&active=yes", None, "active"),
        (b"name=A&images=https://a.test", None, "images"),
        (b"name=A&images[x]=https://a.test", None, "images"),
        (b"name=A&images[0]=a", "url_invalid", "images[0]"),
        (b"name=A&" + b"&".join(b"images[]=https://a.test/%d" % n for n in range(9)), None, "images"),
        (b"name[first]=A", None, "name"),
        (b"name=A&name[first]=B", None, "name"),
        (b"name[first]=B&name=A", None, "name"),
        (b"name=A&a[b=c", None, "a[b"),
        (b"name=A&[a]=c", None, "[a]"),
        (b"name=A&x" + b"[a]" * 50 + b"=c", None, "x"),
        (b"name=A&package_dimensions[height]=x", None, "package_dimensions[height]"),
        (b"name=A&package_dimensions[height]=1", "parameter_missing", "package_dimensions[length]"),
        (b"name=" + b"A" * 5001, None, "name"),
        (b"name=A%00B", None, "name"),
        (b"name=A&default_price_data[currency]=usd", "parameter_missing", "default_price_data[unit_amount]"),
        (
            b"name=A&default_price_data[currency]=isk&default_price_data[unit_amount]=101",
            None,
            "default_price_data[unit_amount]",
        ),
        (
            (
                b"name=A&default_price_data[currency]=usd&default_price_data[unit_amount]=1&"
                b"default_price_data[currency_options][eur][tax_behavior]=inclusive"
            ),
            "parameter_missing",
            "default_price_data[currency_options][eur][unit_amount]",
        ),
        (
            b"name=A&default_price_data[currency]=usd&default_price_data[unit_amount]=1&"
            + b"&".join(b"default_price_data[metadata][%d]=v" % n for n in range(51)),
            None,
            "default_price_data[metadata]",
        ),
        (
            b"name=A&default_price_data[currency]=usd&default_price_data[unit_amount]=1.5",
            "parameter_invalid_integer",
            "default_price_data[unit_amount]",
        ),
        (
            b"name=A&default_price_data[currency]=usd&default_price_data[unit_amount]=1&default_price_data[unit_amount_decimal]=1",
            "parameters_exclusive",
            "default_price_data[unit_amount]",
        ),
    ],
)
def test_an_invalid_parameter_is_named(fake: FakeStripe, body: bytes, code: str | None, param: str) -> None:
    status, answer = post(fake, "/v1/products", body)

    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"
    assert (answer["error"].get("code"), answer["error"]["param"]) == (code, param)
    assert len(fake.products) == 0
    assert len(fake.account.store.table("price").rows) == 0


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"product_data[name]=A&product_data[id]=prod_shirt&unit_amount=1", "product_data[id]"),
        (b"product_data[name]=A&product_data[id]=a/b&unit_amount=1", "product_data[id]"),
        (b"product=prod_shirt&unit_amount=1&currency_options[zzz][unit_amount]=1", "currency_options[zzz]"),
        (
            b"product=prod_shirt&billing_scheme=tiered&tiers[0][up_to]=few&tiers[0][unit_amount]=1",
            "tiers[0][up_to]",
        ),
    ],
)
def test_an_invalid_parameter_of_a_price_is_named(
    fake: FakeStripe, shirt: Any, body: bytes, param: str
) -> None:
    status, answer = post(fake, "/v1/prices", b"currency=usd&" + body)

    assert (status, answer["error"]["param"]) == (400, param)
    assert len(fake.prices) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"&".join(b"line_items[0][metadata][%d]=v" % n for n in range(51)), "line_items[0][metadata]"),
        (
            (
                b"line_items[1][quantity]=1&line_items[1][price_data][currency]=isk&"
                b"line_items[1][price_data][unit_amount]=101&line_items[1][price_data][product]=prod_shirt"
            ),
            "line_items[1][price_data][unit_amount]",
        ),
        (
            (
                b"line_items[1][quantity]=1&line_items[1][price_data][currency]=usd&"
                b"line_items[1][price_data][product]=prod_shirt"
            ),
            "line_items[1][price_data][unit_amount]",
        ),
        (
            b"shipping_options[0][shipping_rate_data][display_name]=Post",
            "shipping_options[0][shipping_rate_data][fixed_amount]",
        ),
        (
            (
                b"shipping_options[0][shipping_rate_data][display_name]=Post&"
                b"shipping_options[0][shipping_rate_data][fixed_amount][currency]=isk&"
                b"shipping_options[0][shipping_rate_data][fixed_amount][amount]=101"
            ),
            "shipping_options[0][shipping_rate_data][fixed_amount][amount]",
        ),
        (
            b"payment_intent_data[metadata][empty]=&"
            + b"&".join(b"payment_intent_data[metadata][%d]=v" % n for n in range(51)),
            "payment_intent_data[metadata]",
        ),
    ],
)
def test_an_invalid_parameter_of_a_session_is_named(
    fake: FakeStripe, shirt: Any, body: bytes, param: str
) -> None:
    line = f"line_items[0][price]={shirt['default_price']}&line_items[0][quantity]=1&".encode()

    status, answer = post(
        fake, "/v1/checkout/sessions", b"mode=payment&success_url=https://a.test&" + line + body
    )

    assert (status, answer["error"]["param"]) == (400, param)
    assert len(fake.sessions) == 0
    assert len(fake.prices) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"name=%ff%fe", 400),
        (b"\xff\xfe", 400),
        (b"&".join(b"a%d=1" % n for n in range(10_001)), 400),
        (b"name=" + b"A" * 1_000_001, 413),
    ],
)
def test_malformed_forms_are_refused(fake: FakeStripe, body: bytes, status: int) -> None:
    answered, answer = post(fake, "/v1/products", body)

    assert (answered, answer["error"]["type"]) == (status, "invalid_request_error")


def test_a_json_body_is_refused(fake: FakeStripe) -> None:
    status, answer = post(fake, "/v1/products", b'{"name": "A"}', **{"content-type": "application/json"})

    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


def test_an_error_links_to_its_request_and_documentation(fake: FakeStripe) -> None:
    _, answer = post(fake, "/v1/products", b"")

    assert answer["error"]["doc_url"].endswith("/parameter-missing")
    assert answer["error"]["request_log_url"].endswith(fake.calls[-1].request_id)


def test_an_error_rolls_back_the_whole_call(fake: FakeStripe, shirt: Any) -> None:
    """The first line creates a product and a price before the second one is found to be invalid."""
    status, answer = post(
        fake,
        "/v1/checkout/sessions",
        b"mode=payment&success_url=https://a.test&line_items[0][quantity]=1"
        b"&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=500"
        b"&line_items[0][price_data][product_data][name]=A"
        b"&line_items[1][quantity]=1&line_items[1][price]=price_nobody",
    )

    assert (status, answer["error"]["param"]) == (400, "line_items[1][price]")
    assert list(fake.products) == ["prod_shirt"]
    assert len(fake.prices) == 1
    assert len(fake.events) == 0


# arbitrary input: nearly valid keys and values, and random bytes

NAMES = st.sampled_from(
    [
        *("name", "metadata", "images", "expand", "limit", "created", "mode", "success_url", "line_items"),
        *("unit_amount", "currency", "product", "active", "amount", "charge", "payment_intent", "url"),
        *("enabled_events", "starting_after", "default_price", "custom_fields", "shipping_options", "types"),
        *("price_data", "product_data", "recurring", "tiers", "currency_options", "expires_at", "source"),
        *("payment_intent_data", "shipping_address_collection", "collected_information", "confirm", "ids"),
    ]
)
PARTS = st.one_of(
    NAMES,
    st.sampled_from(["0", "1", "", "-1", "999999999999", "a", "gte", "type", "quantity"]),
    st.text(max_size=4),
)
KEYS = st.builds(
    lambda first, rest: first + "".join(f"[{p}]" for p in rest), NAMES, st.lists(PARTS, max_size=4)
)
VALUES = st.one_of(
    st.sampled_from(
        ["", "1", "-1", "true", "usd", "payment", "https://a.test", "prod_shirt", "data.price", "²"]
    ),
    st.sampled_from(
        ["1e9", "٣", "0x10", "9" * 400, "NaN", "Infinity", "inf", "tok_visa", "pm_card_visa", "*"]
    ),
    st.text(max_size=12),
)
PAIRS = st.lists(st.tuples(st.one_of(KEYS, st.text(max_size=12)), VALUES), max_size=8)
FORMS = st.one_of(
    PAIRS.map(lambda pairs: "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in pairs).encode()),
    st.binary(max_size=80),
)


@pytest.fixture(scope="module")
def busy() -> Iterator[FakeStripe]:
    """An account with one object of each kind, shared by all examples."""
    fake = FakeStripe(now=1_800_000_000)
    fake.add_product(id="prod_shirt", name="A", prices=[{"unit_amount": 2500}])
    session = (
        "mode=payment&success_url=https://a.test&line_items[0][quantity]=1&line_items[0][price]="
        + fake.products["prod_shirt"]["default_price"]
    )
    fake.pay(fake.call("POST", "/v1/checkout/sessions", session)[1]["id"])
    fake.refund(payment_intent=next(iter(fake.payment_intents)), amount=100)
    fake.add_webhook_endpoint("https://shop.test/")
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def ids(busy: FakeStripe) -> list[str]:
    """One id of each kind, which an earlier example may have deleted, and an unknown one."""
    tables = (busy.products, busy.prices, busy.sessions, busy.payment_intents, busy.charges, busy.refunds)
    rows = (*tables, busy.webhook_endpoints, busy.events)
    return [*(next(iter(table)) for table in rows), "\x00%' OR 1"]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(route=st.sampled_from(ROUTES), which=st.integers(0, 8), form=FORMS, query=FORMS)
@example(route=ROUTES[0], which=0, form=b"name=A&metadata[]=b", query=b"expand[]=default_price")
def test_arbitrary_bodies_get_a_stripe_answer(
    busy: FakeStripe, ids: list[str], caplog: Any, route: Any, which: int, form: bytes, query: bytes
) -> None:
    caplog.clear()
    path = route.pattern.replace("{id}", ids[which])
    headers = {"authorization": "Bearer sk_test_fake", **FORM}

    answer = busy.api.answer(Request(route.method, path, query, form, headers))

    body = json.loads(answer.body)
    assert answer.status in (200, 400, 402, 404)
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []
    if answer.status != 200:
        assert body["error"]["type"] in ("invalid_request_error", "card_error")
        assert body["error"]["message"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "HEAD", "PATCH", "BREW"]),
    path=st.text(max_size=30).map(lambda text: "/" + text),
    name=st.sampled_from(
        ["authorization", "idempotency-key", "stripe-version", "content-type", "stripe-account"]
    ),
    value=st.text(max_size=20),
    body=st.binary(max_size=40),
)
def test_arbitrary_requests_never_cause_a_500(
    busy: FakeStripe, caplog: Any, method: str, path: str, name: str, value: str, body: bytes
) -> None:
    caplog.clear()
    headers = {"authorization": "Bearer sk_test_fake", **FORM, name: value}

    answer = busy.wsgi_app.answer(Request(method, path, b"", body, headers))
    api = busy.api.answer(Request(method, "/v1/products", body, body, headers))

    assert answer.status < 500
    assert api.status in (200, 400, 401, 403, 404)
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []
