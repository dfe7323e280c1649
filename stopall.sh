#!/usr/bin/env bash
# Front door of stopping: becomes `posttrain stop`, which ends only processes that our own run records name and verify.
set -euo pipefail

root="$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"

if [[ ${1-} == -h || ${1-} == --help ]]; then
  cat <<'TEXT'
usage: bash stopall.sh [RUN] [more options of `posttrain stop`]

Stops one run (its directory); without RUN, every live run that you started from this checkout. Finished work stays
committed: the same command that started the run, or `posttrain resume RUN`, goes on.
TEXT
  exit 0
fi

# An environment that is there is used as it is: stopping must not wait for a renewal.
[[ -x $root/.venv/bin/posttrain ]] || bash "$root/setup.sh" >&2
exec "$root/.venv/bin/posttrain" stop "$@"
