# Shared by the scripts that rebuild the models that ship; sourced, not run.
# VNVISION_DATA: the folder with agri/ and med/. OUT: where runs go. SHIP: where bundles go.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
OUT=${OUT:-out/models}
SHIP=${SHIP:-vnvision/hub/models}
VNVISION=${VNVISION:-vnvision}
PYTHON=${PYTHON:-python}

# reads_data: for scripts that need VNVISION_DATA, before they start anything long.
reads_data() {
  : "${VNVISION_DATA:?the folder with agri/ and med/}"
}

# teachers NAME CONFIG [key=value ...]: three networks, each trained on two thirds of the groups of train and val.
# They are the group cross-validation that the recipe was chosen by, and teach the network that ships.
teachers() {
  local name=$1 config=$2 fold
  shift 2
  for fold in 0 1 2; do
    [ -f "$OUT/$name/teacher$fold/report.json" ] ||
      $VNVISION train "$config" folds=3 fold=$fold output="$OUT/$name/teacher$fold" resume=true n_boot=0 \
        tensorboard=false "$@"
  done
}

# taught NAME: the words that make a run learn from its teachers.
taught() {
  local name=$1
  echo "distill={runs: [$OUT/$name/teacher0, $OUT/$name/teacher1, $OUT/$name/teacher2], weight: 0.7, temperature: 2, one_a_batch: true}"
}

# expert NAME CONFIG [key=value ...]: the network that ships. A run that was stopped goes on.
expert() {
  local name=$1 config=$2
  shift 2
  [ -f "$OUT/$name/run/report.json" ] ||
    $VNVISION train "$config" output="$OUT/$name/run" resume=true tensorboard=false card="$name" "$@"
}

# ship NAME MANIFEST [option ...]: 8 bits, proven against the float network, judged on validation pictures.
ship() {
  local name=$1 manifest=$2
  shift 2
  $VNVISION export "$OUT/$name/run" --target onnx-int8 --calibration "$manifest" --lean --overwrite \
    --out "$SHIP/$name" "$@"
}
