"""URLs of the Stripe webhook. `inventory.middleware.WebhookFastPath` resolves them before all other middleware."""

from django.urls import path

from inventory.views import stripe_webhook

# Both spellings answer without a redirect, which Stripe would count as a failed delivery.
WEBHOOK_PATHS = ("stripe/webhook/", "stripe/webhook")

urlpatterns = [
    path(WEBHOOK_PATHS[0], stripe_webhook, name="stripe_webhook"),
    path(WEBHOOK_PATHS[1], stripe_webhook),
]
