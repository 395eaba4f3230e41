"""The one training loop. ``vnvision.train(...)`` is ``vnvision.api.train``."""
