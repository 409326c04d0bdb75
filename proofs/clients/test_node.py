"""stripe-node against the fake, and both libraries on the same signatures."""

import hashlib
import hmac
import json
import subprocess
import time
from pathlib import Path

import stripe

from fake_stripe import FakeStripe
from inventory import gateway

HERE = Path(__file__).parent
BODY = json.dumps({"id": "evt_1", "object": "event", "type": "product.created", "data": {"object": {}}})
SECRET = "whsec_test"
# What the shop refuses and stripe-python accepts.
STRICTER = {"an hour in the future"}
# Where the libraries disagree, and which of them accepts the header. Stripe sends one time only.
DISAGREEMENTS = {"two times, the first fits": "python", "two times, the last fits": "node"}


def node(script: str, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        ["node", str(HERE / script), *arguments], input=given, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_check_of_stripe_node_passes(served: FakeStripe, clients: Path) -> None:
    done = [json.loads(line) for line in node("node_checks.mjs", str(clients), served.base_url).splitlines()]

    assert len(done) >= 80
    assert [one for one in done if one["problem"]] == []
    assert len({one["name"] for one in done}) == len(done)


def signature(at: int, body: str = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()


def headers() -> dict[str, str]:
    """Signature headers by name; most of them are unusual."""
    now = int(time.time())
    good, wrong = signature(now), signature(now, secret="whsec_other")
    return {
        "plain": f"t={now},v1={good}",
        "the order does not matter": f"v1={good},t={now}",
        "the second v1 fits": f"t={now},v1={wrong},v1={good}",
        "the first v1 fits": f"t={now},v1={good},v1={wrong}",
        "no v1 fits": f"t={now},v1={wrong}",
        "an unknown scheme beside it": f"t={now},v0={wrong},v1={good},v2=a",
        "only an unknown scheme": f"t={now},v0={good}",
        "a space after the comma": f"t={now}, v1={good}",
        "a space around the signature": f"t={now},v1= {good}",
        "upper case": f"t={now},v1={good.upper()}",
        "an upper-case scheme": f"t={now},V1={good}",
        "two times, the last fits": f"t={now - 10},t={now},v1={good}",
        "two times, the first fits": f"t={now},t={now - 10},v1={good}",
        "299 seconds old": f"t={now - 290},v1={signature(now - 290)}",
        "310 seconds old": f"t={now - 310},v1={signature(now - 310)}",
        "an hour in the future": f"t={now + 3600},v1={signature(now + 3600)}",
        "no time": f"v1={good}",
        "a time in words": f"t=now,v1={good}",
        "a negative time": f"t=-1,v1={signature(-1)}",
        "empty": "",
        "nonsense": "nonsense",
        "no signature": f"t={now},v1=",
    }


def by_python(header: str) -> bool:
    try:
        return bool(stripe.Webhook.construct_event(BODY, header, SECRET))
    except stripe.SignatureVerificationError:
        return False


def by_the_shop(header: str) -> bool:
    try:
        gateway.verify(BODY.encode(), header, secrets=[SECRET], tolerance=300, now=time.time())
    except gateway.BadSignature:
        return False
    return True


def test_both_libraries_judge_signatures_alike_but_for_known_cases(clients: Path) -> None:
    table = headers()
    given = json.dumps({"body": BODY, "secret": SECRET, "headers": table})
    nodes = json.loads(node("node_signatures.mjs", str(clients), given=given))
    pythons = {name: by_python(header) for name, header in table.items()}

    ours = {name for name, header in table.items() if by_the_shop(header)}
    assert {name for name, accepted in pythons.items() if accepted} - ours == STRICTER
    assert ours <= {name for name, accepted in pythons.items() if accepted}
    different = {name: "node" if nodes[name] else "python" for name in nodes if nodes[name] != pythons[name]}
    assert different == DISAGREEMENTS
    assert nodes["plain"] and nodes["the second v1 fits"]
    assert not nodes["310 seconds old"]
