"""Refunds in the admin of orders, and the decision about what a customer asks for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _

from checkout.admin.base import OrderPages, money_text, to_order
from checkout.admin.refunding import RefundForm, asked_return, blank_form, refund_page
from checkout.models import CustomerRequest, Order, Refund
from checkout.orders.customer_requests import RequestRefused, close_return
from checkout.orders.customer_returns import refundable_returns
from checkout.orders.refund_requests import (
    RefundRefused,
    keep_sale,
    refund_again,
    refundable,
    request_refund,
)
from checkout.request_decisions import CloseReturnForm, RequestDecisionForm
from checkout.request_decisions import decide as decide_request
from inventory.models import Movement
from shop.money import format_money


class RefundPages(OrderPages):
    def refund_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        if not self.has_refund_permission(request):
            raise PermissionDenied
        order = get_object_or_404(Order, id=order_id)
        context = self.page_context(request)
        if request.method != "POST":
            asked = asked_return(order, request.GET.get("request", ""))
            if asked and not refundable_returns().filter(pk=asked.pk).exists():
                text = _("This return is over already, or Stripe has not confirmed its refund yet.")
                self.message_user(request, text, messages.WARNING)
                return to_order(order_id)
            return refund_page(request, order, blank_form(order, request), context)
        token = request.POST.get("token", "")
        known = Refund.objects.filter(order=order, token=token).first() if token.isalnum() else None
        if known:
            # A second click. The form no longer fits, because the first one has refunded these units.
            self._say_refund(request, known)
            return to_order(order_id)
        form = RefundForm(order, request.POST)
        amount = form.amount_to_refund() if form.is_valid() else None
        if amount is None or "confirm" not in request.POST:
            return refund_page(request, order, form, context)
        try:
            refund = request_refund(
                order.pk,
                form.units,
                amount=amount,
                token=form.cleaned_data["token"],
                reason=form.cleaned_data.get("reason", ""),
                note=form.cleaned_data["note"],
                actor=request.user.get_username(),
                customer_return=form.cleaned_data["request"],
            )
        except RefundRefused as exc:
            form.add_error(None, str(exc))
            return refund_page(request, order, form, context)
        self._say_refund(request, refund, is_new=True)
        return to_order(order_id)

    def _say_refund(self, request: HttpRequest, refund: Refund, *, is_new: bool = False) -> None:
        facts = {"amount": format_money(refund.amount, refund.order.currency), "error": refund.error}
        if refund.is_without_money:
            text, level = _("The units are canceled. Nothing was paid for them."), messages.SUCCESS
        elif refund.state == Refund.State.ACCEPTED:
            text, level = _("%(amount)s are refunded."), messages.SUCCESS
        elif refund.state == Refund.State.REQUESTED:
            level = messages.WARNING
            text = _(
                "Stripe has not confirmed the refund of %(amount)s yet. It may have been made. Stripe is asked again "
                "with the same key, so nothing is refunded twice; this page shows the outcome."
            )
        else:
            text, level = _("Nothing was refunded. Stripe says: %(error)s"), messages.ERROR
        if is_new:
            entry = f"Refund of {facts['amount']}: {refund.get_state_display()}."
            if refund.is_without_money:
                entry = "Canceled units of an order that cost nothing."
            self.log_action(request, [refund.order], entry)
        self.message_user(request, text % facts, level)

    def failed_refund_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        if request.method != "POST" or not self.has_refund_permission(request):
            raise PermissionDenied
        refunds = Refund.objects.filter(order=order_id, state=Refund.State.FAILED)
        try:
            refund = refunds.filter(pk=UUID(request.POST.get("refund", ""))).first()
        except ValueError:
            refund = None
        if refund is None:
            raise Http404
        try:
            if request.POST.get("decision") == "again":
                again = refund_again(refund, actor=request.user.get_username())
                self._say_refund(request, again, is_new=True)
            else:
                was_canceled = keep_sale(refund, actor=request.user.get_username())
                self.log_action(request, [refund.order], "Kept the sale after a failed refund.")
                text = _(
                    "The units of the failed refund count as sold again. If they went back to stock at the time, take "
                    "them out under Stock."
                )
                self.message_user(request, text, messages.WARNING)
                if was_canceled:
                    text = _(
                        "The customer's page no longer says that this order is canceled, but that you cannot cancel it. "
                        "Please write to the customer."
                    )
                    self.message_user(request, text, messages.WARNING)
        except RefundRefused as exc:
            self.message_user(request, str(exc), messages.ERROR)
        return to_order(order_id)

    def refund_context(self, request: HttpRequest, order: Order) -> dict[str, Any]:
        left = refundable(order) if order.payment_intent_id else 0
        refunds = order.refunds.prefetch_related("lines__line")
        # Of units that were oversold, and so were taken off again.
        taken = Movement.objects.filter(kind=Movement.Kind.OVERSOLD, reference__startswith="refund:").filter(
            item__in=order.lines.values("item")
        )
        taken_back = dict(taken.values_list("reference", "delta"))
        url = f"{settings.STRIPE_DASHBOARD}/payments/{order.payment_intent_id}"
        return {
            "refunds": [
                {
                    "row": row,
                    "parts": [
                        (part, -taken_back.get(f"refund:{row.pk}:{part.line_id}", 0))
                        for part in row.lines.all()
                    ],
                    "money": money_text(row.amount, order.currency),
                    "url": url if row.stripe_id else "",
                }
                for row in refunds
            ],
            "refunded_elsewhere": (
                money_text(order.refunded_elsewhere, order.currency) if order.refunded_elsewhere else ""
            ),
            "left_to_refund": money_text(left, order.currency) if left else "",
            "can_cancel_free": order.is_free and order.state == Order.State.PAID,
            "may_refund": self.has_refund_permission(request),
        }

    def request_view(self, request: HttpRequest, order_id: UUID, request_id: int) -> HttpResponse:
        if request.method != "POST" or not self.has_refund_permission(request):
            raise PermissionDenied
        asked = get_object_or_404(CustomerRequest, pk=request_id, order=order_id)
        form = RequestDecisionForm(request.POST)
        if not form.is_valid():
            self.message_user(request, _("Nothing was decided: the answer is too long."), messages.ERROR)
            return to_order(order_id)
        try:
            decided, text = decide_request(form, asked.pk, actor=request.user.get_username())
        except (RequestRefused, RefundRefused) as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return to_order(order_id)
        is_open = decided.state == CustomerRequest.State.REQUESTED
        entry = f"{decided.get_kind_display().capitalize()}: {decided.get_state_display()}."
        self.log_action(request, [decided.order], entry)
        self.message_user(request, text, messages.ERROR if is_open else messages.SUCCESS)
        return to_order(order_id)

    def close_return_view(self, request: HttpRequest, order_id: UUID, request_id: int) -> HttpResponse:
        if request.method != "POST" or not self.has_refund_permission(request):
            raise PermissionDenied
        asked = get_object_or_404(CustomerRequest, pk=request_id, order=order_id)
        form = CloseReturnForm(request.POST)
        if not form.is_valid():
            self.message_user(request, _("Nothing was decided: the answer is too long."), messages.ERROR)
            return to_order(order_id)
        actor = request.user.get_username()
        try:
            closed = close_return(
                asked.pk, answer=form.cleaned_data["answer"], actor=actor, now=timezone.now()
            )
        except RequestRefused as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return to_order(order_id)
        self.log_action(request, [closed.order], f"Return: {closed.get_state_display()}.")
        self.message_user(request, _("The return is closed. The customer is told by mail."), messages.SUCCESS)
        return to_order(order_id)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        order = "<uuid:order_id>"
        failed, decision = wrap(self.failed_refund_view), wrap(self.request_view)
        close = wrap(self.close_return_view)
        pages = [
            path(f"{order}/refund/", wrap(self.refund_view), name="checkout_order_refund"),
            path(f"{order}/refund-failed/", failed, name="checkout_order_refund_failed"),
            path(f"{order}/requests/<int:request_id>/", decision, name="checkout_order_request"),
            path(f"{order}/requests/<int:request_id>/close/", close, name="checkout_order_close_return"),
        ]
        return [*pages, *super().get_urls()]
