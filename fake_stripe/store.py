"""Tables of rows in memory, optionally written through to a SQLite file.

Rows are never changed in place: a changed row is a new dict that replaces the old one. An event can therefore
share its row with the table, a rollback is a list of old rows, and readers need no copy.
"""

import copy
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Json = dict[str, Any]
FORMAT = 1


class Table:
    """The rows of one kind, by id and in order of creation."""

    def __init__(self) -> None:
        self.rows: dict[str, Json] = {}
        self._order: list[str | None] = []
        self._place: dict[str, int] = {}
        self._oldest = 0  # everything before this place was removed; old rows are removed from the front

    def set(self, id: str, row: Json) -> None:
        if id not in self._place:
            self._place[id] = len(self._order)
            self._order.append(id)
        self.rows[id] = row

    def remove(self, id: str) -> None:
        del self.rows[id]
        self._order[self._place.pop(id)] = None
        while self._oldest < len(self._order) and self._order[self._oldest] is None:
            self._oldest += 1

    def put_back(self, id: str, row: Json, place: int) -> None:
        """Undo a removal or a change: put the row back at its old place."""
        self.rows[id] = row
        self._order[place] = id
        self._place[id] = place
        self._oldest = min(self._oldest, place)

    def pack(self) -> None:
        """Drop the places of removed rows once they are the majority."""
        if len(self._order) <= 1000 or len(self.rows) * 2 >= len(self._order):
            return
        self._order = [id for id in self._order if id is not None]
        self._place = {id: place for place, id in enumerate(self._order) if id is not None}
        self._oldest = 0

    def place(self, id: str) -> int:
        """The row's place in the order of creation; valid until the next `pack`."""
        return self._place[id]

    def newest_first(self, before: int | None = None) -> Iterator[Json]:
        """Rows from the newest to the oldest, starting before place `before`."""
        start = len(self._order) if before is None else before
        for place in range(start - 1, self._oldest - 1, -1):
            id = self._order[place]
            if id is not None:
                yield self.rows[id]

    def oldest_first(self, after: int | None = None) -> Iterator[Json]:
        """Rows from the oldest to the newest, starting after place `after`."""
        for place in range(self._oldest if after is None else after + 1, len(self._order)):
            id = self._order[place]
            if id is not None:
                yield self.rows[id]


class Store:
    """All tables, with one lock and atomic transactions."""

    def __init__(self, path: str | None = None) -> None:
        self.lock = threading.RLock()
        self._tables: dict[str, Table] = {}
        self._depth = 0
        self._undo: list[tuple[str, str, tuple[Json, int] | None]] = []
        self._after: list[Callable[[], None]] = []
        self._file = File(path) if path else None
        if self._file:
            for kind, id, row in self._file.read():
                self.table(kind).set(id, row)

    def table(self, kind: str) -> Table:
        return self._tables.setdefault(kind, Table())

    def get(self, kind: str, id: str) -> Json | None:
        return self.table(kind).rows.get(id)

    def put(self, kind: str, id: str, row: Json) -> None:
        self._require_transaction()
        table = self.table(kind)
        self._undo.append((kind, id, _as_it_is(table, id)))
        table.set(id, row)

    def remove(self, kind: str, id: str) -> None:
        self._require_transaction()
        table = self.table(kind)
        if id in table.rows:
            self._undo.append((kind, id, _as_it_is(table, id)))
            table.remove(id)

    def _require_transaction(self) -> None:
        if not self._depth:
            raise RuntimeError("rows can only be changed inside a transaction")

    def after_commit(self, act: Callable[[], None]) -> None:
        """Run `act` after the commit, when the lock is released; never if the transaction is rolled back."""
        self._after.append(act)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit every change made inside, or none of them if an exception is raised."""
        with self.lock:
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._keep()
            except BaseException:
                if self._depth == 1:
                    self._undo_all()
                raise
            finally:
                self._depth -= 1
            acts = self._take_acts() if self._depth == 0 else []
        for act in acts:
            act()

    def _keep(self) -> None:
        changed = dict.fromkeys((kind, id) for kind, id, _ in self._undo)
        if self._file and changed:
            self._file.write([(kind, id, self.get(kind, id)) for kind, id in changed])
        # Only after the commit: a rollback needs the old places.
        for kind in {kind for kind, _ in changed}:
            self.table(kind).pack()
        self._undo = []

    def _undo_all(self) -> None:
        for kind, id, before in reversed(self._undo):
            table = self.table(kind)
            if before is not None:
                table.put_back(id, *before)
            elif id in table.rows:
                table.remove(id)
        self._undo, self._after = [], []

    def _take_acts(self) -> list[Callable[[], None]]:
        acts, self._after = self._after, []
        return acts

    def close(self) -> None:
        with self.lock:
            if self._file:
                self._file.close()
                self._file = None


def _as_it_is(table: Table, id: str) -> tuple[Json, int] | None:
    return (table.rows[id], table.place(id)) if id in table.rows else None


class Rows(Mapping[str, Json]):
    """A read-only view of one table. Values are copies, so changing one changes nothing in the store."""

    def __init__(self, store: Store, kind: str) -> None:
        self._store, self._kind = store, kind

    def __getitem__(self, id: str) -> Json:
        row = self._store.get(self._kind, id)
        if row is None:
            raise KeyError(id)
        return copy.deepcopy(row)

    def __iter__(self) -> Iterator[str]:
        with self._store.lock:
            return iter([row["id"] for row in self._store.table(self._kind).oldest_first()])

    def __len__(self) -> int:
        return len(self._store.table(self._kind).rows)


class File:
    """The tables in one SQLite file, committed before each answer so that a killed process loses nothing."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self._refusing():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0.2)
            self._prepare()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Turn SQLite's errors into OSErrors with a readable message."""
        try:
            yield
        except sqlite3.OperationalError as error:
            why = f"{error} (probably by another process)." if "locked" in str(error) else f"{error}."
            raise OSError(f"{self._path} cannot be used: {why}") from None
        except sqlite3.DatabaseError as error:
            raise OSError(f"{self._path} is not a state file of fake_stripe: {error}.") from None

    def _prepare(self) -> None:
        # Exclusive, because rows are cached in memory: a second process on the file would not see changes.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        (file_format,) = self._db.execute("PRAGMA user_version").fetchone()
        if file_format not in (0, FORMAT):
            raise sqlite3.DatabaseError(
                f"its format is {file_format}, but this fake_stripe writes format {FORMAT}"
            )
        self._db.execute(f"PRAGMA user_version = {FORMAT}")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS rows (place INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
            " id TEXT NOT NULL, row TEXT NOT NULL, UNIQUE (kind, id))"
        )

    def read(self) -> Iterator[tuple[str, str, Json]]:
        """Every row as (kind, id, row), in order of creation. Raises OSError for a damaged row."""
        with self._refusing():
            for kind, id, text in self._db.execute("SELECT kind, id, row FROM rows ORDER BY place"):
                try:
                    yield kind, id, json.loads(text)
                except ValueError:
                    raise OSError(f"{self._path} is damaged: {kind} {id} cannot be read.") from None

    def write(self, changes: list[tuple[str, str, Mapping[str, Any] | None]]) -> None:
        upsert = (
            "INSERT INTO rows (kind, id, row) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, id) DO UPDATE SET row = excluded.row"
        )
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for kind, id, row in changes:
                if row is None:
                    self._db.execute("DELETE FROM rows WHERE kind = ? AND id = ?", (kind, id))
                else:
                    self._db.execute(upsert, (kind, id, json.dumps(row)))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._db.close()
