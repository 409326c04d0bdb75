"""Typed readers for environment variables. Invalid values raise ImproperlyConfigured with one sentence.

NAME_FILE may name a file that holds the value of NAME. `$` is not expanded, because secrets may contain it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Mapping
from email.utils import formataddr, getaddresses
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

TRUTHY, FALSY = frozenset({"true", "yes", "on", "1", "y"}), frozenset({"false", "no", "off", "0", "n"})
DATABASES = frozenset({"django.db.backends.sqlite3", "django.db.backends.postgresql"})

# Names of 2026-11-26, still read for one release: new name to old name.
OLD_NAMES = {
    "ALLOWED_IMAGE_ORIGINS": "IMAGE_ORIGINS",
    "ALLOW_PROMOTION_CODES": "PROMOTION_CODES",
    "CHECKOUT_EXPIRES_MINUTES": "CHECKOUT_MINUTES",
    "COLLECT_PHONE_NUMBER": "ASK_FOR_PHONE",
    "STRIPE_AUTOMATIC_TAX": "AUTOMATIC_TAX",
    "STRIPE_WEBHOOK_MAX_BYTES": "WEBHOOK_MAX_BYTES",
    "STRIPE_WEBHOOK_TOLERANCE": "WEBHOOK_TOLERANCE",
    "TRUST_X_FORWARDED_PROTO": "BEHIND_PROXY",
}

API_KEY_FORM = r"(sk|rk)_(test|live)_\S+"
SIGNING_FORM = r"whsec_[^\s,]+(\s*,\s*whsec_[^\s,]+)*[\s,]*"
# Quotes, commas and semicolons would end a source of the Content-Security-Policy.
ORIGIN_FORM = r"https?://[A-Za-z0-9.*_-]+(:[0-9]{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?"
ORIGIN_OR_PATH_FORM = rf"({ORIGIN_FORM})(/[^\s?#'\",;]*)?"
HOST_FORM = r"\*|\.?[A-Za-z0-9_-][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]"

_environ = environ.FileAwareEnv.ENVIRON


def read_file(usual: Path) -> None:
    """Read ENV_FILE, by default `usual`; variables already in the environment win. An empty ENV_FILE means no file."""
    named = os.environ.get("ENV_FILE")
    file = usual if named is None else Path(named)
    if named and not file.is_file():
        raise ImproperlyConfigured(f"ENV_FILE must name an existing file, not {named!r}.")
    if named != "" and file.is_file():
        environ.Env.read_env(str(file))


def get_str(name: str, default: str = "") -> str:
    """The value without surrounding white space, as editors end a file with a newline. An empty one means the default."""
    old = OLD_NAMES.get(name, name)
    if old != name and _is_set(old):
        # The old name counts only where the new one is not set.
        if _is_set(name):
            print(f"{old} is ignored: {name} is set, which is its new name.", file=sys.stderr)
        else:
            print(
                f"{old} is now called {name}; the old name goes away with the next release.", file=sys.stderr
            )
            name = old
    try:
        value = str(_environ.get(name, default)).strip()
    except (OSError, ValueError):
        file = os.environ.get(f"{name}_FILE")
        raise ImproperlyConfigured(f"{name}_FILE must name a readable file, not {file!r}.") from None
    # A .env file may have quotes; those of docker's --env-file and of systemd's drop-ins become part of the value.
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        raise ImproperlyConfigured(f"{name} must not be in quotes.")
    if not value.isprintable():
        raise ImproperlyConfigured(f"{name} must be a single line without control characters.")
    return value or default


def _is_set(name: str) -> bool:
    return name in os.environ or f"{name}_FILE" in os.environ


def get_secret(name: str, pattern: str = ".+", such_as: str = "") -> str:
    """A secret, or "". The error does not repeat the value."""
    given = get_str(name)
    if given and not re.fullmatch(pattern, given, re.DOTALL):
        raise ImproperlyConfigured(f"{name} must be {such_as}, without blanks.")
    return given


def get_list(name: str, default: str = "", *, each: str = ".+", such_as: str = "") -> list[str]:
    """A comma-separated list whose members match `each`; surrounding white space is ignored."""
    members = [part.strip() for part in get_str(name, default).split(",") if part.strip()]
    for member in members:
        if not re.fullmatch(each, member):
            raise _invalid(name, f"be a list such as {such_as}", member)
    return members


def get_addresses(name: str, default: str = "") -> list[str]:
    """A comma-separated list of mail addresses, each perhaps with a name: `Ada <ada@your.shop>`."""
    given = get_str(name, default)
    members = getaddresses([given]) if given else []
    try:
        for _name, address in members:
            validate_email(address)
    except ValidationError:
        raise _invalid(name, "be a list of mail addresses such as you@your.shop", given) from None
    return [formataddr(member) for member in members]


def get_matching(name: str, pattern: str, default: str, *, such_as: str) -> str:
    given = get_str(name, default).strip()
    if not re.fullmatch(pattern, given):
        raise _invalid(name, f"look like {such_as}", given)
    return given


def get_bool(name: str, *, default: bool) -> bool:
    given = get_str(name).strip().lower()
    if given and given not in TRUTHY | FALSY:
        raise _invalid(name, "be True or False", given)
    return given in TRUTHY if given else default


def get_int(name: str, *, default: int, least: int, most: int | None = None) -> int:
    given = get_str(name).strip() or str(default)
    if re.fullmatch(r"-?[0-9]{1,12}", given) and least <= int(given) <= (
        int(given) if most is None else most
    ):
        return int(given)
    wanted = f"of {least} or more" if most is None else f"between {least} and {most}"
    raise _invalid(name, f"be a whole number {wanted}", given)


def get_time_zone(name: str, default: str) -> str:
    given = get_str(name, default)
    try:
        ZoneInfo(given)
    except (LookupError, ValueError, OSError):
        raise _invalid(name, "be the name of a time zone such as Europe/Berlin", given) from None
    return given


def get_log_level(name: str, default: str) -> str:
    given = get_str(name, default).strip().upper()
    if given not in logging.getLevelNamesMapping():
        raise _invalid(name, "be DEBUG, INFO, WARNING or ERROR", given)
    return given


def get_database(name: str, default: str) -> dict[str, Any]:
    such_as = "postgres://user:password@host/name"
    parsed = _get_url(name, default, environ.Env.db_url_config, such_as, DATABASES)
    if not parsed.get("NAME"):
        raise ImproperlyConfigured(f"{name} must look like {such_as}.")
    return parsed


def get_email(name: str, default: str) -> dict[str, Any]:
    such_as = "smtp+tls://user:password@host:587"
    parsed = _get_url(name, default, environ.Env.email_url_config, such_as)
    if parsed["EMAIL_BACKEND"].endswith("smtp.EmailBackend") and not parsed.get("EMAIL_HOST"):
        raise ImproperlyConfigured(f"{name} must look like {such_as}.")
    return parsed


def get_cache(name: str, default: str) -> dict[str, Any]:
    return _get_url(name, default, environ.Env.cache_url_config, "locmemcache:// or redis://host:6379/0")


def _get_url(
    name: str, default: str, read: Any, such_as: str, engines: frozenset[str] = frozenset()
) -> dict[str, Any]:
    # The error does not repeat the value: it may contain a password.
    given = get_str(name, default)
    try:
        with warnings.catch_warnings(action="ignore"):
            parsed: dict[str, Any] = read(given)
    except (ImproperlyConfigured, ValueError, LookupError):
        parsed = {}
    if not parsed or (engines and parsed.get("ENGINE") not in engines):
        raise ImproperlyConfigured(f"{name} must look like {such_as}.")
    return parsed


def _invalid(name: str, must: str, given: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} must {must}, not {given!r}.")


def write_env_file(file: Path, values: Mapping[str, str]) -> None:
    """Set variables in a .env file: lines that set them, also commented ones, are replaced, others stay."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for name, value in values.items():
        places = [i for i, line in enumerate(lines) if re.match(rf"\s*(export\s+)?{name}\s*=", line)]
        places = places or [i for i, line in enumerate(lines) if re.match(rf"#\s*{name}\s*=", line)]
        for i in places[1:]:
            lines[i] = f"# {lines[i]}"
        if places:
            lines[places[0]] = f"{name}={value}"
        else:
            lines.append(f"{name}={value}")
    write_secret_file(file, "\n".join(lines))


def write_secret_file(file: Path, text: str) -> None:
    """Replace the file as a whole, readable for its owner only."""
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(f"{text}\n", encoding="utf-8")
    temporary.replace(file)
