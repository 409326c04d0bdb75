"""What does the owner have to know first? Panels for the admin's first page."""

from django.http import HttpRequest


def worker_panel(request: HttpRequest) -> dict[str, str] | None:
    return None


def cases_panel(request: HttpRequest) -> dict[str, str] | None:
    return None


def problems_panel(request: HttpRequest) -> dict[str, str] | None:
    return None
