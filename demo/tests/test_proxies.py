"""The files for nginx and Caddy, run as real proxies in front of the shop: addresses, limits, slow bodies, signatures.

Skipped where the programs are not installed. NGINX and CADDY may name them.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from config.tests.settings_run import COMPLETE, KEPT, ROOT
from inventory import gateway
from script.processes import Programs, python
from script.serve import GUNICORN

SECRET = "whsec_of_this_test"
CLIENT = "127.0.0.9"  # A loopback address that is no trusted proxy.
PROGRAMS = {name: os.environ.get(name.upper()) or shutil.which(name) for name in ("nginx", "caddy")}


@dataclass(frozen=True)
class Proxy:
    name: str
    port: int
    plain_port: int
    database: Path

    def connect(self, *, port: int = 0) -> http.client.HTTPConnection:
        """A connection from CLIENT. The certificate is one of the test's own."""
        if port:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(CLIENT, 0))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=30, source_address=(CLIENT, 0), context=context
        )
        # The name for which Caddy has a certificate.
        connection._create_connection = _connect_to_this_machine  # type: ignore[attr-defined]
        connection.host = "your.shop"
        return connection

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        with closing(self.connect()) as connection:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Host": "your.shop", **names})
            answer = connection.getresponse()
            return answer, answer.read()


def _connect_to_this_machine(address: tuple[str, int], *rest: object, **options: object) -> socket.socket:
    return socket.create_connection(("127.0.0.1", address[1]), 30, (CLIENT, 0))


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _each in range(number)]
        return [int(each.getsockname()[1]) for each in sockets]


def nginx_config(folder: Path, shop: int, port: int, plain: int) -> list[str]:
    """deploy/nginx.conf with other ports and a certificate of its own; returns the command."""
    text = (ROOT / "deploy/nginx.conf").read_text()
    changes = {
        "listen 443": f"listen 127.0.0.1:{port}",
        "    listen [::]:443 ssl;\n": "",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "    listen [::]:80;\n": "",
        "/etc/letsencrypt/live/your.shop/fullchain.pem": str(folder / "cert.pem"),
        "/etc/letsencrypt/live/your.shop/privkey.pem": str(folder / "key.pem"),
        "127.0.0.1:8000": f"127.0.0.1:{shop}",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    subprocess.run(
        [*["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=your.shop", "-keyout"],
         str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{text}}}\n"
    )
    command = [str(PROGRAMS["nginx"]), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    return command


def caddy_config(folder: Path, shop: int, port: int, plain: int) -> list[str]:
    text = (ROOT / "deploy/Caddyfile").read_text()
    for old, new in {
        "your.shop {": f"your.shop:{port} {{\n\tbind 127.0.0.1\n\ttls internal",
        "127.0.0.1:8000": f"127.0.0.1:{shop}",
    }.items():
        assert old in text
        text = text.replace(old, new)
    ports = f"http_port {plain}\n\thttps_port {port}\n\tdefault_bind 127.0.0.1"
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tskip_install_trust\n\t{ports}\n}}\n{text}")
    return [str(PROGRAMS["caddy"]), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The shop as script/server starts it, behind the proxy."""
    name = request.param
    if not PROGRAMS[name]:
        pytest.skip(f"{name} is not installed")
    folder = tmp_path_factory.mktemp(name)
    shop, port, plain = free_ports(3)
    environment = {
        **KEPT,
        **COMPLETE,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "SITE_URL": "https://your.shop",
        "DATABASE_URL": f"sqlite:///{folder / 'shop.sqlite3'}",
        "STATIC_ROOT": str(folder / "static"),
        "STRIPE_SECRET_KEY": "sk_test_x",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "TRUST_X_FORWARDED_PROTO": "True",
        "TRUSTED_PROXIES": "127.0.0.1",
        "MONITORING_TOKEN": "token",
    }
    for step in ("migrate", "collectstatic"):
        subprocess.run(
            python("manage.py", step, "--no-input", "-v", "0"), cwd=ROOT, env=environment, check=True
        )
    command = {"nginx": nginx_config, "caddy": caddy_config}[name](folder, shop, port, plain)
    with Programs() as programs:
        web = python(*GUNICORN[:-1], "--bind", f"127.0.0.1:{shop}", GUNICORN[-1])
        programs.start("shop", web, folder=ROOT, environment=environment, log=folder / "shop.log")
        programs.start(name, command, folder=folder, environment=environment, log=folder / "proxy.log")
        running = Proxy(name, port, plain, folder / "shop.sqlite3")
        wait_until_it_answers(running, programs, folder)
        yield running


def wait_until_it_answers(proxy: Proxy, programs: Programs, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not programs.ended():
        try:
            if proxy.ask("GET", "/healthz")[0].status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.2)
    raise AssertionError("\n".join(log.read_text()[-2000:] for log in folder.glob("*.log")))


def test_a_page_comes_over_https_without_a_redirect(proxy: Proxy) -> None:
    answer, body = proxy.ask("GET", "/")

    assert answer.status == 200 and b"Our Shop" in body
    assert "max-age=" in (answer.getheader("Strict-Transport-Security") or "")
    assert "default-src 'none'" in (answer.getheader("Content-Security-Policy") or "")


def test_http_leads_to_https(proxy: Proxy) -> None:
    with closing(proxy.connect(port=proxy.plain_port)) as connection:
        connection.request("GET", "/products/?size=M", headers={"Host": "your.shop"})
        answer = connection.getresponse()

    assert answer.status in {301, 308}
    assert (answer.getheader("Location") or "").startswith("https://your.shop")
    assert (answer.getheader("Location") or "").endswith("/products/?size=M")


def test_the_client_is_known_and_cannot_choose_an_address(proxy: Proxy) -> None:
    page, body = proxy.ask("GET", "/admin/login/")
    token = body.decode().partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    cookie = (page.getheader("Set-Cookie") or "").partition(";")[0]
    form = urlencode({"csrfmiddlewaretoken": token, "username": "owner", "password": "x"}).encode()

    answer, _body = proxy.ask(
        "POST", "/admin/login/", form, Cookie=cookie, Referer="https://your.shop/admin/login/",
        Content_Type="application/x-www-form-urlencoded", X_Forwarded_For="203.0.113.66",
        Script_Name="/evil",
    )  # fmt: skip

    assert answer.status == 200
    with closing(sqlite3.connect(proxy.database)) as database:
        rows = database.execute("SELECT DISTINCT ip_address FROM axes_accessattempt").fetchall()
    assert rows == [(CLIENT,)]


def test_a_signed_webhook_arrives_byte_by_byte(proxy: Proxy) -> None:
    event = {"id": "evt_proxy", "type": "x", "created": 1, "livemode": False, "text": "ä  €\t " * 1000}
    body = json.dumps({**event, "data": {"object": {}}}, ensure_ascii=False).encode()

    answer, _body = proxy.ask(
        "POST", "/stripe/webhook/", body, Stripe_Signature=gateway.signature_header(body, SECRET)
    )

    assert answer.status == 200


def test_a_large_body_is_refused(proxy: Proxy) -> None:
    # The connection may be closed before the whole body was sent, which is a refusal as well.
    with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        status = proxy.ask("POST", "/cart/add/", b"x" * 3_000_000)[0].status
        # Caddy 2.6 has begun to pass it on when it finds it too large.
        assert status == 413 or (status, proxy.name) == (502, "caddy")


def test_metrics_are_not_for_everybody(proxy: Proxy) -> None:
    assert proxy.ask("GET", "/metrics", Authorization="Bearer token")[0].status == 403


def test_files_are_served_with_their_lasting_addresses(proxy: Proxy) -> None:
    _answer, body = proxy.ask("GET", "/")
    address = body.decode().partition('rel="stylesheet" href="')[2].partition('"')[0]

    answer, _body = proxy.ask("GET", address, Accept_Encoding="gzip")

    assert answer.status == 200 and answer.getheader("Content-Encoding") == "gzip"
    assert "immutable" in (answer.getheader("Cache-Control") or "")


def test_slow_bodies_keep_no_thread_from_others(proxy: Proxy) -> None:
    # More than the 16 threads of the shop.
    slow = [proxy.connect() for _each in range(24)]
    for connection in slow:
        connection.putrequest("POST", "/cart/add/", skip_host=True)
        connection.putheader("Host", "your.shop")
        connection.putheader("Content-Length", "100000")
        connection.endheaders(b"x")

    began = time.monotonic()
    answer, _body = proxy.ask("GET", "/healthz")

    assert answer.status == 200
    assert time.monotonic() - began < 5
    for connection in slow:
        connection.close()
