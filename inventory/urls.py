"""Which view answers which address?"""

from django.urls import path

from inventory.webhooks import receive

# Both spellings answer themselves: to Stripe a redirect is a failed delivery.
urlpatterns = [
    path("stripe/webhook/", receive, name="stripe_webhook"),
    path("stripe/webhook", receive),
]
