"""JSON endpoints under /_ through which another process controls the fake.

    GET    /_faults                 the fault rules in force
    POST   /_faults                 {"kind": "error_500", "when": "after", "path": "/v1/products/*", "times": 1}
    DELETE /_faults, /_faults/<id>  all of them, or one
    GET    /_clock                  {"now": ...}
    POST   /_clock                  {"forward": 3600}
    GET    /_deliveries             the newest deliveries with their attempts; of one event with ?event=evt_...
    POST   /_deliveries             {"event": "evt_...", "endpoint": "we_..." or null}: resend an event
    GET    /_calls                  the last calls of the API
    POST   /_limits                 {"enforced": true, "patience": 2.0}: rate limits, lock timeout in seconds
    POST   /_actions/<act>           pay, expire, settle_delayed, refund, fail_refund, edit_product,
                                    save_stale_form, roll_secret, with the arguments of that action

They require no key, since the server listens on the local machine only. Requests from pages of another site are
refused.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from fake_stripe import forms
from fake_stripe.backend import Backend
from fake_stripe.customers import Refused
from fake_stripe.errors import StripeError
from fake_stripe.resources import catalog_imports, products
from fake_stripe.web import PageAnswer, PageRequest, as_json, from_here

View = Callable[[Backend, PageRequest], PageAnswer]

# What unusable JSON raises here. RecursionError comes from deeply nested lists.
BAD_INPUT = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def as_view(view: View) -> View:
    """Answer bad input with an error message instead of a traceback, and refuse requests of other sites."""

    def guarded(backend: Backend, request: PageRequest) -> PageAnswer:
        if request.method != "GET" and not from_here(request.headers):
            message = "Refused: this request came from a page of another site."
            return as_json({"error": {"message": message}}, 403)
        try:
            return view(backend, request)
        except StripeError as error:
            return as_json(error.body(), error.status)
        except Refused as refused:
            return as_json(
                {"error": {"message": refused.message, "field": refused.field, "code": refused.code}}, 402
            )
        except BAD_INPUT as error:
            return as_json({"error": {"message": f"{type(error).__name__}: {error}"}}, 400)

    return guarded


@as_view
def list_faults(backend: Backend, request: PageRequest) -> PageAnswer:
    return as_json({"faults": backend.faults.listed()})


@as_view
def add_fault(backend: Backend, request: PageRequest) -> PageAnswer:
    options = request.json
    return as_json({"id": backend.faults.add(str(options.pop("kind", "")), **options)}, 201)


@as_view
def clear_faults(backend: Backend, request: PageRequest) -> PageAnswer:
    backend.faults.clear()
    return as_json({"faults": []})


@as_view
def remove_fault(backend: Backend, request: PageRequest) -> PageAnswer:
    gone = backend.faults.remove(request.args["id"])
    return as_json({"removed": gone}, 200 if gone else 404)


@as_view
def read_clock(backend: Backend, request: PageRequest) -> PageAnswer:
    return as_json({"now": backend.clock.now()})


@as_view
def move_clock(backend: Backend, request: PageRequest) -> PageAnswer:
    return as_json({"now": backend.clock.forward(float(request.json["forward"]))})


@as_view
def list_deliveries(backend: Backend, request: PageRequest) -> PageAnswer:
    return as_json({"deliveries": backend.deliveries(request.query.get("event", [None])[0])})


@as_view
def resend(backend: Backend, request: PageRequest) -> PageAnswer:
    given = request.json
    return as_json({"deliveries": backend.dashboard.resend(given["event"], given.get("endpoint"))}, 201)


@as_view
def list_calls(backend: Backend, request: PageRequest) -> PageAnswer:
    return as_json({"calls": [asdict(call) for call in list(backend.api.calls)]})


@as_view
def set_limits(backend: Backend, request: PageRequest) -> PageAnswer:
    given = request.json
    limits, locks = backend.api.limits, backend.api.locks
    enforced, patience = given.get("enforced", limits.enforced), given.get("patience", locks.patience)
    if not isinstance(enforced, bool):
        raise ValueError(f"enforced must be true or false, not {enforced!r}")
    if not _is_seconds(patience):
        raise ValueError(f"patience must be 0 to 3600 seconds, not {patience!r}")
    limits.enforced, locks.patience = enforced, float(patience)
    return as_json({"enforced": limits.enforced, "patience": locks.patience})


def _is_seconds(value: object) -> bool:
    # Limited to an hour, since a request thread waits that long.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 3600


def _edit_product(backend: Backend, id: str, **given: Any) -> Any:
    # The parameters are checked as those of POST /v1/products/{id}, as the Dashboard's form checks them.
    return backend.dashboard.edit_product(id, **products.UPDATE.read_all(forms.of(given)))


@as_view
def act(backend: Backend, request: PageRequest) -> PageAnswer:
    name, given = request.args["act"], request.json
    acts: dict[str, Callable[..., Any]] = {
        "pay": backend.customers.pay,
        "expire": backend.customers.expire,
        "settle_delayed": backend.customers.settle_delayed,
        "refund": backend.dashboard.refund,
        "fail_refund": backend.dashboard.fail_refund,
        "edit_product": partial(_edit_product, backend),
        "save_stale_form": backend.dashboard.save_stale_form,
        "roll_secret": backend.dashboard.roll_secret,
    }
    if name not in acts:
        return as_json({"error": {"message": f"No action {name}. There is: {', '.join(acts)}"}}, 404)
    return as_json({"result": acts[name](**given)})


@as_view
def upload(backend: Backend, request: PageRequest) -> PageAnswer:
    """The address to which the file of a catalog import is sent. It is no part of the API and needs no key."""
    with backend.account.store.transaction():
        kind = request.headers.get("content-type", "")
        status = catalog_imports.upload(backend.account, request.args["token"], request.body, kind)
    return as_json({} if status == 200 else {"error": "The address has expired or was used."}, status)


def error_file(backend: Backend, request: PageRequest) -> PageAnswer:
    body = catalog_imports.error_file(backend.account, request.args["token"])
    return PageAnswer(404) if body is None else PageAnswer(200, body, {"Content-Type": "text/csv"})


ROUTES: list[tuple[str, str, View]] = [
    ("PUT", r"/uploads/(?P<token>[0-9a-f]{32})", upload),
    ("GET", r"/uploads/(?P<token>[0-9a-f]{32})/errors", error_file),
    ("GET", r"/_faults", list_faults),
    ("POST", r"/_faults", add_fault),
    ("DELETE", r"/_faults", clear_faults),
    ("DELETE", r"/_faults/(?P<id>[^/]+)", remove_fault),
    ("GET", r"/_clock", read_clock),
    ("POST", r"/_clock", move_clock),
    ("GET", r"/_deliveries", list_deliveries),
    ("POST", r"/_deliveries", resend),
    ("GET", r"/_calls", list_calls),
    ("POST", r"/_limits", set_limits),
    ("POST", r"/_actions/(?P<act>[a-z_]+)", act),
]
