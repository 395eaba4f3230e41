#!/usr/bin/env bash
# Red-cell types: rebuilds vnvision/hub/models/red_cell from the manifest. No teachers: cross-validation is far above what was asked.
. "$(dirname "$0")/common.sh"
reads_data
expert red_cell training/configs/classify/chula_rbc12.yaml "$@"
ship red_cell "$VNVISION_DATA/med/chula_rbc12/manifest.csv"
