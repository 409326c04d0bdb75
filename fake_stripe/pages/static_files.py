"""Serve the stylesheet and the icon of the pages."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from fake_stripe.backend import Backend
from fake_stripe.pages.web import Answer, Refused, Request

STATIC = Path(__file__).parent / "static"
TYPES = {"pages.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
MAX_AGE = 60


def answer(backend: Backend, request: Request) -> Answer:
    """`/-/<file>`"""
    name = request.args["file"]
    if name not in TYPES:
        raise Refused(HTTPStatus.NOT_FOUND, "File not found.")
    return Answer((STATIC / name).read_bytes(), type=TYPES[name], max_age=MAX_AGE)
