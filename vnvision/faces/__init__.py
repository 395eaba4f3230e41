"""Faces at run time: detect, embed, verify, and galleries of enrolled people. Loads no torch."""
