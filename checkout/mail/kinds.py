"""The kinds of mails to customers, with their standard texts. See checkout.mail for how to add one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

# What may be written into every text, and what each stands for.
COMMON = {"shop": _("the shop’s name")}
OF_ORDERS = {
    **COMMON,
    "order": _("the order’s number"),
    "name": _("the customer’s name"),
    "total": _("what the customer paid"),
}
# These backends deliver nothing, so nothing is queued for them.
SILENT_BACKENDS = (
    "django.core.mail.backends.console.EmailBackend",
    "django.core.mail.backends.dummy.EmailBackend",
)
ALL = "all"


@dataclass(frozen=True)
class MailKind:
    """One kind of mail.

    `subject`, `heading` and `text` are the standard texts, marked by gettext_noop. A blank line in `text` begins a paragraph.
    `placeholders`: names that the owner's texts may have in braces, with what each stands for. Their values are looked up in
    the template's context. `amounts`: names of the context that are amounts in the order's currency. `sample`: a context for
    the preview. `about_order`: the mail shows an order; if not, an address that is refused is no issue, for strangers may
    have typed it.
    """

    name: str
    label: str | Promise
    subject: str
    heading: str
    text: str
    placeholders: Mapping[str, str | Promise]
    amounts: tuple[str, ...] = ()
    sample: Mapping[str, Any] = field(default_factory=dict)
    about_order: bool = True
    # Dotted path of a function of the mail, called right before it is sent: a mail that it denies is canceled.
    still_true: str = ""

    @property
    def template(self) -> str:
        return f"checkout/mail/{self.name}"


ORDER_CONFIRMATION = "order_confirmation"
PAYMENT_FAILED = "payment_failed"
ORDER_SENT = "order_sent"
ORDER_REFUNDED = "order_refunded"
OUT_OF_STOCK = "out_of_stock"
ORDER_LINK = "order_link"
CANCELLATION_ACCEPTED = "cancellation_accepted"
ORDER_CANCELED = "order_canceled"
RETURN_ACCEPTED = "return_accepted"
RETURN_CLOSED = "return_closed"
REQUEST_DECLINED = "request_declined"
RESTOCK_CONFIRMATION = "restock_confirmation"
BACK_IN_STOCK = "back_in_stock"

KINDS: dict[str, MailKind] = {
    kind.name: kind
    for kind in [
        MailKind(
            ORDER_CONFIRMATION,
            _("order confirmation"),
            subject=gettext_noop("Your order {order}"),
            heading=gettext_noop("Thank you for your order"),
            text=gettext_noop(
                "We have received your payment of {total} and will pack your order.\n\n"
                "You get another mail when the parcel is on its way."
            ),
            placeholders=OF_ORDERS,
        ),
        MailKind(
            PAYMENT_FAILED,
            _("payment failed or expired"),
            subject=gettext_noop("The payment of your order {order} did not arrive"),
            heading=gettext_noop("Your payment did not arrive"),
            text=gettext_noop(
                "The payment of your order {order} failed or has expired, so the order is canceled. "
                "No money was taken.\n\n"
                "The items are for sale again. If you still want them, please order once more."
            ),
            placeholders=OF_ORDERS,
        ),
        MailKind(
            ORDER_SENT,
            _("parcel sent"),
            subject=gettext_noop("Your order {order} is on its way"),
            heading=gettext_noop("Your parcel is on its way"),
            text=gettext_noop("We have sent your order {order}."),
            placeholders={
                **OF_ORDERS,
                "carrier": _("the carrier, empty if there is none"),
                "tracking_number": _("the tracking number, empty if there is none"),
            },
            sample={
                "carrier": "DHL",
                "tracking_number": "00340434161094042557",
                "tracking_url": "https://www.dhl.com/global-en/home/tracking.html",
            },
        ),
        MailKind(
            ORDER_REFUNDED,
            _("refund"),
            subject=gettext_noop("A refund for your order {order}"),
            heading=gettext_noop("We have refunded {amount}"),
            text=gettext_noop(
                "{amount} of your order {order} is on its way back to the payment method that you paid with. "
                "Banks take five to ten days to show it."
            ),
            placeholders={**OF_ORDERS, "amount": _("what was refunded")},
            amounts=("amount",),
            sample={"amount": 2500},
        ),
        MailKind(
            OUT_OF_STOCK,
            _("out of stock after the payment"),
            subject=gettext_noop("About your order {order}"),
            heading=gettext_noop("We are sorry: {item} is sold out"),
            text=gettext_noop(
                "You have paid for {item}, and we do not have it: more were sold at the same moment than there were. "
                "That was our mistake."
            ),
            placeholders={**OF_ORDERS, "item": _("the product with its size")},
            sample={"item": "BALM T-Shirt M", "note": "You get your money back today."},
        ),
        MailKind(
            ORDER_LINK,
            _("link to an order"),
            subject=gettext_noop("The link to your order {order}"),
            heading=gettext_noop("Your order {order}"),
            text=gettext_noop(
                "You have asked for the link to your order. If it was not you, there is nothing to do: only this "
                "mailbox gets it."
            ),
            placeholders=OF_ORDERS,
        ),
        MailKind(
            CANCELLATION_ACCEPTED,
            _("cancellation accepted, with the refund"),
            subject=gettext_noop("Your order {order} is canceled"),
            heading=gettext_noop("We have canceled your order"),
            text=gettext_noop(
                "As you asked, we have canceled your order {order}. You get your money back the way you paid; banks take "
                "five to ten days to show it."
            ),
            placeholders={**OF_ORDERS, "amount": _("what was refunded")},
            amounts=("amount",),
            sample={"answer": "We hope to see you again.", "amount": 6700},
        ),
        # A kind of its own: the text of the other one, which an owner may have changed, promises money.
        MailKind(
            ORDER_CANCELED,
            _("order canceled, without a refund"),
            subject=gettext_noop("Your order {order} is canceled"),
            heading=gettext_noop("We have canceled your order"),
            text=gettext_noop("Your order {order} is canceled, and we do not send it."),
            placeholders=OF_ORDERS,
            sample={"answer": "We hope to see you again."},
        ),
        MailKind(
            RETURN_ACCEPTED,
            _("return accepted"),
            subject=gettext_noop("Your return of order {order}"),
            heading=gettext_noop("Please send it back to us"),
            text=gettext_noop(
                "We take back what you want to return of your order {order}. Once it has arrived, we refund what you have "
                "paid for it."
            ),
            placeholders=OF_ORDERS,
            sample={"answer": "Please send it to Our Shop, 1 Main Street, Sampleton, with the order number."},
        ),
        MailKind(
            RETURN_CLOSED,
            _("return closed, nothing arrived"),
            subject=gettext_noop("Your return of order {order}"),
            heading=gettext_noop("We have closed your return"),
            text=gettext_noop(
                "What you wanted to return of your order {order} has not arrived, so we have closed the return. "
                "If you have sent it, please reply to this mail."
            ),
            placeholders=OF_ORDERS,
            sample={"answer": "You can ask for it once more on the page of your order."},
        ),
        MailKind(
            REQUEST_DECLINED,
            _("cancellation or return declined"),
            subject=gettext_noop("About your order {order}"),
            heading=gettext_noop("We cannot do this for your order"),
            text=gettext_noop(
                "You have asked us to cancel your order {order} or to return something. We cannot do that."
            ),
            placeholders=OF_ORDERS,
            sample={
                "answer": "Your parcel left us this morning. You can return it from the page of your order."
            },
        ),
        MailKind(
            RESTOCK_CONFIRMATION,
            _("back in stock: confirm the address"),
            subject=gettext_noop("Shall we mail you when {item} is back?"),
            heading=gettext_noop("Please confirm your address"),
            text=gettext_noop(
                "You asked us to mail you when {item} is back in stock. Please confirm that this is your address.\n\n"
                "If you did not ask for it, ignore this mail: you get no further one, and your address is deleted."
            ),
            placeholders={**COMMON, "item": _("the product with its size")},
            sample={"item": "BALM T-Shirt M", "confirm_url": "#", "stop_url": "#"},
            about_order=False,
        ),
        MailKind(
            BACK_IN_STOCK,
            _("back in stock"),
            subject=gettext_noop("{item} is back"),
            heading=gettext_noop("{item} is back"),
            text=gettext_noop(
                "You asked us to mail you: {item} is available again. We do not reserve it, so it may be gone soon."
            ),
            placeholders={**COMMON, "item": _("the product with its size")},
            sample={"item": "BALM T-Shirt M", "buy_url": "#", "stop_url": "#"},
            about_order=False,
            still_true="checkout.restock.waves.is_current",
        ),
    ]
}


def is_on(kind: str) -> bool:
    """Whether mails of this kind are sent: a mail server is configured, and the kind is not switched off."""
    is_switched_off = kind in settings.CUSTOMER_MAILS_OFF or ALL in settings.CUSTOMER_MAILS_OFF
    return not (settings.EMAIL_BACKEND in SILENT_BACKENDS or is_switched_off)


def unknown_names() -> list[str]:
    return sorted(set(settings.CUSTOMER_MAILS_OFF) - {*KINDS, ALL})
