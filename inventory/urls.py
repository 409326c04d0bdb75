"""URLs of the Stripe webhook."""

from django.urls import path

from inventory.views import PATHS, receive

urlpatterns = [path(PATHS[0], receive, name="stripe_webhook"), path(PATHS[1], receive)]
