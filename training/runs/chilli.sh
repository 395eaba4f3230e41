#!/usr/bin/env bash
# Chilli leaf disease: rebuilds vnvision/hub/models/chilli from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
teachers chilli training/configs/classify/chilli.yaml
expert chilli training/configs/classify/chilli.yaml "$(taught chilli)" "$@"
ship chilli "$VNVISION_DATA/agri/chilli/manifest.csv"
