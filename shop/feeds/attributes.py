"""Parse the metadata that only feeds need: brand, GTINs, manufacturer numbers, gender, age group, condition, returns.

Like the rest of the metadata it is typed by hand, so problems are listed and never raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

GENDERS = ("female", "male", "unisex")
AGE_GROUPS = ("newborn", "infant", "toddler", "kids", "adult")
CONDITIONS = ("new", "refurbished", "used")
GTIN_LENGTHS = (8, 12, 13, 14)
MAX_LENGTH_NUMBER = 70  # Of a brand or a manufacturer's number.
MAX_LENGTH_LABEL = 100
MAX_RETURN_DAYS = 3650


@dataclass(frozen=True)
class FeedAttributes:
    """`gtins` and `mpns` are by size, "" for a product without sizes. Empty values are filled in from Storefront."""

    brand: str = ""
    gender: str = ""
    age_group: str = ""
    condition: str = ""
    google_category: str = ""
    return_days: int | None = None
    return_label: str = ""
    gtins: dict[str, str] = field(default_factory=dict)
    mpns: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def parse_attributes(metadata: Mapping[str, str], sizes: Sequence[str]) -> FeedAttributes:
    """Keys: brand, gender, age_group, condition, google_product_category, return_days, return_policy_label,
    gtin, gtin_<size>, mpn, mpn_<size>.
    """
    problems: list[str] = []

    def one_of(key: str, allowed: Sequence[str]) -> str:
        word = metadata.get(key, "").strip().lower()
        if word and word not in allowed:
            problems.append(f"“{key}” is {word[:20]!a}; feeds know {', '.join(allowed)}.")
            return ""
        return word

    days = metadata.get("return_days", "").strip()
    is_days = days.isascii() and days.isdigit() and len(days) <= 4 and int(days) <= MAX_RETURN_DAYS
    if days and not is_days:
        problems.append(f"“return_days” is {days[:20]!a}; it must be a number of days, 0 for no returns.")
    gtins, mpns = _numbers(metadata, sizes, problems)
    return FeedAttributes(
        brand=_line(metadata.get("brand", ""))[:MAX_LENGTH_NUMBER],
        gender=one_of("gender", GENDERS),
        age_group=one_of("age_group", AGE_GROUPS),
        condition=one_of("condition", CONDITIONS),
        google_category=_line(metadata.get("google_product_category", "")),
        return_days=int(days) if is_days else None,
        return_label=_line(metadata.get("return_policy_label", ""))[:MAX_LENGTH_LABEL],
        gtins=gtins,
        mpns=mpns,
        problems=tuple(problems),
    )


def _numbers(
    metadata: Mapping[str, str], sizes: Sequence[str], problems: list[str]
) -> tuple[dict[str, str], dict[str, str]]:
    # GTINs and manufacturer numbers by size.
    gtins: dict[str, str] = {}
    mpns: dict[str, str] = {}
    for size in sizes or [""]:
        suffix = f"_{size}" if size else ""
        gtin = "".join(metadata.get(f"gtin{suffix}", "").split()).replace("-", "")
        if gtin and is_gtin(gtin):
            gtins[size] = gtin
        elif gtin:
            problems.append(
                f"“gtin{suffix}” is not a GTIN: 8, 12, 13 or 14 digits with the right check digit."
            )
        # One number of a manufacturer may stand for all sizes.
        if mpn := _line(metadata.get(f"mpn{suffix}", "") or metadata.get("mpn", "")):
            mpns[size] = mpn[:MAX_LENGTH_NUMBER]
    if sizes and metadata.get("gtin"):
        problems.append(f"“gtin” is ignored, because each size has its own: “gtin_{sizes[0]}”.")
    if repeated := {number for number in gtins.values() if list(gtins.values()).count(number) > 1}:
        # Merchant centers reject or merge offers that share a GTIN.
        problems.append(f"Several sizes have the GTIN {min(repeated)}.")
    return gtins, mpns


def is_gtin(text: str) -> bool:
    """Whether the last digit is the check digit of the others: https://www.gs1.org/services/how-calculate-check-digit-manually"""
    if not (text.isascii() and text.isdigit() and len(text) in GTIN_LENGTHS):
        return False
    weighted = (int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text)))
    return sum(weighted) % 10 == 0 and set(text) != {"0"}


def _line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
