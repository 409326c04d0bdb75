"""Event types of Stripe and their handlers.

The keys are also the list of events to enable at Stripe. A handler takes the stored inventory.models.StripeEvent. It
first reads what it needs from Stripe and then runs one idempotent transaction. Handlers are dotted paths, so that
inventory's inbox can call checkout without importing it.
"""

EVENTS: dict[str, list[str]] = {
    "checkout.session.completed": ["checkout.orders.fulfillment.on_session_event"],
    "checkout.session.async_payment_succeeded": ["checkout.orders.fulfillment.on_session_event"],
    "checkout.session.async_payment_failed": ["checkout.orders.fulfillment.on_session_event"],
    "checkout.session.expired": ["checkout.orders.fulfillment.on_session_event"],
    "payment_intent.succeeded": ["checkout.orders.fulfillment.on_payment_ended"],
    "payment_intent.canceled": ["checkout.orders.fulfillment.on_payment_ended"],
    "charge.refunded": ["checkout.orders.refunds.on_refund"],
    "charge.refund.updated": ["checkout.orders.refunds.on_refund_updated"],
    "refund.failed": ["checkout.orders.refunds.on_refund_failed"],
    "charge.dispute.created": ["checkout.orders.disputes.on_dispute"],
    "charge.dispute.closed": ["checkout.orders.disputes.on_dispute"],
    "product.created": ["inventory.stripe_sync.product_events.on_product_event"],
    "product.updated": ["inventory.stripe_sync.product_events.on_product_event"],
    "product.deleted": ["inventory.stripe_sync.product_events.on_product_event"],
    "price.created": ["inventory.stripe_sync.product_events.on_price_event"],
    "price.updated": ["inventory.stripe_sync.product_events.on_price_event"],
    "price.deleted": ["inventory.stripe_sync.product_events.on_price_event"],
}

# Handlers that take many events of a type at once, tried before the handlers above. They do not call Stripe, run one
# transaction at most, and return the ids of the events that need no other handler.
TOGETHER: dict[str, str] = {
    "checkout.session.completed": "checkout.orders.fulfillment.settle_paid_sessions",
    "payment_intent.succeeded": "checkout.orders.fulfillment.log_payments",
}
