"""The queue of waiting deliveries: an in-memory index over the `delivery` rows."""

import heapq

from fake_stripe.store import Json, Store


class Outbox:
    """Waiting deliveries, the earliest first, and all deliveries by event. Guarded by the store's lock."""

    def __init__(self, store: Store) -> None:
        self._heap: list[tuple[float, float, str]] = []
        self._of_event: dict[str, list[str]] = {}
        self._rank = 0
        for delivery in store.table("delivery").oldest_first():
            self.index(delivery)
            self._rank = max(self._rank, int(delivery["rank"]))
            if delivery["state"] == "waiting":
                self.push(delivery)

    def next_rank(self) -> int:
        """The rank of a new delivery. Deliveries due at the same moment are sent by rank."""
        self._rank += 1
        return self._rank

    def index(self, delivery: Json) -> None:
        self._of_event.setdefault(delivery["event"], []).append(delivery["id"])

    def push(self, delivery: Json) -> None:
        heapq.heappush(self._heap, (delivery["due"], delivery["rank"], delivery["id"]))

    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[str]:
        """Remove and return the ids of the deliveries due by `now`, in order."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due

    def of_event(self, event_id: str) -> list[str]:
        """The ids of an event's deliveries, oldest first."""
        return list(self._of_event.get(event_id, ()))

    def delete(self, event_id: str) -> list[str]:
        """Remove an event from the index; returns the ids of its deliveries."""
        return self._of_event.pop(event_id, [])
