"""Seeds and mutations for ``fuzz_decoders.py``."""
