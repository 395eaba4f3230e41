#!/usr/bin/env bash
# Breast ultrasound, three classes: rebuilds vnvision/hub/models/breast from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
$PYTHON datasets/busi/prepare.py "$VNVISION_DATA/med/busi" --out out/busi
teachers breast training/configs/classify/busi.yaml
expert breast training/configs/classify/busi.yaml "$(taught breast)" logit_adjust=0.5 "$@"
ship breast out/busi/manifest.csv
