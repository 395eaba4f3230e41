"""The web demo: crops, clinic, faces, fairness, batches, teaching and models, in Vietnamese and English.

Started by ``vnvision demo``. Loads no torch. Everything shown comes from this machine; nothing leaves it.
"""
