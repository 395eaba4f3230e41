"""vnvision."""
