"""Theme stylesheet from the owner's colors, adjusted so that text stays readable.

Contrast is defined by WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

from __future__ import annotations

INK, DARK_BACKGROUND = "#1e1b17", "#171512"
BACKGROUND = "#f7f4ee"
READABLE = 4.6  # Slightly above the 4.5 that WCAG requires for text.


def stylesheet(accent: str, paper: str) -> str:
    """CSS for `accent` and `paper`, each "#rrggbb" or empty. Returns an empty string if both are empty."""
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    if paper:
        light |= {"paper": paper, "tile": mix(paper, INK, 0.07), "line": mix(paper, INK, 0.16)}
        light |= {"raised": mix(paper, "#ffffff", 0.55), "soft": readable_on(mix(paper, INK, 0.68), paper)}
    if accent:
        light |= _accent(accent, paper or BACKGROUND)
        dark |= _accent(accent, DARK_BACKGROUND)
    rules = [_rule(light), f"@media (prefers-color-scheme: dark) {{\n{_rule(_dark(dark, light))}}}\n"]
    return "\n".join(rules) if light else ""


def _dark(dark: dict[str, str], light: dict[str, str]) -> dict[str, str]:
    # A light background must not apply in dark mode, so its variables are reset to their defaults there.
    usual = {
        "paper": DARK_BACKGROUND,
        "tile": "#2a2621",
        "line": "#3a352e",
        "raised": "#211e1a",
        "soft": "#b3a998",
    }
    return {name: usual[name] for name in light if name in usual} | dark


def _accent(accent: str, paper: str) -> dict[str, str]:
    shown = readable_on(accent, paper)
    return {
        "accent": shown,
        "on-accent": _black_or_white(shown),
    }  # Black or white always has a contrast of at least 4.58.


def _rule(variables: dict[str, str]) -> str:
    lines = "".join(f"  --{name}: {color};\n" for name, color in variables.items())
    return f":root {{\n{lines}}}\n"


def readable_on(color: str, paper: str) -> str:
    """`color`, shifted toward black or white just enough to be readable on `paper`."""
    goal = _black_or_white(paper)
    steps = (mix(color, goal, step / 20) for step in range(21))
    return next((step for step in steps if contrast(step, paper) >= READABLE), goal)


def _black_or_white(color: str) -> str:
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
    red, green, blue = (_linear(channel / 255) for channel in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
