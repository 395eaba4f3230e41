#!/usr/bin/env bash
# The diseased share of a leaf, taught by drawn leaves: rebuilds vnvision/hub/models/leaf_severity.
. "$(dirname "$0")/common.sh"
[ -f out/leaves/manifest.csv ] || $PYTHON datasets/synthetic_leaf/prepare.py out/leaves --per-class 200
expert leaf_severity training/configs/segment/leaf_severity.yaml data=out/leaves/manifest.csv "$@"
ship leaf_severity out/leaves/manifest.csv
