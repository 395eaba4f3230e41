"""Several processes at once, and processes that are killed."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np

WORKER = """
import hashlib, sys
from datetime import UTC, datetime, timedelta
import numpy as np
from vnvision.faces.gallery import Consent, Gallery, GalleryKey
path, worker, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
now = datetime(2026, 1, 1, tzinfo=UTC)
consent = Consent(given_by="An", given_at=now, text="yes")
gallery = Gallery.open(path, key=GalleryKey(bytes(range(32))), model="model-a", dim=16, create=True,
                       clock=lambda: now)
assert "torch" not in sys.modules
for number in range(first, first + count):
    own = np.random.default_rng(number).normal(size=(2, 16))
    own = (own / np.linalg.norm(own, axis=1, keepdims=True)).astype(np.float32)
    digests = [hashlib.sha256(f"{number}-{photo}".encode()).hexdigest() for photo in range(2)]
    gallery.enroll(f"p{number}", own, consent=consent, purpose="door", expires=now + timedelta(days=9),
                   digests=digests)
    print(number, flush=True)
"""


def start(path, worker, first, count):
    command = [sys.executable, "-c", WORKER, str(path), str(worker), str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_four_processes_enrol_at_once(bench):
    """Each pair of neighbours shares half of its people; the file itself is made in the race, too."""
    workers = [start(bench.path, worker, 5 * worker, 10) for worker in range(4)]
    for worker in workers:
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == 0, errors
    gallery = bench.open(create=False)
    people = gallery.list()
    assert sorted(person.person for person in people) == sorted(f"p{number}" for number in range(25))
    assert all(len(person.photos) == 2 for person in people)
    assert gallery.verify_audit().count == 1 + 40
    added = sum(entry.detail["added"] for entry in gallery.audit_entries() if entry.action == "enroll")
    assert added == 50


def test_killed_while_enrolling(bench):
    """What was reported as done is there, whole, once; after a retry everything is."""
    chance, reported, first = random.Random(3), set(), 0
    for kills in range(1, 6):
        worker = start(bench.path, 0, first, 100_000)
        done = [int(worker.stdout.readline())]
        time.sleep(chance.uniform(0.0, 0.15))
        worker.send_signal(signal.SIGKILL)
        rest = worker.stdout.read()  # communicate() would lose the lines that readline() had buffered
        worker.wait(timeout=30)
        done += [int(line) for line in rest.splitlines()]
        assert worker.returncode == -signal.SIGKILL
        reported |= set(done)
        gallery = bench.open(create=False)
        stored = Counter(person.person for person in gallery.list() for _ in person.photos)
        assert {f"p{number}" for number in reported} <= set(stored)
        assert len(stored) - len(reported) <= kills, "more than what was in flight at each kill"
        assert set(stored.values()) == {2}, "half an enrolment or a duplicate"
        gallery.verify_audit()
        gallery.close()
        first = max(done) - 1  # go back a little: a retry that overlaps
    last = start(bench.path, 0, 0, max(reported) + 1)
    assert last.wait(timeout=60) == 0, last.stderr.read()
    last.communicate()
    gallery = bench.open(create=False)
    people = gallery.list()
    assert {f"p{number}" for number in range(max(reported) + 1)} <= {person.person for person in people}
    assert all(len(person.photos) == 2 for person in people)
    entries = gallery.audit_entries()
    added = sum(entry.detail["added"] for entry in entries if entry.action == "enroll")
    assert added == 2 * len(people)
    gallery.verify_audit()
    own = np.random.default_rng(0).normal(size=(2, 16))[:1]
    assert gallery.identify(own / np.linalg.norm(own), 0.999)[0].person == "p0"
