"""The admin's login: guesses, addresses, the second factor, recovery codes, sessions and reset by mail."""

from __future__ import annotations

import logging
import re
import time
from io import StringIO
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from config import attempts

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def owner(settings: Settings) -> User:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    return User.objects.create_superuser("owner", "owner@shop.example", PASSWORD)


def log_in(client: Client, password: str = PASSWORD, *, token: str = "", address: str = "203.0.113.7"):  # type: ignore[no-untyped-def]
    form = {"username": "owner", "password": password, "otp_token": token, "next": "/admin/"}
    return client.post("/admin/login/", form, headers={"X-Forwarded-For": address})


def is_inside(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def enroll(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Enroll the owner's app by the command; returns the recovery codes."""
    printed = StringIO()

    def code_of_the_app(prompt: str) -> str:
        device = TOTPDevice.objects.filter(confirmed=True).first()
        secret = re.search(r"secret=(\w+)", printed.getvalue())
        assert secret and device is None
        return f"{totp(base32(secret[1])):06d}"

    monkeypatch.setattr("builtins.input", code_of_the_app)
    call_command("enroll_totp", "owner", stdout=printed)
    return re.findall(r"^  (\w+)$", printed.getvalue(), re.MULTILINE)


def base32(text: str) -> bytes:
    from base64 import b32decode

    return b32decode(text + "=" * (-len(text) % 8))


def next_code() -> str:
    device = TOTPDevice.objects.get(confirmed=True)
    TOTPDevice.objects.update(last_t=-1, throttling_failure_count=0, throttling_failure_timestamp=None)
    return f"{totp(device.bin_key, t0=device.t0, drift=device.drift):06d}"


def test_name_and_password_are_enough_without_a_second_factor(client: Client) -> None:
    assert log_in(client).status_code == 302
    assert is_inside(client)


def test_the_sixth_guess_is_not_checked(client: Client) -> None:
    for _number in range(5):
        log_in(client, "wrong")

    answer = log_in(client)  # Right, but too late.

    assert answer.status_code == 429
    assert "Too many attempts" in answer.content.decode()
    assert not is_inside(client)
    assert AccessAttempt.objects.get().ip_address == "203.0.113.7"


def test_guesses_from_elsewhere_do_not_lock_the_owner_out(client: Client) -> None:
    for _number in range(6):
        log_in(Client(), "wrong", address="198.51.100.1")

    assert log_in(client).status_code == 302


def test_a_success_forgets_earlier_typos(client: Client) -> None:
    for _round in range(3):
        for _number in range(4):
            log_in(Client(), "wrong")
        assert log_in(Client()).status_code == 302


def test_the_session_gets_another_key_and_ends_after_hours(client: Client) -> None:
    client.get("/admin/login/")
    session = client.session
    session["cart"] = {}
    session.save()
    before = client.session.session_key

    log_in(client)

    assert client.session.session_key != before
    assert client.session.get_expiry_age() == 12 * 3600


# --- The second factor


def test_an_enrolled_app_is_asked_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = enroll(monkeypatch)

    assert len(codes) == 8
    assert "Please enter the code" in log_in(client).content.decode()
    assert "The code is not valid" in log_in(client, token="000000").content.decode()
    assert not is_inside(client)
    assert log_in(client, token=next_code()).status_code == 302
    assert is_inside(client)


def test_a_code_is_accepted_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    enroll(monkeypatch)
    code = next_code()
    log_in(Client(), token=code)

    assert log_in(client, token=code).status_code == 200
    assert not is_inside(client)


def test_a_recovery_code_is_accepted_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    code = enroll(monkeypatch)[0]

    assert log_in(Client(), token=code).status_code == 302
    assert log_in(client, token=code).status_code == 200


def test_the_second_factor_can_be_required(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECOND_FACTOR_REQUIRED = True

    assert "enroll_totp owner" in log_in(client).content.decode()
    client.force_login(User.objects.get())  # A session from before it was required.
    assert not is_inside(client)
    enroll(monkeypatch)
    assert log_in(client, token=next_code()).status_code == 302
    assert is_inside(client)


def test_a_wrong_code_enrolls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: "123")

    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("enroll_totp", "owner", stdout=StringIO())

    assert not TOTPDevice.objects.exists()


def test_a_lost_device_can_be_removed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    enroll(monkeypatch)

    call_command("enroll_totp", "owner", "--remove", stdout=StringIO())

    assert log_in(client).status_code == 302


# --- Reset by mail


def test_a_password_is_reset_by_mail(client: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert "/admin/password-reset/" in client.get("/admin/login/").content.decode()

    client.post("/admin/password-reset/", {"email": "owner@shop.example"})

    link = re.search(r"http://testserver(/admin/reset/\S+)", str(mail.outbox[0].body))
    assert link
    form = client.get(link[1], follow=True)
    new = "another horse battery"
    client.post(form.redirect_chain[-1][0], {"new_password1": new, "new_password2": new})
    assert log_in(client, new).status_code == 302


def test_an_unknown_mail_gets_nothing_and_tells_nothing(client: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    answer = client.post("/admin/password-reset/", {"email": "nobody@shop.example"})

    assert answer.status_code == 302
    assert mail.outbox == []


# --- Floods


def test_an_address_that_changes_the_name_is_refused_before_a_password_is_checked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    monkeypatch.setattr(
        ModelBackend, "authenticate", lambda self, request, username="", **options: checked.append(username)
    )

    def guess(number: int) -> Any:
        form = {"username": f"name-{number}", "password": "x", "next": "/admin/"}
        return client.post("/admin/login/", form, headers={"X-Forwarded-For": "198.51.100.1"})

    answers = [guess(number) for number in range(30)]

    assert [answer.status_code for answer in answers] == [200] * attempts.LIMIT + [429] * 20
    assert len(checked) == attempts.LIMIT
    assert answers[-1]["Retry-After"] == "60"
    assert "many attempts from your network" in answers[-1].content.decode()


def test_a_flood_of_another_address_leaves_the_owner_alone(client: Client) -> None:
    for _number in range(20):
        attempts.take("198.51.100.1", time.monotonic())

    assert log_in(client).status_code == 302


def test_a_flood_of_logins_is_one_line_with_the_address(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for _number in range(attempts.LIMIT):
        attempts.take("203.0.113.7", time.monotonic())

    for _number in range(50):
        assert log_in(client).status_code == 429

    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == [
        "/admin/login/ was refused: more than 10 attempts in a minute, the last from 203.0.113.7."
    ]


def test_mails_of_a_reset_are_limited_as_well(client: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    for _number in range(30):
        client.post("/admin/password-reset/", {"email": "owner@shop.example"})

    assert len(mail.outbox) == attempts.LIMIT


def test_attempts_count_for_a_minute_and_a_login_ends_the_count() -> None:
    assert [attempts.take("a", 0.0) for _number in range(11)] == [True] * 10 + [False]
    assert not attempts.take("a", 59.0)
    assert attempts.take("a", 60.0)
    attempts.forget("a")
    assert all(attempts.take("a", 60.0) for _number in range(10))


def test_the_memory_of_attempts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_ADDRESSES", 5)

    for number in range(50):
        attempts.take(f"{number}", number * 0.1)

    assert len(attempts._attempts) == 5
