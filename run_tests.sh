#!/usr/bin/env bash
# Everything that must hold: lint, format, types, layers, tests. All are tried, so that one call shows all that is wrong;
# exits 0 only when all hold. pytest's own summary is the last line, unless something before it failed.
set -euo pipefail

root="$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
markers="not slow and not gpu"

case "${1-}" in
-h | --help)
  cat <<'TEXT'
usage: bash run_tests.sh [--all] [pytest arguments]

ruff check, ruff format --check, mypy, import-linter, pytest. Without --all the tests marked `slow` are left out; those
marked `gpu` always are. Two files at a time; `-n 0` runs them one after another. Paths among the pytest arguments start at the project's folder.
  bash run_tests.sh
  bash run_tests.sh tests/test_docs.py -k code_blocks -n 0
TEXT
  exit 0
  ;;
--all)
  markers="not gpu"
  shift
  ;;
esac

bash "$root/setup.sh" >&2
cd -- "$root"

# Tests touch neither network nor accelerator, and use one thread each: the same answers on every machine.
export HF_HUB_OFFLINE=1 DS_ACCELERATOR=cpu OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
export RAY_ENABLE_UV_RUN_RUNTIME_ENV=0
export TORCH_EXTENSIONS_DIR="$root/.venv/torch_extensions"
unset PYTHONPATH PYTHONHOME

failed=()
check() {
  printf '== %s\n' "$1"
  "${@:2}" || failed+=("$1")
}

check "ruff check" .venv/bin/ruff check --quiet .
check "ruff format" .venv/bin/ruff format --quiet --check .
check "mypy" .venv/bin/mypy --no-error-summary
check "import-linter" .venv/bin/lint-imports --no-logo
check "pytest" .venv/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "$markers" "$@"

if [[ ${#failed[@]} -gt 0 ]]; then
  printf 'run_tests.sh: failed:'
  printf ' [%s]' "${failed[@]}"
  printf '\n'
  exit 1
fi
