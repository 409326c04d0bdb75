"""Currencies and the amounts they allow.

https://docs.stripe.com/currencies: amounts are in the smallest unit, and some currencies need round amounts.
"""

from decimal import Decimal

from fake_stripe.errors import StripeError

CURRENCIES = frozenset(
    (  # noqa: SIM905
        "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf "
        "chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg "
        "huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk "
        "mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub "
        "rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd usdc uyu uzs "
        "vnd vuv wst xaf xcd xcg xof xpf yer zar zmw"
    ).split()
)
# Amounts must be divisible by this: of three decimals the last is 0; ISK and UGX have two decimals, always 00.
STEPS = {**dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10), **dict.fromkeys(("isk", "ugx"), 100)}


MAX_AMOUNT = 99_999_999
# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
MIN_CHARGE = {
    **dict.fromkeys(("usd", "eur", "chf", "aud", "cad", "brl", "nzd", "sgd"), 50),
    "gbp": 30,
    "jpy": 50,
    "sek": 300,
    "nok": 300,
    "dkk": 250,
    "pln": 200,
    "czk": 1500,
    "hkd": 400,
    "mxn": 1000,
    "huf": 17500,
    "thb": 1000,
    "aed": 200,
    "inr": 50,
    "ron": 200,
}


def check_charge(amount: int, currency: str, param: str | None = None) -> None:
    """Raise a 400 for an amount outside Stripe's minimum and maximum charge. Zero is allowed."""
    if amount > MAX_AMOUNT:
        message = f"{amount} {currency} is more than the maximum charge."
        raise StripeError(message, code="amount_too_large", param=param)
    if 0 < amount < MIN_CHARGE.get(currency, 1):
        message = f"{amount} {currency} is less than the minimum charge."
        raise StripeError(message, code="amount_too_small", param=param)


def check_amount(amount: int | Decimal | None, currency: str, param: str) -> None:
    """Raise a 400 for an amount that is not divisible by its currency's step."""
    step = STEPS.get(currency, 1)
    if amount is not None and step > 1 and amount % step:
        message = f"An amount in {currency} must be divisible by {step}, and {amount} is not."
        raise StripeError(message, param=param, executed=False)
