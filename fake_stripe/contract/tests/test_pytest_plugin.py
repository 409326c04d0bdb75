"""The pytest plugin, run on small test suites."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[3]
SOUND = """
from fake_stripe import FakeStripe

def test_the_shop_reads_its_products():
    fake = FakeStripe()
    fake.add_product(name="Shirt")
    assert fake.call("GET", "/v1/products", "limit=3")[0] == 200
"""
PLANTED = """
from fake_stripe import FakeStripe

def test_that_does_not_notice_an_invalid_answer():
    fake = FakeStripe()
    product = fake.add_product(name="Shirt")
    with fake.account.store.transaction():
        fake.account.change(product, active="perhaps")
    assert fake.call("GET", "/v1/products/" + product["id"])[0] == 200
"""

# The child is killed halfway, like those of proofs/kills.
IN_A_CHILD = """
import os
from fake_stripe import FakeStripe

def test_that_does_not_notice_an_invalid_answer_in_a_child():
    child = os.fork()
    if not child:
        fake = FakeStripe()
        product = fake.add_product(name="Shirt")
        with fake.account.store.transaction():
            fake.account.change(product, active="perhaps")
        fake.call("GET", "/v1/products/" + product["id"])
        os._exit(77)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 77
"""
ON_A_PORT = """
import subprocess
import sys
from urllib.request import Request, urlopen
from fake_stripe import FakeStripe

def test_that_does_not_notice_an_invalid_answer_on_a_port(contract_folder, tmp_path):
    state = str(tmp_path / "state")
    fake = FakeStripe(state_path=state)
    product = fake.add_product(id="prod_a", name="Shirt")
    with fake.account.store.transaction():
        fake.account.change(product, active="perhaps")
    fake.close()
    options = ["--port", "0", "--state", state, "--record", str(contract_folder / "port")]
    command = [sys.executable, "-m", "fake_stripe", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().split()[4]
        asked = Request(address + "/v1/products/prod_a", headers={"Authorization": "Bearer sk_test_fake"})
        assert urlopen(asked).status == 200
        server.terminate()
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A small project that uses the plugin."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\naddopts = -p fake_stripe.contract.pytest_plugin\ntestpaths = .")
    return pytester


def test_an_invalid_answer_fails_its_test(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_shop=PLANTED)

    result = suite.runpytest_subprocess("test_shop.py")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "the answer 200 to GET /v1/products/{id} violates Stripe's document:*",
            "  active: true or false was expected, not 'perhaps'*",
        ]
    )


@pytest.mark.parametrize("planted", [IN_A_CHILD, ON_A_PORT])
def test_an_invalid_answer_in_another_process_fails_the_test_that_started_it(
    suite: pytest.Pytester, planted: str
) -> None:
    suite.makepyfile(test_shop=planted)

    result = suite.runpytest_subprocess("test_shop.py")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["  active: true or false was expected, not 'perhaps'*", "GET /v1/products/{id} * 1 * 1"]
    )


def test_the_table_of_validated_calls_is_printed(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_shop=SOUND)

    result = suite.runpytest_subprocess("test_shop.py")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["*validated against Stripe's document*", "GET /v1/products * 1 * 1", "Total*"]
    )


def test_a_whole_run_without_a_single_call_fails(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_shop="def test_nothing(): pass")

    result = suite.runpytest_subprocess()

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["No call to the fake was validated."])


def test_an_unused_known_difference_fails_a_whole_run_but_not_a_part(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(test_shop=SOUND)

    whole = suite.runpytest_subprocess()
    part = suite.runpytest_subprocess("-k", "products")

    assert (whole.ret, part.ret) == (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.OK)
    whole.stdout.fnmatch_lines(["The known difference * did not occur: *"])
    part.stdout.no_fnmatch_line("*never needed*")


def test_workers_report_what_they_validated(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_shop=SOUND, test_other=SOUND, test_broken=PLANTED)

    result = suite.runpytest_subprocess("-p", "xdist", "-n", "2", ".")

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["GET /v1/products * 2 * 2", "GET /v1/products/{id} * 1 * 1"])
