"""Which currencies are there, and which amounts can they have?

https://docs.stripe.com/currencies: amounts are in the smallest unit; some currencies take only some amounts.
"""

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
# An amount must be divisible by this: three decimals of which the last is 0, two decimals that are always 00.
STEPS = {**dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10), **dict.fromkeys(("isk", "ugx"), 100)}


def check_amount(amount: int | None, currency: str, param: str) -> None:
    """Raise the 400 of an amount that its currency cannot have."""
    step = STEPS.get(currency, 1)
    if amount is not None and amount % step:
        message = f"An amount in {currency} must be divisible by {step}, and {amount} is not."
        raise StripeError(message, param=param, executed=False)
