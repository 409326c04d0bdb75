"""Event types of Stripe and their handlers.

The keys are also the list of events to enable at Stripe. A handler takes the stored inventory.models.StripeEvent. It
first reads what it needs from Stripe and then runs one idempotent transaction. Handlers are dotted paths, so that
inventory's inbox can call checkout without importing it.
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
