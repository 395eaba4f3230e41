#!/usr/bin/env bash
# Mango leaf disease: rebuilds vnvision/hub/models/mango from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
expert mango training/configs/classify/mango_bd.yaml "$@"
ship mango "$VNVISION_DATA/agri/mango_bd/manifest.csv"
