#!/usr/bin/env bash
# Chest X-ray, pneumonia or no finding: rebuilds vnvision/hub/models/chest_xray from the manifest.
. "$(dirname "$0")/common.sh"
reads_data
teachers chest_xray training/configs/classify/cxr_nih.yaml
expert chest_xray training/configs/classify/cxr_nih.yaml "$(taught chest_xray)" "$@"
ship chest_xray "$VNVISION_DATA/med/cxr_nih/manifest.csv"
