"""What a field does to a picture of a leaf: its background, mud, shade, a hand, water, and the phone."""

from vnvision.data.field.apply import apply_field
from vnvision.data.field.segment import LeafGuess, find_leaf
from vnvision.data.field.spec import FIELD, FieldSpec

__all__ = ["FIELD", "FieldSpec", "LeafGuess", "apply_field", "find_leaf"]
