"""Settings of the bare view: the shop's middleware in front of a view that returns bytes from a file."""

import os
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.urls import path

from config.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.bare"
PAGES = {page.stem: page.read_bytes() for page in Path(os.environ["BARE_PAGES"]).glob("*.html")}


def answer(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(PAGES[name])


urlpatterns = [path("<str:name>", answer)]
