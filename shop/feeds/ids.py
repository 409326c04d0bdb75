"""Ids of sizes and products in feeds and structured data.

Both are computed from Stripe's own ids and keys, so a shop that lost its database gives the same ids again. Merchant
centers and agents keep the history of an offer under its id.
"""

from __future__ import annotations

import base64
import hashlib
import re

from shop.metadata import SINGLE_ITEM_KEY, STOCK_KEY_PREFIX

MAX_LENGTH_ID = 50  # Google's limit; Stripe allows 100.


def catalog_id(product_id: str, key: str) -> str:
    """Id of one stock item: 26 lower-case letters and digits. `key` is its metadata key at Stripe."""
    return _hashed(f"{product_id}\0{key}")


def catalog_id_of_size(product_id: str, size: str) -> str:
    return catalog_id(product_id, STOCK_KEY_PREFIX + size if size else SINGLE_ITEM_KEY)


def group_id(product_id: str) -> str:
    """Id that all sizes of a product share: Stripe's own where feeds allow its characters."""
    is_plain = re.fullmatch(rf"[A-Za-z0-9_-]{{1,{MAX_LENGTH_ID}}}", product_id, re.ASCII)
    return product_id if is_plain else _hashed(product_id)


def _hashed(text: str) -> str:
    # 16 bytes are 26 characters of base32, which has no characters that a feed would have to quote.
    digest = hashlib.sha256(text.encode()).digest()[:16]
    return base64.b32encode(digest).decode().rstrip("=").lower()
