"""The SQLite file under a gallery: schema, transactions, and erasing without remains."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vnvision.errors import DataError

APPLICATION_ID = 0x76764741
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE record (
    id BLOB PRIMARY KEY, person BLOB NOT NULL, photo BLOB NOT NULL UNIQUE,
    expires INTEGER NOT NULL, text BLOB NOT NULL, embedding BLOB NOT NULL);
CREATE INDEX record_person ON record (person, id, photo, expires);
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY, at TEXT NOT NULL, action TEXT NOT NULL, subjects TEXT NOT NULL,
    detail TEXT NOT NULL, prev BLOB NOT NULL, mac BLOB NOT NULL);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
"""
TRIGGERS = ("audit_no_delete", "audit_no_update")
_ERASED, _SCRUBBED = "erased", "scrubbed"


class Store:
    """One connection to a gallery file, usable from several threads, one at a time.

    Write-ahead log with ``synchronous=FULL``: a transaction that has returned survives a crash of the
    process and of the machine. Writers queue (``BEGIN IMMEDIATE``) for up to ``busy_s`` seconds.

    Args:
        path: the database file.
        create: make it where there is none.
        busy_s: how long to wait for other processes.

    Raises:
        DataError: there is no file, or it is no SQLite database, or it stays locked.
    """

    def __init__(self, path: Path, *, create: bool, busy_s: float = 60.0) -> None:
        self.path = path
        self._busy_s = busy_s
        self.lock = threading.RLock()
        if create:
            _touch_private(path)
        elif not path.is_file():
            raise DataError(
                f"there is no gallery at {path}",
                fix="check the path, or open it with create=True, a model fingerprint and a dimension",
            )
        with self._translate():
            self.db = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
            try:
                self._configure()
            except BaseException:
                self.db.close()
                raise

    def _configure(self) -> None:
        deadline = time.monotonic() + self._busy_s
        while True:
            try:
                mode = self.db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                break
            except sqlite3.OperationalError:
                # Two processes that make the file together: the switch to WAL does not wait by itself.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        if mode != "wal":
            raise DataError(
                f"{self.path} cannot use a write-ahead log", got=mode, fix="keep the gallery on a local disk"
            )
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.execute("PRAGMA secure_delete=ON")
        self.db.execute("PRAGMA trusted_schema=OFF")

    def close(self) -> None:
        """Close the connection; closing twice does no harm."""
        with self.lock:
            self.db.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start: all of it happens, or nothing."""
        with self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one moment of the file."""
        with self._transaction("BEGIN") as db:
            yield db

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self.lock, self._translate():
            self.db.execute(begin)
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise

    def initialise(self) -> bool:
        """Inside ``write``: make the tables in an empty file; True where it did.

        Raises:
            DataError: the file is another program's database.
        """
        if self.has_schema():
            return False
        if self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise DataError(f"{self.path} is another program's database", fix="choose another file")
        # executescript would commit first; statement by statement it stays one transaction.
        statement = ""
        for line in SCHEMA.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                self.db.execute(statement)
                statement = ""
        self.db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        return True

    def has_schema(self) -> bool:
        """Whether the file is a gallery."""
        with self._translate():
            return bool(self.db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID)

    def get(self, key: str) -> bytes | None:
        """A value of the meta table; None also where it is no longer bytes, as this library writes it."""
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row is not None and isinstance(row[0], bytes) else None

    def put(self, key: str, value: bytes) -> None:
        """Inside ``write``: set a value of the meta table."""
        self.db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def counter(self, key: str) -> int:
        """A counting value of the meta table; 0 where it was never bumped."""
        return int.from_bytes(self.get(key) or b"", "big")

    def bump(self, key: str) -> None:
        """Inside ``write``: count one up."""
        self.put(key, ((self.counter(key) + 1) % 2**64).to_bytes(8, "big"))

    def erase(self, where: str, values: tuple[object, ...]) -> int:
        """Inside ``write``: delete records; ``scrub`` must follow the commit. Returns how many."""
        count = self.db.execute(f"DELETE FROM record WHERE {where}", values).rowcount
        if count:
            self.bump(_ERASED)
        return count

    def scrub(self, *, force: bool = False) -> None:
        """Remove what deleted records left in the database and its write-ahead log.

        Deleting has zeroed the cells (``secure_delete``); VACUUM writes the file anew without free pages,
        and the checkpoint copies the log into it and cuts the log to zero bytes. A process killed before
        this is done leaves a count in the meta table, and the next one to open the gallery finishes it.
        The blocks that the file system freed, its snapshots and backups are beyond the reach of this.

        Raises:
            DataError: other processes kept the file busy; the deletion itself holds.
        """
        with self.lock, self._translate():
            seen = self.counter(_ERASED)
            if seen == self.counter(_SCRUBBED) and not force:
                return
            deadline = time.monotonic() + self._busy_s
            self.db.execute("VACUUM")
            while self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise DataError(
                        f"{self.path} is in use, so erased records still lie in its write-ahead log",
                        fix="close the other programs and open the gallery again: that finishes the erasing",
                    )
                time.sleep(0.02)
            with self.write():
                if self.counter(_SCRUBBED) < seen:
                    self.put(_SCRUBBED, seen.to_bytes(8, "big"))

    @contextmanager
    def _translate(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError as exc:
            raise DataError(f"{self.path} is closed", got=str(exc), fix="open the gallery again") from exc
        except sqlite3.OperationalError as exc:
            busy = "locked" in str(exc)
            raise DataError(
                f"{self.path} is in use by another program" if busy else f"cannot use {self.path}",
                got=str(exc),
                fix="try again later" if busy else "check the disk, the rights and the path",
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise DataError(
                f"{self.path} is no gallery, or it is damaged",
                got=str(exc),
                fix="check the path, or restore the gallery from a backup",
            ) from exc


def _touch_private(path: Path) -> None:
    # SQLite gives its -wal and -shm files the rights of the database, so only the first file needs them.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as exc:
        raise DataError(
            f"cannot make a gallery at {path}",
            got=exc.strerror or str(exc),
            fix="choose a folder you may write",
        ) from exc
