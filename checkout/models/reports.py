"""Sums for the reports."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class SalesSummary(models.Model):
    """Sales of the days before `day`, added up by the worker so that the admin's first page need not."""

    singleton = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    day = models.DateField(help_text=_("In the shop's time zone. Days before it are complete."))
    sales = models.JSONField(help_text=_("Rows of day, currency, orders, units and amount."))
    written_at = models.DateTimeField()

    class Meta:
        verbose_name = _("sales summary")
        verbose_name_plural = _("sales summaries")
        constraints = [models.CheckConstraint(condition=Q(singleton=1), name="there_is_one_sales_summary")]

    def __str__(self) -> str:
        return str(self.day)
