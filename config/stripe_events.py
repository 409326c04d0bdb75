"""Which handlers does an event of Stripe's reach?

The keys are also the list of events to enable at Stripe. A handler takes the remembered
inventory.models.StripeEvent: it reads what it needs from Stripe first, then makes one
transaction that is harmless twice. Paths are text, so that inventory's inbox can reach
checkout above it.
"""

EVENTS: dict[str, list[str]] = {
    "checkout.session.completed": ["checkout.fulfilment.on_session_event"],
    "checkout.session.async_payment_succeeded": ["checkout.fulfilment.on_session_event"],
    "checkout.session.async_payment_failed": ["checkout.fulfilment.on_session_event"],
    "checkout.session.expired": ["checkout.fulfilment.on_session_event"],
    "payment_intent.succeeded": ["checkout.fulfilment.log_payment"],
    "charge.refunded": ["checkout.refunds.on_refund"],
    "refund.failed": ["checkout.refunds.on_refund_failed"],
    "product.created": ["inventory.observe.on_product_event"],
    "product.updated": ["inventory.observe.on_product_event"],
    "product.deleted": ["inventory.observe.on_product_event"],
    "price.created": ["inventory.observe.on_price_event"],
    "price.updated": ["inventory.observe.on_price_event"],
    "price.deleted": ["inventory.observe.on_price_event"],
}
