#!/usr/bin/env bash
# Front door of cleaning: makes the environment when it is missing, then becomes `posttrain clean`.
# Exit code, signals and working directory are the command's own.
set -euo pipefail

root="$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
config="$root/configs/cleaning/quickstart.yaml"

if [[ ${1-} == -h || ${1-} == --help ]]; then
  cat <<'TEXT'
usage: bash run_data_cleaning.sh [CONFIG] [--set key=value]... [more options of `posttrain clean`]

Cleans raw rows into good/, bad/ and a report. Without CONFIG: configs/cleaning/quickstart.yaml of this project.
  bash run_data_cleaning.sh
  bash run_data_cleaning.sh configs/cleaning/instruction.yaml --set input=my/rows --set output=runs/mine
Paths on the command line start at your working directory. All options: .venv/bin/posttrain clean --help
TEXT
  exit 0
fi
if [[ $# -gt 0 && $1 != -* ]]; then
  config="$1"
  shift
fi

bash "$root/setup.sh" >&2
exec "$root/.venv/bin/posttrain" clean --config "$config" "$@"
