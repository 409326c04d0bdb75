"""The examples and tables of README.md."""

import re
from pathlib import Path

from fake_stripe.faults import CALL_KINDS, DELIVERY_KINDS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    examples = re.findall(r"```python\n(.*?)```", README, re.S)

    assert len(examples) == 2
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})


def test_every_kind_of_fault_is_documented() -> None:
    assert set(re.findall(r"^\| `([a-z_0-9]+)` \|", README, re.M)) == {*CALL_KINDS, *DELIVERY_KINDS}
