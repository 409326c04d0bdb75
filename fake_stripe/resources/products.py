"""Products: https://docs.stripe.com/api/products"""

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.errors import StripeError
from fake_stripe.events import changed, emit
from fake_stripe.paging import page, page_of
from fake_stripe.resources import prices
from fake_stripe.store import Json

IMAGES = 8
FEATURES = p.ListOf(p.Shape({"name": p.Text()}, required=("name",)), max_length=15, unset=True)
DIMENSIONS = p.Shape(
    {side: p.Number() for side in ("height", "length", "weight", "width")},
    required=("height", "length", "weight", "width"),
    unset=True,
)
SHARED: dict[str, p.Kind] = {
    "active": p.Boolean(),
    "description": p.Text(max_length=40000, unset=True),
    "images": p.ListOf(p.url(), max_length=IMAGES, unset=True),
    "marketing_features": FEATURES,
    "metadata": p.Metadata(),
    "package_dimensions": DIMENSIONS,
    "shippable": p.Boolean(),
    "statement_descriptor": p.Text(max_length=22, unset=True),
    "tax_code": p.Text(unset=True),
    "unit_label": p.Text(max_length=12, unset=True),
    "url": p.url(unset=True, max_length=2048),
}
CREATE = p.body(
    SHARED,
    required=["name"],
    id=prices.PRODUCT_ID,
    name=p.Text(),
    default_price_data=prices.DEFAULT_PRICE_DATA,
)
UPDATE = p.body(SHARED, name=p.Text(), default_price=p.Text(unset=True))
LIST = p.listing(
    active=p.Boolean(),
    created=p.CREATED,
    ids=p.ListOf(p.Text(), max_length=100),
    shippable=p.Boolean(),
    url=p.Text(),
)
LIST_FEATURES = p.listing()
# Fields that an update replaces as a whole. Metadata is merged instead.
PLAIN = tuple(name for name in SHARED if name != "metadata")


def create(call: Call, *, silent: bool = False, at: str = "") -> Json:
    """POST /v1/products; `silent` emits no event. `at` is the parameter that holds the data in a larger call."""
    params = call.params
    id = params.get("id") or call.new_id("product")
    if call.account.store.get("product", id):
        raise StripeError(
            f"Product already exists: '{id}'", code="resource_already_exists", param=p.join(at, "id")
        )
    product = call.account.save(_blank(call, id) | {k: params[k] for k in PLAIN if k in params})
    product = call.account.change(
        product, name=params["name"], metadata=p.merge_metadata({}, params.get("metadata"))
    )
    if "default_price_data" in params:
        return _with_default_price(call, product)
    if not silent:
        emit(call, "product.created", product)
    return product


def _blank(call: Call, id: str) -> Json:
    return {
        "id": id,
        "object": "product",
        "active": True,
        "created": call.now,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": call.livemode,
        "marketing_features": [],
        "metadata": {},
        "name": "",
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "unit_label": None,
        "updated": call.now,
        "url": None,
    }


def _with_default_price(call: Call, product: Json) -> Json:
    data = {**call.params["default_price_data"], "product": product["id"]}
    price = prices.make(call, data, at="default_price_data")
    product = call.account.change(product, default_price=price["id"])
    emit(call, "product.created", product)
    emit(call, "price.created", price)
    return product


def create_price(call: Call) -> Json:
    """POST /v1/prices, with `product`, or with `product_data`, from which a product is created."""
    params = call.params
    if "product" in params:
        call.referred("product", params["product"], "product")
    elif "product_data" in params:
        inner = Call(call.account, call.cause, call.livemode, params["product_data"])
        params = {**params, "product": create(inner, at="product_data")["id"]}
    else:
        raise StripeError("Missing required param: product.", code="parameter_missing", param="product")
    price = prices.make(call, params)
    emit(call, "price.created", price)
    return price


def retrieve(call: Call) -> Json:
    """GET /v1/products/{id}"""
    return call.find("product")


def update(call: Call) -> Json:
    """POST /v1/products/{id}. Metadata is merged by key. Emits an event only if something changed."""
    product = call.find("product")
    fields: Json = {name: call.params[name] for name in (*PLAIN, "name") if name in call.params}
    if "metadata" in call.params:
        fields["metadata"] = p.merge_metadata(product["metadata"], call.params["metadata"])
    if "default_price" in call.params:
        fields["default_price"] = _checked_default(call, product)
    if all(product[name] == value for name, value in fields.items()):
        return product
    new = call.account.change(product, **fields, updated=call.now)
    changed(call, "product.updated", product, new)
    return new


def _checked_default(call: Call, product: Json) -> str | None:
    id = call.params["default_price"]
    if id is None:
        return None
    price = call.referred("price", id, "default_price")
    if price["product"] != product["id"]:
        message = (
            f"The price '{id}' belongs to another product, so it cannot be the default price of this one."
        )
        raise StripeError(message, param="default_price")
    if not price["active"]:
        raise StripeError(
            f"The price '{id}' is inactive and cannot be a default price.", param="default_price"
        )
    return str(id)


def list_features(call: Call) -> Json:
    """GET /v1/products/{id}/features: none, because entitlements are not supported."""
    product = call.find("product")
    return page_of(call, [], f"/v1/products/{product['id']}/features", "product_feature")


def delete(call: Call) -> Json:
    """DELETE /v1/products/{id}; refused while the product has a price."""
    product = call.find("product")
    if prices.of_product(call, product["id"]):
        raise StripeError("This product cannot be deleted because it has one or more user-created prices.")
    call.account.store.remove("product", product["id"])
    emit(call, "product.deleted", product)
    return {"id": product["id"], "object": "product", "deleted": True}


def list_all(call: Call) -> Json:
    """GET /v1/products"""
    params = call.params
    ids = set(params["ids"]) if "ids" in params else None
    for cursor in ("starting_after", "ending_before"):
        if ids is not None and cursor in params:
            raise StripeError(f"`ids` cannot be used with `{cursor}`.", param="ids")

    def keep(row: Json) -> bool:
        if ids is not None and row["id"] not in ids:
            return False
        return all(row[name] == params[name] for name in ("active", "shippable", "url") if name in params)

    return page(call, "product", "/v1/products", keep)
