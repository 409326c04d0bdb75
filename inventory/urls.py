"""URLs of the Stripe webhook."""

from django.urls import path

from inventory.views import PATHS, stripe_webhook

urlpatterns = [path(PATHS[0], stripe_webhook, name="stripe_webhook"), path(PATHS[1], stripe_webhook)]
