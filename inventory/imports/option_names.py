"""Recognize the options “size” and “color” by their names, in the languages that shops are kept in."""

from __future__ import annotations

import re

_SIZE = """
size sizes größe größen groesse talla tallas talle tamanho tamanhos taille tailles pointure taglia taglie maat maten
storlek størrelse koko rozmiar velikost veľkosť méret mărime beden размер サイズ 尺码 尺寸
"""
_COLOR = """
color colors farbe farben cor cores couleur couleurs colore colori kleur kleuren färg farve farge väri kolor barva farba
szín culoare renk цвет カラー 颜色 顏色
"""
SIZE_WORDS = frozenset(word.casefold() for word in _SIZE.split())
COLOR_WORDS = frozenset(word.casefold() for word in _COLOR.split()) | {"colour", "colours"}


def is_size(name: str) -> bool:
    return _has(SIZE_WORDS, name)


def is_color(name: str) -> bool:
    return _has(COLOR_WORDS, name)


def _has(words: frozenset[str], name: str) -> bool:
    # “Shoe size” and “pa_size” name a size, too.
    return any(part in words for part in re.split(r"[\s/_-]+", name.casefold().strip()))
