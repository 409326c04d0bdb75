"""The sale of a paid session: the order is paid, its stock lowered, and a movement recorded.

dj-stripe calls the handler inside its own transaction, after it has copied the session.
"""

from typing import Any

from django.db.models import F
from django.utils import timezone
from djstripe.event_handlers import djstripe_receiver  # type: ignore[import-not-found]

from benchmarks.dj_stripe.sales.models import Line, Movement, Order, Stock


@djstripe_receiver("checkout.session.completed")  # type: ignore[untyped-decorator]
def settle(sender: object, event: Any, **kwargs: object) -> None:
    session = event.data["object"]
    if session["payment_status"] == "unpaid":
        return
    order = Order._default_manager.select_for_update().get(session_id=session["id"])
    if order.state == "paid":
        return
    for line in Line._default_manager.filter(order=order).select_related("stock").order_by("stock"):
        Stock._default_manager.filter(pk=line.stock.pk).update(on_hand=F("on_hand") - line.quantity)
        Movement._default_manager.create(line=line, stock=line.stock, delta=-line.quantity)
    order.state, order.paid_at = "paid", timezone.now()
    order.save(update_fields=["state", "paid_at"])
