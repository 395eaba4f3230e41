"""What still waits for a figure. A row that has got its own is struck from here: a test asks for that."""

from __future__ import annotations

# Models that are still being trained, and their router.
MODELS = frozenset(
    {
        "leaf_severity", 
        "breast_lesion", "blood_count",
    }
)  # fmt: skip
PENDING = MODELS
# Measured, but their section is not in BENCHMARKS yet.
UNWRITTEN: frozenset[str] = frozenset()
