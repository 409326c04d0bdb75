"""The app with the orders and the stock, which connects its handler when it is ready."""

from importlib import import_module

from django.apps import AppConfig


class SalesConfig(AppConfig):
    name = "benchmarks.dj_stripe.sales"
    label = "sales"

    def ready(self) -> None:
        import_module("benchmarks.dj_stripe.sales.handlers")
