"""The files in deploy/, the Procfile and the Dockerfile start what script/server starts."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.tests.settings_run import ROOT, settings_with
from script.serve import GUNICORN

HADOLINT = Path(sys.executable).parent / "hadolint"


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_unit_starts_a_program_that_exists_and_gives_it_time_to_stop() -> None:
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(text_of("deploy/shop.service"))
    service = unit["Service"]

    program = service["ExecStart"].split()[0].removeprefix("/srv/shop/")
    assert (ROOT / program).stat().st_mode & 0o100
    assert int(service["TimeoutStopSec"]) > 40
    assert service["UMask"] == "0077" and service["Restart"] == "always"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "shop.service"
    unit.write_text(text_of("deploy/shop.service").replace("/srv/shop", str(ROOT)).replace("User=shop\n", ""))

    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)

    complaints = [line for line in checked.stderr.splitlines() if "shop.service" in line]
    assert (checked.returncode, complaints) == (0, [])


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is not installed")
def test_hadolint_accepts_the_dockerfile() -> None:
    checked = subprocess.run([HADOLINT, str(ROOT / "Dockerfile")], capture_output=True, text=True)

    assert (checked.returncode, checked.stdout) == (0, "")


def test_the_procfile_starts_gunicorn_with_the_same_options() -> None:
    commands = dict(line.split(": ", 1) for line in text_of("Procfile").splitlines())

    assert " ".join(GUNICORN[:-1]) in commands["web"]
    assert commands["web"].endswith(GUNICORN[-1])
    assert commands["worker"] == "python manage.py run_worker"


def test_the_image_installs_the_lock_with_its_hashes() -> None:
    assert "pip install --require-hashes -r requirements.txt" in text_of("Dockerfile")
    assert ".env" in text_of(".dockerignore").splitlines()


def test_the_proxy_buffers_requests_and_overwrites_the_clients_address() -> None:
    nginx = text_of("deploy/nginx.conf")

    assert "proxy_request_buffering on;" in nginx
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in nginx


def test_requests_are_never_atomic_whatever_the_url_says() -> None:
    for value in ("true", "false"):
        shown = settings_with("DATABASES", DATABASE_URL=f"postgres://u:p@h/name?atomic_requests={value}")
        assert shown["DATABASES"]["default"]["ATOMIC_REQUESTS"] is False


def test_several_hosts_are_read() -> None:
    url = "postgres://u:p@h1:5432,h2:5432/shop?target_session_attrs=read-write&connect_timeout=3"
    database = settings_with("DATABASES", DATABASE_URL=url)["DATABASES"]["default"]

    assert database["HOST"] == "h1,h2" and str(database["PORT"]) == "5432,5432"
    assert database["OPTIONS"]["target_session_attrs"] == "read-write"
