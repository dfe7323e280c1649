#!/usr/bin/env bash
# Makes or renews .venv beside this script: Python 3.11, every package at the version of constraints.txt, this project
# installed in place. Nothing to do when up to date: that is seen without network in a few hundredths of a second.
#
# Safe to interrupt: .venv/.posttrain-stamp is removed before anything changes and written last; without it the next
# call goes on where this one stopped. Two calls at once wait for each other.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash setup.sh

Makes or renews the environment in .venv beside this script. Needs Python 3.11 with its venv module; to name one:
  PYTHON=/path/to/python3.11 bash setup.sh
pip's own settings (pip.conf, PIP_*) are respected. Progress goes to stderr, nothing to stdout.
TEXT
}

root="$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
venv="$root/.venv"
stamp="$venv/.posttrain-stamp"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# What the environment depends on: the pins, the parts of pyproject.toml that an installation reads, the interpreter
# and the place (console scripts and the installation in place hold absolute paths).
wanted() {
  local python
  python="$("$venv/bin/python" -I -S -c 'import sys; print(sys.version)' 2>/dev/null)" || return 1
  {
    cat -- "$root/constraints.txt"
    awk '/^\[/ { install = /^\[(build-system|project|tool\.setuptools)/ } install' "$root/pyproject.toml"
    printf '%s\n' "$python" "$root"
  } | sha256sum
}

up_to_date() {
  local want
  [[ -f $stamp && -f $venv/pyvenv.cfg ]] && want="$(wanted)" && [[ "$(<"$stamp")" == "$want" ]]
}

is_python311() { "$1" -I -S -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }

# The first that answers as 3.11: the one named in PYTHON, else any on the PATH (a version manager's shim may be dead).
find_python() {
  local name
  while IFS= read -r name; do
    if is_python311 "$name"; then
      printf '%s' "$name"
      return
    fi
  done < <(if [[ -n ${PYTHON-} ]]; then printf '%s\n' "$PYTHON"; else type -aP python3.11 python3; fi)
  fail "Python 3.11 not found; install it (Debian: apt-get install python3.11-venv) or name it: PYTHON=/path bash setup.sh"
}

# A whole .venv has a working pip, was made at this place, and holds no package whose installation was cut off (pip
# writes RECORD last). Any other one is made anew: pip would take the broken package for installed.
venv_is_whole() {
  [[ -f $venv/bin/activate && -f $venv/pyvenv.cfg ]] || return 1
  local place info
  for info in "$venv"/lib/python3.11/site-packages/*.dist-info; do
    [[ ! -e $info || -f $info/RECORD ]] || return 1
  done
  place="$(sed -nE "s/^ *(export )?VIRTUAL_ENV=[\"']?([^\"'\$]+)[\"']?\$/\2/p" "$venv/bin/activate" | tail -n 1)"
  [[ $place == "$venv" ]] && is_python311 "$venv/bin/python" && "$venv/bin/python" -I -m pip --version >/dev/null 2>&1
}

make_venv() {
  local python
  python="$(find_python)"
  "$python" -I -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python has no venv module; install it (Debian: apt-get install python3.11-venv)"
  say "making .venv with $("$python" -I -S -c 'import platform; print("Python", platform.python_version())')"
  "$python" -I -m venv --clear "$venv" >&2 || fail "making .venv failed; see above, then run setup.sh again"
}

install() {
  "$venv/bin/python" -I -m pip install -qq --no-input --progress-bar off --disable-pip-version-check \
    -c constraints.txt "$@" >&2 </dev/null || fail "the installation failed; see above, then run setup.sh again: it goes on from here"
}

main() {
  if [[ $# -gt 0 ]]; then
    usage
    [[ $1 == -h || $1 == --help ]] && exit 0
    exit 2
  fi
  # Through a link it would clear the environment of another folder, or install into a Python of the system.
  [[ ! -L $venv ]] || fail ".venv is a symbolic link; remove it (rm .venv), then run setup.sh again"
  if up_to_date; then return; fi

  command -v flock >/dev/null || fail "flock not found; install util-linux"
  exec 9>"$root/.venv.lock"
  if ! flock -n 9; then
    say "waiting for another setup of this folder"
    flock 9
    if up_to_date; then return; fi
  fi

  cd -- "$root"
  unset PYTHONPATH PYTHONHOME
  local began=$SECONDS
  rm -f -- "$stamp"
  venv_is_whole || make_venv
  say "1/3 torch (the largest download)"
  install torch
  say "2/3 the other packages, and this project in place"
  install -e '.[dev]'
  say "3/3 checking"
  "$venv/bin/python" -I -m pip check >&2 || say "pip sees the conflicts above; going on"
  wanted >"$stamp.new"
  mv -f -- "$stamp.new" "$stamp"
  say "done in $((SECONDS - began)) s"
}

main "$@"
