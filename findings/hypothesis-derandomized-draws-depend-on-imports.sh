#!/usr/bin/env bash
# Hypothesis 6.170.15: with derandomize=True, what is drawn depends on which other modules were imported before.
#
# Guess: derandomize=True draws the same examples in every run, as long as the test, Hypothesis and Python stay the same.
# Seen: one draw of a number in twenty comes from a pool of constants, which Hypothesis collects from the source of all
# imported modules outside of the library folders. Importing one more module with numbers in it changes that pool, so the same
# test draws other examples. Under pytest-xdist, which tests ran before on a worker then decides what is drawn. Booleans have
# no such pool: drawn from them, the examples are the same in both runs.
#
# The shop's proofs/state_machine/test_schedules.py draws booleans only; as integers, its search met other faults in each run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check 'hypothesis==6.170.15'
cat > unrelated.py <<'PY'
LIMITS = [112233, 445566, 778899, 1357913, 2468024, 9080706]
PY
cat > run.py <<'PY'
import hashlib
import sys

from hypothesis import __version__, given, settings
from hypothesis import strategies as st

if "import" in sys.argv:
    import unrelated  # noqa: F401

BITS = st.tuples(*[st.booleans()] * 32).map(lambda bits: sum(2**n for n, bit in enumerate(bits) if bit))


def drawn(numbers):
    seen = []

    @settings(derandomize=True, database=None, max_examples=200)
    @given(st.lists(numbers, max_size=8))
    def examples(found):
        seen.append(found)

    examples()
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:12]


print("Hypothesis", __version__)
print("integers", drawn(st.integers(0, 2**32 - 1)))
print("booleans", drawn(BITS))
PY
for way in alone again import; do
    venv/bin/python run.py "$way" > "$way.txt"
    echo "$way:" $(cat "$way.txt")
done
cmp -s alone.txt again.txt
! cmp -s <(grep integers alone.txt) <(grep integers import.txt)
cmp -s <(grep booleans alone.txt) <(grep booleans import.txt)
echo "as described"
