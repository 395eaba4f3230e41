#!/usr/bin/env bash
# Red-cell types: rebuilds vnvision/hub/models/red_cell from the manifest.
. "$(dirname "$0")/common.sh"
teachers red_cell training/configs/classify/chula_rbc12.yaml
expert red_cell training/configs/classify/chula_rbc12.yaml "$(taught red_cell)" "$@"
ship red_cell "$VNVISION_DATA/med/chula_rbc12/manifest.csv"
