#!/usr/bin/env bash
# Front door of the whole way: makes the environment when it is missing, then becomes `posttrain rounds`.
# Exit code, signals and working directory are the command's own.
set -euo pipefail

root="$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
config="$root/configs/rounds/default.yaml"

if [[ ${1-} == -h || ${1-} == --help ]]; then
  cat <<'TEXT'
usage: bash run_posttraining.sh [CONFIG] [--set key=value]... [more options of `posttrain rounds`]

Runs the rounds: clean, score, tier, then SFT, candidates, judging, pairs, DPO and evaluation, round after round.
Without CONFIG: configs/rounds/default.yaml of this project.
  bash run_posttraining.sh
  bash run_posttraining.sh --set profile=spine --set output=runs/mine
Paths on the command line start at your working directory. All options: .venv/bin/posttrain rounds --help
TEXT
  exit 0
fi
if [[ $# -gt 0 && $1 != -* ]]; then
  config="$1"
  shift
fi

bash "$root/setup.sh" >&2
exec "$root/.venv/bin/posttrain" rounds --config "$config" "$@"
