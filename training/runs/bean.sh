#!/usr/bin/env bash
# Bean leaf disease: rebuilds vnvision/hub/models/bean from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
teachers bean training/configs/classify/ibean.yaml
expert bean training/configs/classify/ibean.yaml "$(taught bean)" "$@"
ship bean "$VNVISION_DATA/agri/ibean/manifest.csv"
