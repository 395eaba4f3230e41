#!/usr/bin/env bash
# Which expert a picture needs: rebuilds vnvision/hub/models/router from the manifests of all experts.
. "$(dirname "$0")/common.sh"
reads_data
$PYTHON datasets/busi/prepare.py "$VNVISION_DATA/med/busi" --out out/busi
$PYTHON datasets/bccd/prepare.py "$VNVISION_DATA/med/bccd" --out out/bccd
$PYTHON datasets/uci_rice/prepare.py "$VNVISION_DATA/agri/uci_rice" --out out/data/uci_rice
agri=$VNVISION_DATA/agri med=$VNVISION_DATA/med
$PYTHON datasets/router/prepare.py --out out/router \
  mango="$agri/mango_bd/manifest.csv" coffee="$agri/coffee_bracol/manifest.csv" bean="$agri/ibean/manifest.csv" \
  chilli="$agri/chilli/manifest.csv" rice=out/data/uci_rice/manifest.csv malaria="$med/malaria/manifest.csv" \
  red_cell="$med/chula_rbc12/manifest.csv" chest_xray="$med/cxr_nih/manifest.csv" breast=out/busi/manifest.csv \
  blood_count=out/bccd/manifest.csv hip_ultrasound="$med/hip_us/manifest.csv"
expert router training/configs/classify/router.yaml "$@"
ship router out/router/manifest.csv
