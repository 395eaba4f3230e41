#!/usr/bin/env bash
# Rice leaf disease, experimental: rebuilds vnvision/hub/models/rice from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
$PYTHON datasets/uci_rice/prepare.py "$VNVISION_DATA/agri/uci_rice" --out out/data/uci_rice
expert rice training/configs/classify/uci_rice.yaml "$@"
ship rice out/data/uci_rice/manifest.csv
