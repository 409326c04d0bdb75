"""What stands in the demo's Stripe account? The sample products, and one endpoint: ours."""

from __future__ import annotations

from demo.catalogue import SAMPLES, Sample
from demo.stripe_api import Json, StripeApi

CURRENCY = "usd"


def prepare(stripe: StripeApi, *, image_origin: str, webhook_url: str) -> None:
    """Enter the catalogue into an empty account; after a start on other ports, mend the addresses in it."""
    there = {product["id"]: product for product in stripe.get("/v1/products", limit="100")["data"]}
    if not there:
        for sample in SAMPLES:
            enter(stripe, sample, image_origin)
    for sample in SAMPLES:
        move_images(stripe, there.get(sample.id), sample, image_origin)
    forget_other_endpoints(stripe, webhook_url)


def enter(stripe: StripeApi, sample: Sample, image_origin: str) -> None:
    product: Json = {
        "id": sample.id,
        "name": sample.name,
        "description": sample.description,
        "images": addresses(sample, image_origin),
        "metadata": sample.metadata,
    }
    if sample.price is not None:
        product["default_price_data"] = {"currency": CURRENCY, "unit_amount": sample.price}
    stripe.post("/v1/products", product)
    for size, amount in sample.prices.items():
        price = {
            "product": sample.id,
            "currency": CURRENCY,
            "unit_amount": amount,
            "metadata": {"size": size},
        }
        stripe.post("/v1/prices", price)


def move_images(stripe: StripeApi, product: Json | None, sample: Sample, image_origin: str) -> None:
    """Pictures that the demo drew follow its port; those that somebody entered since are left alone."""
    if product is None or product["images"] == addresses(sample, image_origin):
        return
    if all(address.startswith("http://127.0.0.1:") for address in product["images"]):
        stripe.post(f"/v1/products/{sample.id}", {"images": addresses(sample, image_origin)})


def addresses(sample: Sample, image_origin: str) -> list[str]:
    return [image_origin + path for path in sample.image_paths()]


def forget_other_endpoints(stripe: StripeApi, webhook_url: str) -> None:
    """An endpoint on a port of an earlier start would be tried for days."""
    for endpoint in stripe.get("/v1/webhook_endpoints", limit="100")["data"]:
        if endpoint["url"] != webhook_url:
            stripe.delete(f"/v1/webhook_endpoints/{endpoint['id']}")
