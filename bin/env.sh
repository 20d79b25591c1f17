# Sourced by bin/nova and bin/test, with $root set to the absolute path of the checkout.
#
#   nova_env EXTRAS STAMP...   makes sure that the virtual environment $venv holds the project with EXTRAS.
#                              It does when one of the files $venv/STAMP says what is wanted; else
#                              bin/bootstrap.py sets it up and writes the first STAMP.
#
# NOVA_VENV    where the virtual environment lies (default: .venv in the checkout)
# NOVA_PYTHON  the Python to make it with (default: the first one on PATH that runs and is new enough)

case ${NOVA_VENV:-} in
    '') venv=$root/.venv ;;
    /*) venv=$NOVA_VENV ;;
    *) venv=$PWD/$NOVA_VENV ;;
esac

# Warm, this is the whole cost: one cksum and one cat.
nova_env() {
    extras=$1
    shift
    # The path is a part of it: a checkout that was moved must be set up again.
    want="$root $(cd "$root" && cksum setup.cfg pyproject.toml constraints.txt bin/bootstrap.py)"
    for stamp in "$@"; do
        if [ -f "$venv/$stamp" ] && [ -x "$venv/bin/python" ] && [ "$(cat "$venv/$stamp")" = "$want" ]; then
            return 0
        fi
    done
    nova_find_python
    "$python" "$root/bin/bootstrap.py" "$root" "$venv" "$extras" "$1" "$want" || exit 1
}

# Sets $python. A name on PATH proves nothing (a version manager's shim may be dead), so each candidate is run.
# One that can make a virtual environment is preferred to one that lacks a part, as Debian's python3 does
# without python3-venv.
nova_find_python() {
    if [ -n "${NOVA_PYTHON:-}" ]; then
        python=$NOVA_PYTHON
        nova_python_runs 'import sys' && return 0
        echo "nova: NOVA_PYTHON=$NOVA_PYTHON is not a Python of version 3.11 or newer that runs" >&2
        exit 1
    fi
    for modules in 'import sys, ensurepip, ssl, venv' 'import sys'; do
        for python in python3.13 python3.12 python3.11 python3 python3.14 python; do
            nova_python_runs "$modules" && return 0
        done
    done
    echo "nova: no Python of version 3.11 or newer runs here (Debian/Ubuntu: apt-get install python3 python3-venv; or set NOVA_PYTHON)" >&2
    exit 1
}

nova_python_runs() {
    command -v "$python" >/dev/null 2>&1 &&
        "$python" -c "$1; raise SystemExit(sys.version_info < (3, 11))" >/dev/null 2>&1 </dev/null
}
