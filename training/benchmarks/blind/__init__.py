"""Parts of ``gate_blind.py``."""
