"""Disjoint sets: what must stay together, stays together."""

from __future__ import annotations


class DisjointSets:
    """Union-find over 0..n-1 with path halving and union by size (Tarjan and van Leeuwen 1984)."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))
        self._size = [1] * n

    def find(self, item: int) -> int:
        """The representative of ``item``'s set."""
        parent = self._parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def union(self, one: int, other: int) -> None:
        """Join the sets of two items."""
        a, b = self.find(one), self.find(other)
        if a == b:
            return
        if self._size[a] < self._size[b]:
            a, b = b, a
        self._parent[b] = a
        self._size[a] += self._size[b]

    def labels(self) -> list[int]:
        """Set number of each item, counted from 0 in order of first appearance."""
        numbers: dict[int, int] = {}
        return [numbers.setdefault(self.find(item), len(numbers)) for item in range(len(self._parent))]
