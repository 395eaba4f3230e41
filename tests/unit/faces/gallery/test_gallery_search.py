"""Exact search equals brute force, blocked or not, with FAISS or without."""

import importlib.util
import sys

import numpy as np
import pytest

from vnvision.errors import MissingExtraError
from vnvision.faces.gallery import search

HAS_FAISS = importlib.util.find_spec("faiss") is not None
needs_faiss = pytest.mark.skipif(not HAS_FAISS, reason="faiss is not installed")


def brute_force(matrix, owners, queries, k):
    """One query and one person at a time, in float64."""
    answers = []
    for query in queries.astype(np.float64):
        best = {}
        for row, owner in zip(matrix.astype(np.float64), owners, strict=True):
            best[int(owner)] = max(best.get(int(owner), -np.inf), float(row @ query))
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:k]
        answers.append(ranked + [(-1, -np.inf)] * (k - len(ranked)))
    return answers


def units(rng, count, dim=24):
    values = rng.normal(size=(count, dim))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", ["exact", pytest.param("faiss", marks=needs_faiss)])
@pytest.mark.parametrize("block", [1, 37, 1 << 23])
@pytest.mark.parametrize(("people", "rows"), [(300, 300), (60, 300), (1, 12), (3, 3)])
@pytest.mark.parametrize("k", [1, 5])
def test_equals_brute_force(monkeypatch, kind, block, people, rows, k):
    monkeypatch.setattr(search, "_BLOCK_SCORES", block)
    rng = np.random.default_rng(rows + people + k)
    owners = np.concatenate([np.arange(people), rng.integers(0, people, rows - people)]).astype(np.int64)
    rng.shuffle(owners)
    matrix, queries = units(rng, rows), units(rng, 9)
    scores, found = search.open_index(matrix, owners, kind).top(queries, k)
    assert (scores.shape, found.shape, scores.dtype, found.dtype) == ((9, k), (9, k), np.float32, np.int64)
    for row, wanted in enumerate(brute_force(matrix, owners, queries, k)):
        assert found[row].tolist() == [owner for owner, _ in wanted]
        assert scores[row] == pytest.approx([score for _, score in wanted], abs=1e-6)


def test_ties_go_to_the_lower_owner_in_any_blocks(monkeypatch):
    matrix = np.repeat(np.eye(4, dtype=np.float32)[:1], 9, axis=0)
    for block in (1, 4, 1 << 23):
        monkeypatch.setattr(search, "_BLOCK_SCORES", block)
        _, found = search.ExactIndex(matrix, np.arange(9)[::-1].copy()).top(matrix[:2], 3)
        assert found.tolist() == [[0, 1, 2]] * 2


def test_nothing_to_search():
    index = search.open_index(np.empty((0, 4), np.float32), np.empty(0, np.int64))
    scores, found = index.top(np.eye(4, dtype=np.float32), 2)
    assert np.all(np.isneginf(scores))
    assert np.all(found == -1)


def test_auto_is_exact_and_needs_no_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    index = search.open_index(np.eye(4, dtype=np.float32), np.arange(4))
    assert isinstance(index, search.ExactIndex)
    with pytest.raises(MissingExtraError, match=r"faiss is not installed; .*vnvision\[gallery\]"):
        search.open_index(np.eye(4, dtype=np.float32), np.arange(4), "faiss")
