#!/usr/bin/env bash
# Malaria in single red cells: rebuilds vnvision/hub/models/malaria from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
teachers malaria training/configs/classify/malaria.yaml
expert malaria training/configs/classify/malaria.yaml "$(taught malaria)" "$@"
ship malaria "$VNVISION_DATA/med/malaria/manifest.csv"
