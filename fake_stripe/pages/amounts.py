"""Format and parse amounts in Stripe's minor units: 2500 usd is `$25.00`."""

from __future__ import annotations

# https://docs.stripe.com/currencies#zero-decimal; ISK and UGX are sent with two decimals.
WHOLE = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "cad": "CA$", "aud": "A$", "nzd": "NZ$"}


def decimals(currency: str) -> int:
    """The number of decimals of a currency's minor unit."""
    return 0 if currency in WHOLE else 3 if currency in THREE else 2


def plain(amount: int, currency: str) -> str:
    """`1234.50`, without a currency, for an input."""
    places = decimals(currency)
    text = f"{abs(amount):0{places + 1}d}"
    number = f"{text[:-places]}.{text[-places:]}" if places else text
    return f"-{number}" if amount < 0 else number


def shown(amount: int | None, currency: str | None) -> str:
    """`$1,234.50`, or `1,234.50 CHF` for a currency without a short sign; a dash for None."""
    if amount is None or currency is None:
        return "–"
    whole, _, rest = plain(abs(amount), currency).partition(".")
    number = f"{int(whole):,}{'.' + rest if rest else ''}"
    sign = SIGNS.get(currency)
    text = f"{sign}{number}" if sign else f"{number}\u00a0{currency.upper()}"
    return f"\u2212{text}" if amount < 0 else text


def minor(text: str, currency: str) -> int | None:
    """A typed amount (`12.5`) in minor units; None if it is not an amount of this currency."""
    whole, dot, rest = text.strip().replace(",", ".").partition(".")
    places = decimals(currency)
    digits = whole + rest
    if not (whole.isascii() and whole.isdecimal() and len(whole) <= 12) or (dot and not rest):
        return None
    if len(rest) > places or not (digits.isascii() and digits.isdecimal()):
        return None
    return int(whole + rest.ljust(places, "0"))
