"""Errors as Stripe answers them: one exception with the status, type, code, param and headers.

The types, codes and statuses are those of https://docs.stripe.com/api/errors and
https://docs.stripe.com/error-codes. The messages are the fake's own, except for a few short ones that
programs are known to check ("No such product: ...").
"""

from typing import Any

Json = dict[str, Any]


class StripeError(Exception):
    """An answer other than 200.

    executed: whether the error is stored under the idempotency key.
    takes_effect: whether the changes are committed, as for a declined card; otherwise they are rolled back.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        executed: bool = True,
        takes_effect: bool = False,
        headers: dict[str, str] | None = None,
        extra: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.type, self.code, self.param = message, status, type, code, param
        self.executed, self.headers, self.extra = executed, headers or {}, extra or {}
        self.takes_effect = takes_effect

    def body(self, request_id: str | None = None) -> Json:
        """The JSON of the answer."""
        error: Json = {"message": self.message, "type": self.type}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        if request_id:
            error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error | self.extra}


def refused_before_running(message: str, *, param: str | None = None, code: str | None = None) -> StripeError:
    """An invalid parameter: nothing ran, and the error is not stored under the idempotency key."""
    return StripeError(message, param=param, code=code, executed=False)


def missing_object(noun: str, id: str, *, param: str, status: int = 404, there: str = "") -> StripeError:
    """An unknown id: 404 for an id in the path, 400 for one in a parameter. `there` mentions the other mode."""
    return StripeError(f"No such {noun}: '{id}'{there}", status=status, code="resource_missing", param=param)


def unknown_address(method: str, path: str) -> StripeError:
    message = f"Unrecognized request URL ({method}: {path}). fake_stripe has no such route."
    return StripeError(message, status=404, executed=False)
