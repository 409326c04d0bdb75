"""Bodies end at MAX_BODY_BYTES before they are read, files included."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings


@pytest.mark.parametrize("path", ["/cart/add/", "/admin/login/", "/stripe/webhook/", "/no/such/page/"])
def test_a_file_that_is_too_large_is_refused_unread(path: str, client: Client, settings: Settings) -> None:
    settings.MAX_BODY_BYTES = 1000
    file = SimpleUploadedFile("x.bin", b"x" * 2000)

    answer = client.post(path, {"file": file})

    assert answer.status_code == 413
    assert answer.content == b"The body is larger than 1000 bytes.\n"


def test_a_body_without_a_length_is_told_why(client: Client) -> None:
    answer = client.post(
        "/stripe/webhook/",
        CONTENT_LENGTH="",
        HTTP_TRANSFER_ENCODING="chunked",
        content_type="application/json",
    )

    assert answer.status_code == 411
    assert b"proxy_request_buffering" in answer.content
