"""Draw the demo's garments: each function returns one, in a square of 400 by 400, as SVG.

`fabric` is its color, `shade` and `light` are the same color in shadow and in light. The print lies on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cloth:
    """One color of cloth, and the two inks that are readable on it."""

    fabric: str
    shade: str
    light: str
    ink: str
    accent: str


CLOTHS = {
    "Black": Cloth("#2b2a2d", "#18171a", "#4a484e", "#f2e8d5", "#e0813f"),
    "White": Cloth("#fbf9f3", "#d9d3c5", "#ffffff", "#23313f", "#cf5a36"),
    "Navy": Cloth("#27395a", "#18253e", "#42587f", "#f4ead2", "#e8b04b"),
    "Cream": Cloth("#efe3c8", "#d0be98", "#faf3e1", "#3c3a34", "#b5482f"),
    "Rust": Cloth("#b4553a", "#8b3c27", "#cd7558", "#fbeedb", "#f0c062"),
    "Sage": Cloth("#93a78c", "#71866c", "#b1c2aa", "#2c3a30", "#f3e9cf"),
    "Sky": Cloth("#a9c7d8", "#84a6ba", "#c8dee9", "#26405a", "#f6efdd"),
    "Plum": Cloth("#5c3a52", "#40263a", "#7b5570", "#f5e6d6", "#eea2a0"),
}

TEE = (
    "M158 74 C140 84 122 90 108 98 C88 110 66 132 48 158 C60 172 76 184 94 192 C102 182 110 172 120 164 "
    "C122 220 121 290 116 342 C168 352 232 352 284 342 C279 290 278 220 280 164 C290 172 298 182 306 192 "
    "C324 184 340 172 352 158 C334 132 312 110 292 98 C278 90 260 84 242 74 C230 98 170 98 158 74 Z"
)
LONG_SLEEVES = (
    "M156 76 C136 84 118 92 106 104 C84 140 66 212 54 300 C66 306 80 308 94 306 C100 262 108 224 122 190 "
    "C123 240 121 298 116 344 C168 354 232 354 284 344 C279 298 277 240 278 190 C292 224 300 262 306 306 "
    "C320 308 334 306 346 300 C334 212 316 140 294 104 C282 92 264 84 244 76 C230 96 170 96 156 76 Z"
)
SEWN = 'fill="none" stroke-width="1.4" stroke-dasharray="4 3.2" stroke-linecap="round"'


def tee(cloth: Cloth) -> str:
    return "".join(
        [
            '<path d="M158 74 C170 64 230 64 242 74 C230 98 170 98 158 74 Z" ' + f'fill="{cloth.shade}"/>',
            _outlined(TEE, cloth),
            _folds(cloth),
            _lit_shoulders(cloth),
            (
                f'<path d="M158 74 C170 104 230 104 242 74 L250 78 C236 116 164 116 150 78 Z" '
                f'fill="{cloth.fabric}" stroke="{cloth.shade}" stroke-width="2"/>'
            ),
            (
                f'<g stroke="{cloth.shade}" {SEWN}>'
                '<path d="M118 332 C168 342 232 342 282 332"/>'
                '<path d="M56 150 C67 164 83 176 100 183"/><path d="M344 150 C333 164 317 176 300 183"/></g>'
            ),
        ]
    )


def button_up(cloth: Cloth) -> str:
    buttons = "".join(
        f'<circle cx="200" cy="{y}" r="4.2" fill="{cloth.light}" stroke="{cloth.shade}" stroke-width="1.6"/>'
        for y in range(134, 330, 38)
    )
    return "".join(
        [
            _outlined(TEE, cloth),
            _folds(cloth),
            _lit_shoulders(cloth),
            f'<path d="M190 108 L190 346 M210 108 L210 346" stroke="{cloth.shade}" stroke-width="1.8"/>',
            buttons,
            (
                f'<g fill="{cloth.fabric}" stroke="{cloth.shade}" stroke-width="2.2" stroke-linejoin="round">'
                '<path d="M156 70 C170 60 230 60 244 70 L200 108 Z" />'
                '<path d="M156 70 L146 88 L178 124 L200 104 C184 94 168 82 156 70 Z"/>'
                '<path d="M244 70 L254 88 L222 124 L200 104 C216 94 232 82 244 70 Z"/></g>'
            ),
        ]
    )


def hoodie(cloth: Cloth) -> str:
    return "".join(
        [
            (
                f'<path d="M142 92 C130 50 160 26 200 26 C240 26 270 50 258 92 C240 118 160 118 142 92 Z" '
                f'fill="{cloth.fabric}" stroke="{cloth.shade}" stroke-width="2.4"/>'
            ),
            (
                f'<path d="M162 88 C156 62 174 48 200 48 C226 48 244 62 238 88 C226 108 174 108 162 88 Z" '
                f'fill="{cloth.shade}"/>'
            ),
            _outlined(LONG_SLEEVES, cloth),
            _folds(cloth),
            (
                f'<path d="M156 76 C150 96 176 116 200 124 C224 116 250 96 244 76 C232 98 168 98 156 76 Z" '
                f'fill="{cloth.fabric}" stroke="{cloth.shade}" stroke-width="2"/>'
            ),
            (
                f'<path d="M150 268 L250 268 L268 322 L132 322 Z" fill="{cloth.fabric}" stroke="{cloth.shade}" '
                'stroke-width="2.2" stroke-linejoin="round"/>'
            ),
            (
                f'<g stroke="{cloth.accent}" stroke-width="3.4" stroke-linecap="round" fill="none">'
                '<path d="M186 112 C184 130 188 146 184 160"/><path d="M214 112 C217 128 212 142 216 154"/></g>'
            ),
        ]
    )


def tote(cloth: Cloth) -> str:
    return "".join(
        [
            (
                f'<g fill="none" stroke="{cloth.shade}" stroke-width="13" stroke-linecap="round">'
                '<path d="M150 150 C146 54 254 54 250 150"/></g>'
            ),
            (
                f'<g fill="none" stroke="{cloth.fabric}" stroke-width="9" stroke-linecap="round">'
                '<path d="M150 150 C146 54 254 54 250 150"/></g>'
            ),
            _outlined("M104 138 C160 146 240 146 296 138 L306 346 C240 354 160 354 94 346 Z", cloth),
            f'<path d="M105 158 C160 166 240 166 295 158" stroke="{cloth.shade}" {SEWN}/>',
        ]
    )


def sleeve(cloth: Cloth) -> str:
    """A record cover with the record half out of it."""
    grooves = "".join(
        f'<circle cx="258" cy="206" r="{r}" fill="none" stroke="#4b474c" stroke-width="1"/>'
        for r in range(40, 100, 9)
    )
    return (
        f'<circle cx="258" cy="206" r="104" fill="#211f23"/>{grooves}'
        f'<circle cx="258" cy="206" r="30" fill="{cloth.accent}"/><circle cx="258" cy="206" r="4" fill="#efe9dc"/>'
        f'<rect x="62" y="96" width="220" height="220" rx="3" fill="{cloth.fabric}" stroke="{cloth.shade}" '
        'stroke-width="2"/>'
    )


def sheet(cloth: Cloth) -> str:
    """A sheet of paper with one corner turned up."""
    return (
        f'<path d="M104 62 L296 62 L296 306 L262 344 L104 344 Z" fill="{cloth.fabric}" stroke="{cloth.shade}" '
        f'stroke-width="2"/><path d="M262 344 L266 310 L296 306 Z" fill="{cloth.shade}"/>'
    )


def _outlined(path: str, cloth: Cloth) -> str:
    return (
        f'<path d="{path}" fill="{cloth.fabric}" stroke="{cloth.shade}" stroke-width="2.4" '
        'stroke-linejoin="round"/>'
    )


def _folds(cloth: Cloth) -> str:
    """Folds in the cloth: shadows below the arms and above the hem."""
    return (
        f'<g fill="none" stroke="{cloth.shade}" stroke-width="5" stroke-linecap="round" opacity=".45">'
        '<path d="M124 176 C132 186 138 202 140 220"/><path d="M276 176 C268 186 262 202 260 220"/>'
        '<path d="M136 336 C142 312 140 292 134 272"/><path d="M262 338 C256 316 258 300 266 282"/></g>'
    )


def _lit_shoulders(cloth: Cloth) -> str:
    return (
        f'<g fill="none" stroke="{cloth.light}" stroke-width="5" stroke-linecap="round" opacity=".7">'
        '<path d="M116 104 C104 112 94 122 86 134"/><path d="M284 104 C296 112 306 122 314 134"/></g>'
    )


GARMENTS: dict[str, Callable[[Cloth], str]] = {
    "tee": tee,
    "button-up": button_up,
    "hoodie": hoodie,
    "tote": tote,
    "sleeve": sleeve,
    "sheet": sheet,
}
