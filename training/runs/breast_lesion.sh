#!/usr/bin/env bash
# Lesions in breast ultrasound: rebuilds vnvision/hub/models/breast_lesion from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
$PYTHON datasets/busi/prepare.py "$VNVISION_DATA/med/busi" --out out/busi
expert breast_lesion training/configs/segment/busi_lesion.yaml "$@"
ship breast_lesion out/busi/manifest.csv
