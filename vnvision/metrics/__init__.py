"""Pure functions from arrays to numbers. No torch."""
