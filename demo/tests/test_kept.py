"""The demo keeps ports and secrets between runs, and handles ports and folders in use."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from demo.kept import ANY_PORTS, USUAL_PORTS, AlreadyRunning, Unreadable, keep, lock, open_folder, read


def test_ports_and_secrets_are_the_same_at_the_next_start(folder: Path) -> None:
    first = open_folder(folder, ports=ANY_PORTS)
    keep(folder, first)

    assert open_folder(folder) == first


def test_a_fresh_start_deletes_everything(folder: Path) -> None:
    first = open_folder(folder, ports=ANY_PORTS)
    (folder / "shop.sqlite3").touch()

    second = open_folder(folder, fresh=True, ports=ANY_PORTS)

    assert second.owner_password != first.owner_password
    assert not (folder / "shop.sqlite3").exists()


def test_two_folders_share_no_secret(tmp_path: Path) -> None:
    one, other = (open_folder(tmp_path / name, ports=ANY_PORTS) for name in ("one", "other"))

    assert one.stripe_key != other.stripe_key
    assert one.webhook_secret != other.webhook_secret
    assert one.django_secret != other.django_secret


def test_a_port_in_use_is_replaced_and_the_others_stay(folder: Path) -> None:
    first = open_folder(folder, ports=ANY_PORTS)
    keep(folder, first)

    with socket.socket() as other:
        other.bind(("127.0.0.1", first.ports["shop"]))
        other.listen()
        second = open_folder(folder)

    assert second.ports["shop"] != first.ports["shop"]
    assert second.ports["stripe"] == first.ports["stripe"]
    assert second.owner_password == first.owner_password
    assert open_folder(folder) == first  # The replacement is not saved yet.


def test_all_ports_differ(folder: Path) -> None:
    assert len(set(open_folder(folder, ports=ANY_PORTS).ports.values())) == len(ANY_PORTS)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no POSIX permissions")
def test_only_the_owner_may_read_the_secrets(folder: Path) -> None:
    open_folder(folder, ports=ANY_PORTS)

    assert (folder / "demo.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "{}", "[]"])
def test_a_damaged_file_raises_with_advice(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "demo.json").write_text(text)

    with pytest.raises(Unreadable, match="is damaged"):
        open_folder(folder)


def test_two_demos_do_not_share_a_folder(folder: Path) -> None:
    with lock(folder), pytest.raises(AlreadyRunning), lock(folder):
        pass

    with lock(folder):
        pass


def test_a_demo_of_an_older_version_gets_the_ports_that_it_did_not_have(folder: Path) -> None:
    older = {name: port for name, port in ANY_PORTS.items() if name not in ("mailbox", "smtp")}
    first = open_folder(folder, ports=older)
    assert read(folder / "demo.json").ports == {**USUAL_PORTS, **older}

    assert first.ports.keys() == USUAL_PORTS.keys()
    assert len(set(first.ports.values())) == len(USUAL_PORTS)
