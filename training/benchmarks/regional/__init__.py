"""Parts of ``regional_finetune.py``."""
