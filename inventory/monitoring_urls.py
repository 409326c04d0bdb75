"""URLs for watchers. `inventory.middleware.WebhookFastPath` resolves them before all other middleware."""

from django.urls import path

from inventory import monitoring

MONITORING_PATHS = ("healthz", "readyz", "metrics")

urlpatterns = [path(name, getattr(monitoring, name), name=name) for name in MONITORING_PATHS]
