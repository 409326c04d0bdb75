"""Theme stylesheet from the owner's colors, adjusted so that text stays readable, and swatches of color names.

Contrast is defined by WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

from __future__ import annotations

import re

INK, DARK_BACKGROUND = "#1e1b17", "#171512"
BACKGROUND = "#f7f4ee"
READABLE = 4.6  # Slightly above the 4.5 that WCAG requires for text.
DARK_DEFAULTS = {
    "paper": DARK_BACKGROUND,
    "tile": "#2a2621",
    "line": "#3a352e",
    "raised": "#211e1a",
    "soft": "#b3a998",
}


def stylesheet(accent: str, background: str) -> str:
    """CSS for `accent` and `background`, each "#rrggbb" or empty. Returns an empty string if both are empty."""
    if not background and not accent:
        return ""
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    if background:
        light |= {"paper": background, "tile": mix(background, INK, 0.07), "line": mix(background, INK, 0.16)}
        light |= {
            "raised": mix(background, "#ffffff", 0.55),
            "soft": readable_on(mix(background, INK, 0.68), background),
        }
    if accent:
        light |= _accent(accent, background or BACKGROUND)
        dark |= _accent(accent, DARK_BACKGROUND)
    # A light background must not apply in dark mode, so its variables are reset to their defaults there.
    dark = {name: DARK_DEFAULTS[name] for name in light if name in DARK_DEFAULTS} | dark
    rules = [_rule(light), f"@media (prefers-color-scheme: dark) {{\n{_rule(dark)}}}\n"]
    return "\n".join(rules)


def _accent(accent: str, background: str) -> dict[str, str]:
    shown = readable_on(accent, background)
    return {
        "accent": shown,
        "on-accent": black_or_white(shown),
    }  # Black or white always has a contrast of at least 4.58.


def _rule(variables: dict[str, str]) -> str:
    lines = "".join(f"  --{name}: {color};\n" for name, color in variables.items())
    return f":root {{\n{lines}}}\n"


def readable_on(color: str, background: str) -> str:
    """`color`, shifted toward black or white just enough to be readable on `background`."""
    goal = black_or_white(background)
    steps = (mix(color, goal, step / 20) for step in range(21))
    return next((step for step in steps if contrast(step, background) >= READABLE), goal)


def black_or_white(color: str) -> str:
    return max(("#000000", "#ffffff"), key=lambda end: contrast(end, color))


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(color: str, other: str, share: float) -> str:
    """Blend two colors; `share` is the fraction of `other`, from 0 to 1."""
    pairs = zip(_channels(color), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _luminance(color: str) -> float:
    shares = (channel / 255 for channel in _channels(color))
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4) for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


# --- Swatches: the color names that are common for clothing -------------------------------------

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
