"""Carriers and the pages on which a customer follows a parcel.

The addresses are the carriers' own, without an API key. A carrier that is not listed has no link; its number is shown
as text.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from django.utils.translation import gettext_lazy as _

# Stored name: (name on pages, address with {} for the tracking number).
CARRIERS = {
    "dhl": ("DHL", "https://www.dhl.com/global-en/home/tracking.html?tracking-id={}"),
    "ups": ("UPS", "https://www.ups.com/track?tracknum={}"),
    "fedex": ("FedEx", "https://www.fedex.com/fedextrack/?trknbr={}"),
    "usps": ("USPS", "https://tools.usps.com/go/TrackConfirmAction?tLabels={}"),
    "dpd": ("DPD", "https://tracking.dpd.de/parcelstatus?query={}"),
    "gls": ("GLS", "https://gls-group.com/track/{}"),
    "royal_mail": ("Royal Mail", "https://www.royalmail.com/track-your-item#/tracking-results/{}"),
    "la_poste": ("La Poste, Colissimo", "https://www.laposte.fr/outils/suivre-vos-envois?code={}"),
    "post_at": ("Österreichische Post", "https://www.post.at/sv/sendungsdetails?snr={}"),
    "post_ch": ("Swiss Post", "https://service.post.ch/ekp-web/ui/entry/search/{}"),
    "canada_post": (
        "Canada Post",
        "https://www.canadapost-postescanada.ca/track-reperage/en#/details/{}",
    ),
    "auspost": ("Australia Post", "https://auspost.com.au/mypost/track/details/{}"),
}
CHOICES = [
    ("", _("Without a carrier")),
    *((key, name) for key, (name, _address) in CARRIERS.items()),
    ("other", _("Another carrier")),
]
TRACKING_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]{0,99}")


def tracking_url(carrier: str, tracking_number: str) -> str:
    """The page on which the parcel can be followed; "" without a number or for a carrier that is not listed."""
    if not tracking_number or carrier not in CARRIERS:
        return ""
    return CARRIERS[carrier][1].format(quote(tracking_number, safe=""))


def carrier_name(carrier: str) -> str:
    return CARRIERS[carrier][0] if carrier in CARRIERS else str(dict(CHOICES).get(carrier, carrier))


def clean_tracking_number(text: str) -> str:
    """The number without the blanks that labels print. Raises ValueError unless it is letters, digits, . / and -."""
    number = "".join(text.split())
    if number and not TRACKING_NUMBER.fullmatch(number):
        raise ValueError(text)
    return number
