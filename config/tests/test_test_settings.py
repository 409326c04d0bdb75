"""The developer's environment does not reach the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from config.tests.settings_run import KEPT, ROOT

SHOW = "from config import test_settings as t; print(t.LOW_STOCK_THRESHOLD, t.SHOP_NAME, t.STRIPE_SECRET_KEY)"


def test_variables_and_secret_files_of_the_shop_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk_live_real")
    developers = {
        "LOW_STOCK_THRESHOLD": "1",
        "SHOP_NAME": "Mine",
        "STRIPE_SECRET_KEY_FILE": str(tmp_path / "key"),
    }

    ran = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=ROOT, env={**KEPT, **developers}, capture_output=True, text=True
    )

    assert ran.stdout.strip() == "5 Our Shop sk_test_fake", ran.stderr
    assert os.environ["ENV_FILE"] == ""
