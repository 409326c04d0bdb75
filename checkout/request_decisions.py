"""Requests of customers in the admin: what the first page and an order's page show, and the owner's decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django import forms
from django.db.models import OuterRef, Subquery, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from checkout.models import CustomerRequest, CustomerRequestLine, Refund
from checkout.orders import customer_requests, customer_returns
from shop.money import format_money

MAX_SHOWN = 6
COUNTED_UP_TO = 100  # beyond that a number ends in a plus


class RequestDecisionForm(forms.Form):
    decision = forms.ChoiceField(choices=[("accept", ""), ("decline", "")])
    answer = forms.CharField(max_length=500, required=False)


class CloseReturnForm(forms.Form):
    answer = forms.CharField(max_length=500, required=False)


@dataclass(frozen=True)
class OpenRequests:
    """`requests`: the oldest of those that wait for a decision, or for their goods."""

    requests: Sequence[CustomerRequest]
    number: int

    @property
    def count(self) -> str:
        return f"{COUNTED_UP_TO}+" if self.number > COUNTED_UP_TO else str(self.number)


def open_requests() -> OpenRequests:
    waiting = CustomerRequest.objects.filter(state=CustomerRequest.State.REQUESTED).select_related("order")
    found = list(waiting.order_by("created_at", "pk")[: COUNTED_UP_TO + 1])
    return OpenRequests(found[:MAX_SHOWN], len(found))


def returns_in_progress() -> OpenRequests:
    units = CustomerRequestLine.objects.filter(request=OuterRef("pk")).values("request")
    returns = customer_returns.in_progress().select_related("order").order_by("decided_at", "pk")
    counted = returns.annotate(units=Subquery(units.annotate(units=Sum("quantity")).values("units")))
    found = list(counted[: COUNTED_UP_TO + 1])
    return OpenRequests(found[:MAX_SHOWN], len(found))


def decide(form: RequestDecisionForm, request_id: int, *, actor: str) -> tuple[CustomerRequest, str]:
    """Accept or decline as the valid form says. Returns the request and what happened.

    Raises RequestRefused or RefundRefused.
    """
    answer, now = form.cleaned_data["answer"], timezone.now()
    if form.cleaned_data["decision"] == "decline":
        request = customer_requests.decline(request_id, answer=answer, actor=actor, now=now)
        return request, _("Declined. The customer is told by mail.")
    request = customer_requests.accept(request_id, answer=answer, actor=actor, now=now)
    return request, _outcome(request)


def _outcome(request: CustomerRequest) -> str:
    refund = request.refund
    if request.state == CustomerRequest.State.REQUESTED:
        last = request.order.refunds.order_by("created_at").last()
        error = last.error if last else ""
        return _("Nothing was refunded, and the request still waits. Stripe says: %(error)s") % {
            "error": error
        }
    if request.kind == CustomerRequest.Kind.RETURN:
        return _(
            "Accepted. The customer is told by mail. “Today” lists the return until its goods have arrived."
        )
    if refund is None:
        return _("Accepted. Everything was refunded before.")
    if refund.is_without_money:
        return _("Accepted: the order is canceled. Nothing was paid for it. The customer is told by mail.")
    facts = {"amount": format_money(refund.amount, request.order.currency)}
    if refund.state == Refund.State.REQUESTED:
        text = _(
            "Accepted. Stripe has not confirmed the refund of %(amount)s yet and is asked again; nothing is refunded twice."
        )
        return text % facts
    return _("Accepted: %(amount)s are refunded. The customer is told by mail.") % facts
