"""The error of a failed proof: the invariant that was violated, and what was seen."""


class BrokenPromise(AssertionError):
    """An invariant of docs/stock-protocol.md does not hold. `promise` begins with its number there."""

    def __init__(self, promise: str, seen: str) -> None:
        super().__init__(f"{promise}: {seen}")
        self.promise = promise


def broken(promise: str, seen: object) -> BrokenPromise:
    return BrokenPromise(promise, str(seen))
