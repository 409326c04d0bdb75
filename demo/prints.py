"""Draw the demo's prints: each function returns one, in a square of 100 by 100, as SVG.

`ink` and `accent` are the two colors of the screen print.
"""

from __future__ import annotations

from collections.abc import Callable


def balm(ink: str, accent: str) -> str:
    """A tin of balm with hand lettering."""
    letters = (
        "M22 40 L22 62 M22 40 C34 39 34 50 23 50 C37 50 37 62 22 62 "
        "M41 62 L48 40 L55 62 M43.5 55 L52.5 55 M60 40 L60 62 L70 62 M74 62 L75 40 L81 54 L87 40 L88 62"
    )
    return (
        f'<ellipse cx="54" cy="51" rx="50" ry="34" fill="none" stroke="{ink}" stroke-width="2.4"/>'
        f'<ellipse cx="54" cy="51" rx="45" ry="29" fill="none" stroke="{accent}" stroke-width="1.6"/>'
        f'<path d="{letters}" fill="none" stroke="{ink}" stroke-width="3.8" stroke-linecap="round" '
        'stroke-linejoin="round"/>'
        f'<path d="M54 23 C48 28 48 33 54 36 C60 33 60 28 54 23 Z M38 72 C48 77 60 77 70 72" fill="{accent}" '
        f'stroke="{accent}" stroke-width="1"/>'
    )


# One stroke of handwriting each, from baseline to baseline.
LETTERS = {
    "e": "c5 -2 8 -11 3 -11 c-5 0 -4 11 3 11",
    "l": "c7 -4 10 -22 5 -22 c-5 0 -6 22 2 22",
    "u": "c2 0 3 -4 3 -9 c0 6 0 9 4 9 c3 0 4 -4 4 -9 c0 6 0 9 3 9",
    "t": "c3 -2 4 -10 4 -18 m-4 7 l8 0 m-4 -7 c-1 12 -1 18 4 18",
    "y": "c2 0 3 -4 3 -9 c0 6 1 9 4 9 c3 0 4 -4 4 -9 c0 12 -2 20 -7 20 c-5 0 -2 -9 8 -11",
    " ": "m6 0",
}


def cursive(ink: str, accent: str) -> str:
    """Lines of a letter in illegible handwriting."""
    lines = ["ule tely lue", "yet ell uetle", "tell eluy ete", "ley utel yell", "uelt ye leute"]
    rows = []
    for row, line in enumerate(lines):
        path = f"M{-6 if row % 2 else -12} {8 + row * 25} " + "".join(LETTERS[letter] for letter in line)
        rows.append(
            f'<path d="{path}" fill="none" stroke="{accent if row == 2 else ink}" stroke-width="2.2" '
            'stroke-linecap="round" stroke-linejoin="round"/>'
        )
    return "".join(rows)


def night_swim(ink: str, accent: str) -> str:
    waves = "".join(
        f'<path d="M4 {y} q11 -8 23 0 t23 0 t23 0 t23 0" fill="none" stroke="{ink}" stroke-width="2.6" '
        'stroke-linecap="round"/>'
        for y in (64, 75, 86)
    )
    return (
        f'<circle cx="50" cy="30" r="22" fill="{accent}"/>'
        f'<path d="M34 46 C44 36 58 36 66 44" fill="none" stroke="{ink}" stroke-width="2"/>{waves}'
        f'<circle cx="61" cy="53" r="5" fill="{ink}"/>'
        f'<path d="M54 60 C46 48 38 48 32 57" fill="none" stroke="{ink}" stroke-width="3.4" stroke-linecap="round"/>'
    )


def pear(ink: str, accent: str) -> str:
    outline = "M52 20 C62 26 60 40 66 50 C76 66 70 90 48 91 C26 92 20 70 31 54 C38 43 36 24 52 20 Z"
    return (
        f'<path d="{outline}" fill="{accent}" transform="translate(4 3)"/>'
        f'<path d="{outline}" fill="none" stroke="{ink}" stroke-width="2.6" stroke-linejoin="round"/>'
        f'<path d="M52 20 C50 14 51 9 55 5" fill="none" stroke="{ink}" stroke-width="3" stroke-linecap="round"/>'
        f'<path d="M54 13 C64 4 76 6 80 14 C70 20 60 20 54 13 Z" fill="{ink}"/>'
        f'<path d="M40 80 q-7 -6 -6 -15 M58 84 l.1 0 M62 76 l.1 0 M54 76 l.1 0" fill="none" stroke="{ink}" '
        'stroke-width="2.4" stroke-linecap="round"/>'
    )


def crane(ink: str, accent: str) -> str:
    return (
        f'<g stroke="{ink}" stroke-width="2.2" stroke-linejoin="round">'
        f'<path d="M50 62 L96 22 L66 74 Z" fill="{accent}"/><path d="M50 62 L20 8 L62 48 Z" fill="none"/>'
        f'<path d="M50 62 L66 74 L46 92 L34 72 Z" fill="none"/>'
        f'<path d="M34 72 L6 48 L14 46 L42 64 Z" fill="{accent}"/><path d="M6 48 L2 56 L14 46" fill="none"/></g>'
    )


def fern(ink: str, accent: str) -> str:
    leaves = []
    for step in range(8):
        y, reach = 84 - step * 9, 30 - step * 3.2
        for side in (-1, 1):
            x = 50 + side * reach
            leaves.append(
                f'<path d="M50 {y} Q{50 + side * reach * 0.5:.1f} {y - 14} {x:.1f} {y - 12} '
                f'Q{50 + side * reach * 0.6:.1f} {y - 3} 50 {y} Z" fill="{accent if step % 3 == 1 else ink}"/>'
            )
    stem = f'<path d="M50 96 C49 70 51 40 50 8" fill="none" stroke="{ink}" stroke-width="2.2" stroke-linecap="round"/>'
    return stem + "".join(leaves)


def rider(ink: str, accent: str) -> str:
    wheel = '<circle cx="{x}" cy="70" r="19" fill="none" stroke="{ink}" stroke-width="2.8"/>'
    return (
        f'<circle cx="70" cy="26" r="20" fill="{accent}"/>'
        + wheel.format(x=24, ink=ink)
        + wheel.format(x=78, ink=ink)
        + f'<path d="M24 70 L40 44 L66 44 L52 70 L24 70 M52 70 L36 38 M78 70 L63 34 L72 31 M30 38 L42 38" '
        f'fill="none" stroke="{ink}" stroke-width="2.8" stroke-linecap="round" stroke-linejoin="round"/>'
    )


def lantern(ink: str, accent: str) -> str:
    rays = "".join(
        f'<path d="M50 8 L50 0" transform="rotate({turn} 50 52)" stroke="{accent}" stroke-width="2.6" '
        'stroke-linecap="round"/>'
        for turn in range(-100, 101, 40)
    )
    return (
        f'{rays}<path d="M36 38 L64 38 L68 80 L32 80 Z" fill="{accent}" stroke="{ink}" stroke-width="2.6" '
        f'stroke-linejoin="round"/><path d="M40 30 L60 30 L64 38 L36 38 Z M30 80 L70 80 L70 88 L30 88 Z" fill="{ink}"/>'
        f'<path d="M42 30 C40 14 60 14 58 30 M50 74 C42 66 47 58 51 50 C58 60 58 68 50 74 Z" fill="none" '
        f'stroke="{ink}" stroke-width="2.4"/>'
    )


def comet(ink: str, accent: str) -> str:
    star = "M70 14 L75 28 L90 29 L78 38 L82 53 L70 44 L57 53 L62 38 L50 29 L65 28 Z"
    return (
        f'<path d="{star}" fill="{accent}" stroke="{ink}" stroke-width="2.2" stroke-linejoin="round"/>'
        f'<path d="M52 46 C38 56 24 70 12 90 M58 58 C48 66 38 78 32 92 M46 36 C32 42 16 54 6 70" fill="none" '
        f'stroke="{ink}" stroke-width="2.8" stroke-linecap="round"/>'
        f'<circle cx="66" cy="34" r="1.8" fill="{ink}"/><circle cx="74" cy="34" r="1.8" fill="{ink}"/>'
        f'<path d="M66 39 q4 4 8 0" fill="none" stroke="{ink}" stroke-width="1.8" stroke-linecap="round"/>'
    )


def lighthouse(ink: str, accent: str) -> str:
    return (
        f'<path d="M58 24 L98 10 L98 38 Z M42 24 L2 10 L2 38 Z" fill="{accent}" opacity=".85"/>'
        f'<path d="M42 34 L58 34 L64 92 L36 92 Z" fill="none" stroke="{ink}" stroke-width="2.6" '
        f'stroke-linejoin="round"/><path d="M41 48 L59 48 L61 62 L39 62 Z M38 76 L62 76 L64 92 L36 92 Z M42 16 L58 16 '
        f'L58 32 L42 32 Z M40 14 L50 4 L60 14 Z" fill="{ink}"/><circle cx="50" cy="24" r="4.5" fill="{accent}"/>'
    )


def misprint(ink: str, accent: str) -> str:
    """A flower whose two colors are out of register."""
    flower = "".join(
        f'<ellipse cx="50" cy="28" rx="11" ry="19" transform="rotate({turn} 50 50)"/>'
        for turn in range(0, 360, 60)
    )
    return (
        f'<g fill="{accent}" transform="translate(13 9) rotate(8 50 50)">{flower}</g>'
        f'<g fill="none" stroke="{ink}" stroke-width="2.4">{flower}<circle cx="50" cy="50" r="8"/></g>'
        f'<path d="M2 8 h12 M8 2 v12 M92 96 h12 M98 90 v12" stroke="{ink}" stroke-width="1.6"/>'
    )


def weather(ink: str, accent: str) -> str:
    """A cloud and slow rain."""
    rain = "".join(
        f'<path d="M{x} {y} l-5 13" stroke="{accent}" stroke-width="3.4" stroke-linecap="round"/>'
        for x, y in [(28, 66), (44, 74), (60, 66), (76, 74), (36, 90), (68, 90)]
    )
    return (
        f'<path d="M20 56 C4 56 4 34 22 34 C24 14 52 10 58 26 C74 18 92 30 84 46 C84 54 78 56 70 56 Z" fill="{ink}"/>'
        + rain
    )


def anchor(ink: str, accent: str) -> str:
    return (
        f'<circle cx="50" cy="16" r="9" fill="none" stroke="{ink}" stroke-width="4"/>'
        f'<path d="M50 25 L50 90 M30 38 L70 38 M14 62 C16 84 34 92 50 92 C66 92 84 84 86 62 M14 62 L6 72 M14 62 L24 70 '
        f'M86 62 L94 72 M86 62 L76 70" fill="none" stroke="{ink}" stroke-width="4" stroke-linecap="round" '
        f'stroke-linejoin="round"/><path d="M24 98 q13 -7 26 0 t26 0" fill="none" stroke="{accent}" stroke-width="3" '
        'stroke-linecap="round"/>'
    )


def stickers(ink: str, accent: str) -> str:
    """Five of the other prints in miniature."""
    places = [(pear, 4, 2), (comet, 54, 2), (crane, 4, 52), (lighthouse, 54, 52), (night_swim, 29, 104)]
    return "".join(
        f'<g transform="translate({x} {y}) scale(.42)">{draw(ink, accent)}</g>' for draw, x, y in places
    )


PRINTS: dict[str, Callable[[str, str], str]] = {
    "balm": balm,
    "cursive": cursive,
    "night-swim": night_swim,
    "pear": pear,
    "crane": crane,
    "fern": fern,
    "rider": rider,
    "lantern": lantern,
    "comet": comet,
    "lighthouse": lighthouse,
    "misprint": misprint,
    "weather": weather,
    "anchor": anchor,
    "stickers": stickers,
}
