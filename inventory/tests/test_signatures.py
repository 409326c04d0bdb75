"""`gateway.verify` on unusual signature headers: the table of proofs/clients/test_node.py, with the shop's answers.

Of two `t=` stripe-python takes the first and stripe-node the last. The shop takes the first, for the signature and for
the age alike, so a second time can neither make an old delivery young nor a young one old. Both libraries accept any
time in the future; the shop allows the tolerance in either direction.
"""

from __future__ import annotations

import hashlib
import hmac

import pytest
import stripe

from inventory.gateway import BadSignature, verify

BODY = b'{"id": "evt_1", "object": "event", "type": "product.created"}'
SECRET = "whsec_test"
NOW = 1_800_000_000
TOLERANCE = 300


def signature(at: int, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), b"%d." % at + BODY, hashlib.sha256).hexdigest()


GOOD, WRONG = signature(NOW), signature(NOW, "whsec_other")
OLD, AHEAD = NOW - 310, NOW + 310

ACCEPTED = {
    "plain": f"t={NOW},v1={GOOD}",
    "the order does not matter": f"v1={GOOD},t={NOW}",
    "the second v1 fits": f"t={NOW},v1={WRONG},v1={GOOD}",
    "the first v1 fits": f"t={NOW},v1={GOOD},v1={WRONG}",
    "an unknown scheme beside it": f"t={NOW},v0={WRONG},v1={GOOD},v2=a",
    "two times, the first fits": f"t={NOW},t={NOW - 10},v1={GOOD}",
    "two times, the second is old": f"t={NOW},t={OLD},v1={GOOD}",
    "290 seconds old": f"t={NOW - 290},v1={signature(NOW - 290)}",
    "290 seconds in the future": f"t={NOW + 290},v1={signature(NOW + 290)}",
}

REFUSED = {
    "no v1 fits": (f"t={NOW},v1={WRONG}", "matches no secret"),
    "only an unknown scheme": (f"t={NOW},v0={GOOD}", "matches no secret"),
    "a space after the comma": (f"t={NOW}, v1={GOOD}", "matches no secret"),
    "a space around the signature": (f"t={NOW},v1= {GOOD}", "matches no secret"),
    "upper case": (f"t={NOW},v1={GOOD.upper()}", "matches no secret"),
    "an upper-case scheme": (f"t={NOW},V1={GOOD}", "matches no secret"),
    "two times, the last fits": (f"t={NOW - 10},t={NOW},v1={GOOD}", "matches no secret"),
    "two times, the first fits and is old": (f"t={OLD},t={NOW},v1={signature(OLD)}", "310 s old"),
    "310 seconds old": (f"t={OLD},v1={signature(OLD)}", "310 s old"),
    "310 seconds in the future": (f"t={AHEAD},v1={signature(AHEAD)}", "310 s in the future"),
    "an hour in the future": (f"t={NOW + 3600},v1={signature(NOW + 3600)}", "3600 s in the future"),
    "no time": (f"v1={GOOD}", "matches no secret"),
    "a time in words": (f"t=now,v1={GOOD}", "matches no secret"),
    "a negative time": (f"t=-1,v1={signature(-1)}", "s old"),
    "a letter that is not ASCII": (f"t={NOW},v1={GOOD[:-1]}é", "matches no secret"),
    "empty": ("", "header is missing"),
    "nonsense": ("nonsense", "matches no secret"),
    "no signature": (f"t={NOW},v1=", "matches no secret"),
}


def judge(header: str) -> None:
    verify(BODY, header, secrets=["whsec_rolled", SECRET], tolerance=TOLERANCE, now=NOW)


@pytest.mark.parametrize("header", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(header: str) -> None:
    judge(header)


@pytest.mark.parametrize(("header", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_with_the_reason(header: str, reason: str) -> None:
    with pytest.raises(BadSignature, match=reason):
        judge(header)


@pytest.mark.parametrize("header", ["v1=a", "t=soon,v1=a", "t=,v1=a"])
def test_a_time_that_only_the_library_can_read_is_refused(
    header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The age is read apart from the library, so it must not fail where the library is more lenient."""
    monkeypatch.setattr(stripe.WebhookSignature, "verify_header", lambda *_: True)

    with pytest.raises(BadSignature, match="no valid time"):
        judge(header)
