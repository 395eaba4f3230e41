#!/usr/bin/env bash
# Blood cells, boxes and counts: rebuilds vnvision/hub/models/blood_count from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
$PYTHON datasets/bccd/prepare.py "$VNVISION_DATA/med/bccd" --out out/bccd
expert blood_count training/configs/detect/bccd.yaml "$@"
ship blood_count out/bccd/manifest.csv
