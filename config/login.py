"""The admin's login: name, password and, where one is enrolled or required, a one-time code.

Guesses are counted by django-axes per name and address before the password is checked.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_otp import devices_for_user, match_token

from config.client_address import client_address


class LoginForm(AdminAuthenticationForm):
    """The code may be one of the authenticator app or a recovery code, which is valid once."""

    otp_token = forms.CharField(
        label=_("Code of your authenticator app, if you use one"),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        if user is None:
            return cleaned
        if not any(devices_for_user(user)):
            if settings.SECOND_FACTOR_REQUIRED:
                text = _("A second factor is required. Run “manage.py enroll_totp %(name)s” on the server.")
                raise ValidationError(text, params={"name": user.get_username()})
            return cleaned
        token = cleaned.get("otp_token", "").replace(" ", "")
        if not token:
            raise ValidationError(_("Please enter the code of your authenticator app as well."))
        # Locks the device's row, so that one code is accepted once however often it is sent.
        device = match_token(user, token)
        if device is None:
            raise ValidationError(
                _("The code is not valid. Wait for the next one, and check your device’s clock.")
            )
        user.otp_device = device  # type: ignore[attr-defined]
        return cleaned


def login_address(request: HttpRequest) -> str | None:
    return client_address(request) or None
