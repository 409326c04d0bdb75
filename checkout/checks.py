"""System check of the setting that switches mails off."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Warning, register

from checkout.mail.kinds import KINDS, unknown_names


@register
def check_customer_mails_off(**kwargs: Any) -> list[CheckMessage]:
    hint = f"The kinds are {', '.join(KINDS)}; “all” switches every mail off."
    return [
        Warning(f"CUSTOMER_MAILS_OFF names no mail: {name}.", hint=hint, id="checkout.W001")
        for name in unknown_names()
    ]
