"""The demo's mailbox keeps what arrives by SMTP, and shows it without running or loading anything."""

from __future__ import annotations

import http.client
import smtplib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from config.tests.accessibility import each_scheme, violations
from demo.kept import free_ports
from demo.mailbox.pages import Links
from demo.mailbox.server import PageServer
from demo.mailbox.smtp import MAX_BYTES, SmtpServer
from demo.mailbox.store import MAX_MAILS, Mails

HTML = """<!doctype html><html><head><title>Hello</title></head><body>
<h1>Thank you, Müller</h1><p><a href="http://127.0.0.1:1/confirm">Confirm</a></p>
<img src="http://127.0.0.1:1/pixel.png" alt="logo"><script>document.title = "hacked"</script>
</body></html>"""


@dataclass(frozen=True)
class Mailbox:
    mails: Mails
    url: str
    smtp_port: int

    def send(self, message: EmailMessage | bytes, to: str = "ada@customer.example") -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as server:
            source = message if isinstance(message, bytes) else message.as_bytes()
            server.sendmail("hello@shop.example", [to], source)

    def get(self, path: str) -> str:
        with urlopen(self.url + path, timeout=10) as answer:
            return str(answer.read().decode())


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    ports = free_ports({"pages": 0, "smtp": 0})
    mails = Mails(tmp_path / "mails")
    with ExitStack() as running:
        links = Links("http://127.0.0.1:8000", "http://127.0.0.1:8001")
        running.enter_context(PageServer(mails, links, ports["pages"]))
        running.enter_context(SmtpServer(mails, ports["smtp"]))
        yield Mailbox(mails, f"http://127.0.0.1:{ports['pages']}", ports["smtp"])


def letter(subject: str = "Thank you", html: str = HTML) -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "hello@shop.example", "ada@customer.example"
    message["List-Unsubscribe"] = "<http://127.0.0.1:1/unsubscribe>"
    message.set_content("Thank you, Müller. See http://127.0.0.1:1/confirm?a=1&b=2.")
    if html:
        message.add_alternative(html, subtype="html")
    return message


def test_a_mail_sent_by_smtp_is_listed_and_shown_as_html_text_and_source(mailbox: Mailbox) -> None:
    mailbox.send(letter())

    assert '<a href="/mails/1"><strong>Thank you</strong><span>ada@customer.example</span>' in mailbox.get(
        "/"
    )
    page = mailbox.get("/mails/1")
    assert '<iframe src="/mails/1/html?images=off" sandbox="allow-popups' in page
    assert "<script" not in page
    text = mailbox.get("/mails/1?view=text")
    assert "Thank you, Müller." in text
    assert 'href="http://127.0.0.1:1/confirm?a=1&amp;b=2"' in text
    source = mailbox.get("/mails/1?view=source")
    assert "Return-Path: &lt;hello@shop.example&gt;" in source
    assert "Delivered-To: ada@customer.example" in source


def test_the_html_is_a_document_that_may_run_nothing_and_loads_images_only_when_asked(
    mailbox: Mailbox,
) -> None:
    mailbox.send(letter())

    with urlopen(f"{mailbox.url}/mails/1/html") as answer:
        policy, document = answer.headers["Content-Security-Policy"], answer.read().decode()
    with urlopen(f"{mailbox.url}/mails/1/html?images=on") as answer:
        with_images = answer.headers["Content-Security-Policy"]

    assert document.splitlines() == HTML.replace("<head>", '<head><base target="_blank">').splitlines()
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "img-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy
    assert "img-src http: https: data:" in with_images


@pytest.mark.parametrize("view", ["", "?view=text", "?view=source"])
def test_names_and_texts_of_a_mail_are_text_on_the_pages(mailbox: Mailbox, view: str) -> None:
    message = letter("<script>alert(1)</script>", html="")
    message.set_content("<script>alert(2)</script>")
    mailbox.send(message)

    assert "<script" not in mailbox.get(f"/mails/1{view}")
    assert "<script" not in mailbox.get("/")


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"no header at all",
        b"Subject: =?utf-8?b?////?=\r\nFrom: <<>>\r\nTo: a@\r\nDate: never\r\n\r\nbody",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: text/html; charset=nonsense\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Subject: " + b"x" * 900 + b"\r\n\r\n\xff\xfe\x00",
    ],
    ids=["empty", "no header", "bad headers", "no boundary", "bad charset", "not text"],
)
def test_a_malformed_mail_breaks_no_page(mailbox: Mailbox, source: bytes) -> None:
    mailbox.send(source)
    mailbox.send(letter("The next"))

    assert "The next" in mailbox.get("/")
    assert "<h1>" in mailbox.get("/mails/1")
    assert "Delivered-To" in mailbox.get("/mails/1?view=source")
    mailbox.get("/mails/1/html")


def test_the_newest_mails_are_kept_and_older_ones_deleted(tmp_path: Path) -> None:
    mails = Mails(tmp_path / "mails", most=3)
    for number in range(5):
        mails.add("a@shop.example", ["b@customer.example"], f"Subject: {number}\r\n\r\n".encode())

    assert [mail.header("Subject") for mail in mails.all()] == ["4", "3", "2"]
    assert len(list((tmp_path / "mails").iterdir())) == 3
    assert MAX_MAILS == 200


def test_mails_and_their_numbers_outlive_a_restart(tmp_path: Path) -> None:
    Mails(tmp_path / "mails").add("a@shop.example", ["b@customer.example"], b"Subject: first\r\n\r\n")
    again = Mails(tmp_path / "mails")
    again.add("a@shop.example", ["b@customer.example"], b"Subject: second\r\n\r\n")

    assert [(mail.number, mail.header("Subject")) for mail in again.all()] == [(2, "second"), (1, "first")]


def test_a_mail_that_is_too_large_is_refused(mailbox: Mailbox) -> None:
    with pytest.raises(smtplib.SMTPException):
        mailbox.send(b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * (MAX_BYTES // 70))

    assert mailbox.mails.all() == []


@pytest.mark.parametrize("path", ["/mails/7", "/mails/0/html", "/mails/999999999", "/mails/x", "/-/store.py"])
def test_what_is_not_there_answers_404(mailbox: Mailbox, path: str) -> None:
    with pytest.raises(HTTPError) as refused:
        mailbox.get(path)

    assert refused.value.code == 404


def test_a_name_that_was_made_to_point_here_may_not_read_the_mails(mailbox: Mailbox) -> None:
    mailbox.send(letter("Secret"))
    connection = http.client.HTTPConnection("127.0.0.1", int(mailbox.url.rpartition(":")[2]), timeout=10)
    connection.request("GET", "/", headers={"Host": "evil.example"})
    answer = connection.getresponse()

    assert answer.status == 421
    assert b"Secret" not in answer.read()
    connection.close()


# --- In a browser -----------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_the_mail_and_runs_none_of_its_scripts(
    mailbox: Mailbox, page: Page, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    mailbox.send(letter())
    page.goto(mailbox.url)
    page.get_by_role("link", name="Thank you").click()

    expect(page.frame_locator("iframe").get_by_role("heading", name="Thank you, Müller")).to_be_visible()
    expect(page).to_have_title("Thank you · Demo mailbox")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Show images").click()
    expect(page.get_by_role("link", name="Hide images")).to_be_visible()
    page.get_by_role("link", name="Text").click()
    expect(page.get_by_text("Thank you, Müller.")).to_be_visible()


@pytest.mark.browser
def test_a_link_of_the_mail_opens_in_a_tab_where_forms_work(mailbox: Mailbox, page: Page) -> None:
    mailbox.send(letter(html=f'<p><a href="{mailbox.url}/?opened">Open</a></p>'))
    page.goto(f"{mailbox.url}/mails/1")

    with page.expect_popup() as opened:
        page.frame_locator("iframe").get_by_role("link", name="Open").click()

    expect(opened.value).to_have_url(f"{mailbox.url}/?opened")
    # A sandboxed page would have the origin “null”.
    assert opened.value.evaluate("window.origin") == mailbox.url


@pytest.mark.browser
def test_axe_finds_no_accessibility_problems(mailbox: Mailbox, new_context) -> None:  # type: ignore[no-untyped-def]
    mailbox.send(letter())
    page = new_context(bypass_csp=True).new_page()
    found = []
    for path in ("/", "/mails/1", "/mails/1?view=text", "/mails/1?view=source"):
        page.goto(mailbox.url + path)
        for scheme in each_scheme(page):
            found += [(path, scheme, rule["id"], rule["nodes"][0]["html"]) for rule in violations(page)]

    assert found == []
