"""What a product lacks for a feed, as sentences for the owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from django.utils.translation import gettext as _

from shop.feeds.rows import CatalogRow

MAX_LENGTH_SIZE_AT_STRIPE = 20


class Feed(StrEnum):
    GOOGLE = "Google"
    STRIPE = "Stripe"


@dataclass(frozen=True)
class Gap:
    """`excludes`: the feed leaves the row out. Otherwise it is shown less often or less well."""

    feeds: tuple[Feed, ...]
    text: str
    excludes: bool = True


def is_complete(row: CatalogRow, feed: Feed) -> bool:
    return not any(feed in gap.feeds for gap in exclusions_of(row))


def exclusions_of(row: CatalogRow) -> Iterator[Gap]:
    both, product = (Feed.GOOGLE, Feed.STRIPE), row.product
    if row.amount is None:
        yield Gap(both, _("it has no price."))
    elif row.amount <= 0:
        yield Gap(both, _("its price is 0."))
    if not product.name:
        yield Gap(both, _("it has no name."))
    if not product.images:
        yield Gap(both, _("it has no image as JPEG, PNG or WebP."))
    if not product.category and not product.google_category:
        yield Gap((Feed.STRIPE,), _("it has no “category”."))
    if len(row.size) > MAX_LENGTH_SIZE_AT_STRIPE:
        yield Gap((Feed.STRIPE,), _("the name of the size is longer than 20 characters."))


def advice_of(row: CatalogRow) -> Iterator[Gap]:
    """What a feed would rather have. Google requires the latter for clothing, whatever it takes for clothing."""
    if not row.gtin and not row.mpn:
        yield Gap((Feed.GOOGLE,), _("it has no “gtin” and no “mpn”."), excludes=False)
    missing = [name for name in ("gender", "age_group", "color") if not getattr(row.product, name)]
    if row.size and missing:
        names = ", ".join(missing)
        yield Gap((Feed.GOOGLE,), _("clothing needs %(names)s.") % {"names": names}, excludes=False)


def gap_sentences(rows: Iterable[CatalogRow], *, with_advice: bool = True) -> list[str]:
    """One sentence per feed and gap, naming the sizes if only some of them have it."""
    rows = list(rows)
    sizes: dict[tuple[Gap, Feed], list[str]] = {}
    for row in rows:
        for gap in chain(exclusions_of(row), advice_of(row) if with_advice else ()):
            for feed in gap.feeds:
                sizes.setdefault((gap, feed), []).append(row.size)
    sentences = []
    for (gap, feed), names in sorted(
        sizes.items(), key=lambda entry: (entry[0][1], not entry[0][0].excludes)
    ):
        which = f" ({', '.join(names)})" if len(names) < len(rows) else ""
        effect = _("not in the feed") if gap.excludes else _("may be shown less often")
        sentences.append(f"{feed.value}: {effect}{which}: {gap.text}")
    return sentences
