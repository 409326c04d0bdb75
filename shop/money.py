"""Format Stripe's amounts, given in minor units.

Decimals follow https://docs.stripe.com/currencies#zero-decimal; Babel's table differs for several currencies.
"""

from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import NumberPattern, get_currency_symbol

ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# Stripe expects two decimals that are always 00, which are not shown.
WRITTEN_WITHOUT_DECIMALS = frozenset({"isk", "ugx"})
# Where ISO 4217 has other decimals than Stripe's amounts.
ISO_DECIMALS = {"isk": 0, "ugx": 0, "mga": 2}
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def decimals(currency: str) -> int:
    code = currency.lower()
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


def as_decimal(amount: int, currency: str) -> Decimal:
    """2500 usd -> 25.00, 2500 jpy -> 2500."""
    return Decimal(amount).scaleb(-decimals(currency))


@lru_cache(maxsize=1024)  # A catalog has few different prices.
def decimal_text(amount: int, currency: str) -> str:
    """`amount` as feeds expect it, with the decimals of ISO 4217: 2500 usd -> 25.00, 2500 mga -> 2500.00."""
    code = currency.lower()
    return str(as_decimal(amount, code).quantize(Decimal(1).scaleb(-ISO_DECIMALS.get(code, decimals(code)))))


def currency_label(currency: str, locale: str = "en") -> str:
    """usd -> "USD $"; the code alone if the locale has no sign for it."""
    code = currency.upper()
    symbol = get_currency_symbol(code, Locale.parse(locale, sep="-"))
    return code if symbol == code else f"{code} {symbol}"


def format_money(amount: int, currency: str, locale: str = "en") -> str:
    """Format `amount` for the locale. Unknown locales fall back to English."""
    code = currency.upper()
    where, pattern = _pattern(locale, code)
    return str(pattern.apply(as_decimal(amount, code), where, currency=code, currency_digits=False))


@lru_cache(maxsize=64)
def _pattern(locale: str, code: str) -> tuple[Locale, NumberPattern]:
    try:
        where = Locale.parse(locale, sep="-")
    except (UnknownLocaleError, ValueError):
        where = Locale("en")
    digits = 0 if code.lower() in WRITTEN_WITHOUT_DECIMALS else decimals(code)
    standard = where.currency_formats["standard"]
    before, after = standard.prefix
    if before.endswith("¤") and get_currency_symbol(code, where)[-1:].isalpha():
        before += NO_BREAK_SPACE  # "BHD 2.500": codes are separated from the digits, symbols are not.
    pattern = NumberPattern(
        standard.pattern,
        (before, after),
        standard.suffix,
        standard.grouping,
        standard.int_prec,
        (digits, digits),
        standard.exp_prec,
        standard.exp_plus,
        standard.number_pattern,
    )
    return where, pattern
