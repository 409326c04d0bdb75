"""What is kept for the Stripe CLI, and what it is sent when. Without a network."""

from urllib.parse import urlencode

import pytest

from fake_stripe import FakeStripe
from fake_stripe.listeners import (
    ABSENCE,
    ACK_TIME,
    ANSWER_TIME,
    IN_FLIGHT,
    MAX_KEPT,
    MAX_LISTENERS,
    ORDER_TIME,
    PROVEN_ORDER_TIME,
    Flow,
    signing_secret,
)
from fake_stripe.store import Json


def open_listener(fake: FakeStripe, url: str = "http://127.0.0.1:8000/", **form: str) -> Json:
    fake.account.has_websocket = True
    given = {"device_name": "laptop", "websocket_features[]": "webhooks", "forward_to_url": url, **form}
    status, answer = fake.call("POST", "/v1/stripecli/sessions", urlencode(given))
    assert status == 200, answer
    return answer


def connect(fake: FakeStripe, session: Json) -> tuple[str, Flow]:
    listener = fake.account.listeners.find(session["websocket_id"])
    assert listener is not None
    return listener["id"], fake.account.listeners.connect(listener["id"])


def make_product(fake: FakeStripe, name: str = "A") -> str:
    """Returns the id of its event."""
    assert fake.call("POST", "/v1/products", f"name={name}")[0] == 200
    return list(fake.events)[-1]


def kept(fake: FakeStripe) -> list[str]:
    return [row["event"] for row in fake.account.store.table("kept_event").oldest_first()]


def take(flow: Flow, now: float = 0.0) -> list[str]:
    return flow.take(now, lambda event_id: "product.updated")


def test_a_session_names_the_websocket_and_the_secret_of_the_key(fake: FakeStripe) -> None:
    session = open_listener(fake)

    assert session["websocket_url"] == "ws://127.0.0.1:12111/stripecli/websocket"
    assert session["secret"] == signing_secret("sk_test_fake") == open_listener(FakeStripe())["secret"]
    assert session["websocket_authorized_feature"] == "webhooks"
    assert open_listener(fake)["websocket_id"] != session["websocket_id"]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ("", "websocket_features"),
        ("websocket_features[]=terminal", "websocket_features"),
        ("websocket_features[]=request_logs&filters=[", "filters"),
        ("websocket_features[]=request_logs&filters=[1]", "filters"),
        ('websocket_features[]=request_logs&filters={"filter_source":[1]}', "filters"),
        ('websocket_features[]=request_logs&filters={"color":["red"]}', "filters"),
        ("websocket_features[]=webhooks&color=red", "color"),
    ],
)
def test_a_bad_session_is_refused(fake: FakeStripe, form: str, param: str) -> None:
    fake.account.has_websocket = True

    status, answer = fake.call("POST", "/v1/stripecli/sessions", form)

    assert (status, answer["error"]["param"]) == (400, param)
    assert len(fake.account.store.table("listener").rows) == 0


def test_a_fake_without_a_port_says_so(fake: FakeStripe) -> None:
    status, answer = fake.call("POST", "/v1/stripecli/sessions", "websocket_features[]=webhooks")

    assert (status, "python -m fake_stripe" in answer["error"]["message"]) == (400, True)


def test_nothing_is_kept_before_the_first_connection(fake: FakeStripe) -> None:
    session = open_listener(fake)
    make_product(fake)
    connect(fake, session)
    event = make_product(fake)

    assert kept(fake) == [event]


def test_an_event_is_kept_until_the_receiver_has_answered(fake: FakeStripe) -> None:
    _, flow = connect(fake, open_listener(fake))
    event = make_product(fake)

    assert take(flow) == [event]
    flow.acknowledge(event, 0.0, finished=False)
    assert kept(fake) == [event]
    flow.answer(event)
    assert kept(fake) == []
    flow.answer(event)
    flow.acknowledge("evt_unknown", 0.0, finished=True)


def test_an_event_without_an_answer_is_sent_on_the_next_connection(fake: FakeStripe) -> None:
    session = open_listener(fake)
    id, flow = connect(fake, session)
    event = make_product(fake)
    take(flow)
    flow.acknowledge(event, 0.0, finished=False)

    fake.account.listeners.disconnect(id, flow)
    missed = make_product(fake)
    _, again = connect(fake, open_listener(fake))

    assert take(again) == [event, missed]


def test_an_event_is_given_up_when_the_cli_does_not_wait_any_more(fake: FakeStripe) -> None:
    _, flow = connect(fake, open_listener(fake))
    event = make_product(fake)
    take(flow)
    flow.acknowledge(event, 0.0, finished=False)

    flow.give_up(ANSWER_TIME - 1)
    assert kept(fake) == [event]
    flow.give_up(ANSWER_TIME)
    assert kept(fake) == []


def test_events_of_one_object_follow_each_other(fake: FakeStripe) -> None:
    _, flow = connect(fake, open_listener(fake))
    fake.add_product(id="prod_a", name="A")
    for n in range(3):
        assert fake.call("POST", "/v1/products/prod_a", f"metadata[n]={n}")[0] == 200
    first, second, third = list(fake.events)
    other = make_product(fake)

    assert take(flow) == [first, other]
    flow.acknowledge(first, 0.0, finished=False)
    assert take(flow) == []
    flow.answer(first)
    assert take(flow) == [second]
    flow.acknowledge(second, 1.0, finished=False)
    assert take(flow, 1.0 + ORDER_TIME) == []
    assert take(flow, 1.0 + PROVEN_ORDER_TIME) == [third]


def test_a_type_that_is_never_answered_is_not_waited_for() -> None:
    flow = Flow(lambda event_id: None)
    flow.add("evt_1", "prod_a")
    take(flow)
    flow.acknowledge("evt_1", 0.0, finished=False)
    flow.give_up(ORDER_TIME)
    flow.add("evt_2", "prod_a")
    flow.add("evt_3", "prod_a")

    assert take(flow, ORDER_TIME) == ["evt_2"]
    flow.acknowledge("evt_2", ORDER_TIME, finished=False)
    assert take(flow, ORDER_TIME) == ["evt_3"]


def test_a_receiver_that_is_gone_is_waited_for_once() -> None:
    flow = Flow(lambda event_id: None)
    for n in range(4):
        flow.add(f"evt_{n}", "prod_a")
    take(flow)
    flow.answer("evt_0")
    assert take(flow) == ["evt_1"]
    flow.acknowledge("evt_1", 0.0, finished=False)
    assert take(flow, PROVEN_ORDER_TIME - 1) == []

    flow.give_up(PROVEN_ORDER_TIME)
    assert take(flow, PROVEN_ORDER_TIME) == ["evt_2"]
    flow.acknowledge("evt_2", PROVEN_ORDER_TIME, finished=False)

    assert take(flow, PROVEN_ORDER_TIME) == ["evt_3"]


def test_a_client_that_forwards_nothing_may_answer_all_the_same() -> None:
    """As @stripe/sync-engine does: it handles the events itself, many at once."""
    finished: list[str] = []
    flow = Flow(finished.append)
    for event in ("evt_1", "evt_2", "evt_3"):
        flow.add(event, "prod_a")
    assert take(flow) == ["evt_1"]

    flow.acknowledge("evt_1", 0.0, finished=True)
    assert finished == ["evt_1"]
    assert take(flow) == []
    flow.answer("evt_1")
    assert take(flow) == ["evt_2"]


def test_few_events_are_under_way_and_one_must_be_acknowledged_in_time() -> None:
    flow = Flow(lambda event_id: None)
    for n in range(1000):
        flow.add(f"evt_{n}", f"prod_{n}")

    assert len(take(flow)) == IN_FLIGHT
    assert take(flow) == []
    assert not flow.is_stuck(ACK_TIME - 1)
    assert flow.is_stuck(ACK_TIME)


def test_the_oldest_events_are_dropped_beyond_the_maximum(
    fake: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_stripe.listeners.MAX_KEPT", 3)
    connect(fake, open_listener(fake))

    events = [make_product(fake) for _ in range(5)]

    assert kept(fake) == events[2:]
    assert MAX_KEPT == 10_000


def test_an_absent_listener_is_forgotten_after_an_hour(fake: FakeStripe) -> None:
    session = open_listener(fake)
    id, flow = connect(fake, session)
    fake.account.listeners.disconnect(id, flow)
    make_product(fake)
    fake.forward(ABSENCE + 1)
    make_product(fake)

    assert kept(fake) == []
    assert fake.account.listeners.find(session["websocket_id"]) is None


def test_there_are_few_listeners_and_the_connected_ones_stay(fake: FakeStripe) -> None:
    first = open_listener(fake, "http://127.0.0.1/0")
    connect(fake, first)
    for n in range(1, MAX_LISTENERS + 5):
        last = open_listener(fake, f"http://127.0.0.1/{n}")

    assert len(fake.account.store.table("listener").rows) == MAX_LISTENERS
    assert fake.account.listeners.find(first["websocket_id"])
    assert fake.account.listeners.find(last["websocket_id"])


def test_too_many_connected_listeners_are_refused(fake: FakeStripe) -> None:
    for n in range(MAX_LISTENERS):
        connect(fake, open_listener(fake, f"http://127.0.0.1/{n}"))

    status, _ = fake.call("POST", "/v1/stripecli/sessions", "websocket_features[]=webhooks")

    assert status == 429


def test_the_state_file_keeps_tickets_and_events(tmp_path: object) -> None:
    path = f"{tmp_path}/state"
    fake = FakeStripe(state_path=path)
    session = open_listener(fake)
    connect(fake, session)
    event = make_product(fake)
    fake.close()

    again = FakeStripe(state_path=path)
    _, flow = connect(again, session)

    assert take(flow) == [event]
    again.close()


def test_events_of_the_other_mode_are_not_sent(fake: FakeStripe) -> None:
    fake.keys.add("sk_live_fake")
    connect(fake, open_listener(fake))

    assert fake.call("POST", "/v1/products", "name=A", authorization="Bearer sk_live_fake")[0] == 200

    assert kept(fake) == []


def test_logs_tail_gets_no_events(fake: FakeStripe) -> None:
    _, flow = connect(fake, open_listener(fake, **{"websocket_features[]": "request_logs"}))
    make_product(fake)

    assert kept(fake) == take(flow) == []


def test_an_event_that_is_sent_again_is_kept_again(fake: FakeStripe) -> None:
    _, flow = connect(fake, open_listener(fake))
    event = make_product(fake)
    take(flow)
    flow.answer(event)

    status, answer = fake.call("POST", f"/v1/events/{event}/retry", "for_stripecli=true")

    assert (status, answer["id"]) == (200, event)
    assert take(flow) == [event]
    assert fake.call("POST", f"/v1/events/{event}/retry")[0] == 400
    assert fake.call("POST", "/v1/events/evt_nothing/retry", "for_stripecli=true")[0] == 404
