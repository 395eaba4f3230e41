"""``python -m vnvision``."""

from vnvision.cli.main import main

main()
