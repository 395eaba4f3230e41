#!/usr/bin/env bash
# Coffee leaf stress: rebuilds vnvision/hub/models/coffee from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
teachers coffee training/configs/classify/coffee_bracol.yaml
expert coffee training/configs/classify/coffee_bracol.yaml "$(taught coffee)" "$@"
ship coffee "$VNVISION_DATA/agri/coffee_bracol/manifest.csv"
