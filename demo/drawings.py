"""Draw the demo's images: a garment in one color with a print on it, or a close-up of the print."""

from __future__ import annotations

from demo.garments import CLOTHS, GARMENTS, Cloth
from demo.prints import PRINTS

# Position of the print: x, y and scale of its 100 × 100 square in the image's 400 × 400 square.
PLACES = {
    "tee": (138, 136, 1.24),
    "button-up": (140, 150, 1.1),
    "hoodie": (152, 152, 0.96),
    "tote": (130, 180, 1.4),
    "sleeve": (102, 136, 1.4),
    "sheet": (122, 82, 1.56),
}
FROM_NEAR = (60, 60, 2.8)


def picture(garment: str, print_name: str, color: str) -> str:
    """The garment on a transparent background. Raises KeyError for an unknown garment, print or color."""
    cloth = CLOTHS[color]
    worn = _placed(print_name, cloth, PLACES[garment])
    shadow = '<ellipse cx="200" cy="352" rx="124" ry="10" fill="#2e2515" opacity=".2"/>'
    goods = GARMENTS[garment](cloth)
    return _page(f'<g transform="translate(-22 -21) scale(1.11)">{shadow}{goods}{worn}</g>')


def detail(print_name: str, color: str) -> str:
    """A close-up of the print on the cloth. Raises KeyError for an unknown print or color."""
    cloth = CLOTHS[color]
    weave = "".join(
        f'<path d="M0 {y} H400" stroke="{cloth.shade}" stroke-width=".7" opacity=".28"/>'
        for y in range(4, 400, 6)
    )
    return _page(
        f'<rect width="400" height="400" fill="{cloth.fabric}"/>{weave}{_placed(print_name, cloth, FROM_NEAR)}'
    )


def _placed(print_name: str, cloth: Cloth, place: tuple[float, float, float]) -> str:
    x, y, scale = place
    drawn = PRINTS[print_name](cloth.ink, cloth.accent)
    return f'<g transform="translate({x} {y}) scale({scale})" filter="url(#by-hand)">{drawn}</g>'


def _page(content: str) -> str:
    # The displacement filter makes the lines look drawn by hand.
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="800" height="800">'
        '<defs><filter id="by-hand" x="-10%" y="-10%" width="120%" height="120%">'
        '<feTurbulence baseFrequency=".035" numOctaves="2" seed="7"/>'
        f'<feDisplacementMap in="SourceGraphic" scale="3.2"/></filter></defs>{content}</svg>'
    )
