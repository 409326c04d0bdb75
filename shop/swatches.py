"""Swatches of the color names that are common for clothing."""

from __future__ import annotations

import re

FILLS = {
    "aqua": "#6fc3c6", "ash": "#b9babb", "beige": "#d8c6a5", "black": "#16151a", "blue": "#2d5ea8",
    "bone": "#e6dcc8", "bordeaux": "#5d1a2a", "brown": "#5d4130", "burgundy": "#5d1a2a", "camel": "#b98d5a",
    "charcoal": "#3c3d40", "chocolate": "#46302a", "clay": "#a9634a", "coral": "#e8745f", "cream": "#efe6d2",
    "denim": "#4a6388", "ecru": "#efe6d2", "emerald": "#1f7a56", "forest": "#234331", "fuchsia": "#c0317c",
    "gold": "#c9a13b", "graphite": "#47484b", "gray": "#8d8e90", "green": "#2f6b45", "grey": "#8d8e90",
    "heather": "#a3a4a6", "indigo": "#35386b", "ivory": "#f4eedd", "khaki": "#a3946a", "lavender": "#b9a9d8",
    "lilac": "#c3b1da", "lime": "#a9c83f", "magenta": "#b8256f", "maroon": "#5f1f2b", "mauve": "#a98295",
    "mint": "#a9d8c0", "moss": "#5c6637", "mustard": "#c1912b", "natural": "#efe6d2", "navy": "#1c2a4b",
    "oatmeal": "#dacdb6", "ochre": "#b9822f", "olive": "#66682f", "orange": "#d9752b", "peach": "#f0b491",
    "petrol": "#1f4e5a", "pink": "#e5a9b4", "plum": "#5c3a52", "purple": "#5a3a78", "red": "#b3261e",
    "rose": "#cf7f8c", "royal": "#2a4bb0", "rust": "#a34a24", "sage": "#a3b09a", "salmon": "#ea907b",
    "sand": "#d8c6a5", "silver": "#b7babd", "sky": "#9cc4e4", "slate": "#56616c", "stone": "#b5ac9c",
    "tan": "#c3a077", "taupe": "#8b7d6f", "teal": "#1f6f70", "terracotta": "#b5583b", "turquoise": "#3aa7a8",
    "violet": "#6b4aa0", "white": "#fdfdfb", "wine": "#571a2c", "yellow": "#e6bf3c",
}  # fmt: skip


def swatch_color(name: str) -> str:
    """Color of the last known word; empty for unknown names and for combinations such as "Black/White"."""
    if re.search(r"[/&+,]|\band\b", name.casefold()):
        return ""
    words = re.findall(r"[a-z]+", name.casefold())
    # "Heather" describes the fabric when another color is named: navy heather is navy.
    colors = [word for word in words if word != "heather"] or words
    return next((FILLS[word] for word in reversed(colors) if word in FILLS), "")
