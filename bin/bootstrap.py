"""Makes the virtual environment and installs the project into it; run by bin/env.sh, standard library only.

Usage: bootstrap.py ROOT VENV EXTRAS STAMP WANT. When it ends well, VENV holds the project in ROOT (editable) with
EXTRAS, and the file VENV/STAMP holds the text WANT. Two that run at the same time take turns.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

STAMPS = (".nova-run", ".nova-dev")
"""All that a virtual environment may be stamped with."""


def say(text: str) -> None:
    """Tells the user one line, on stderr: stdout belongs to the server."""
    print(f"nova: {text}", file=sys.stderr, flush=True)


def is_usable(venv: Path) -> bool:
    """Tells whether a virtual environment can be kept: it lies where it was made, it runs, it is new enough."""
    try:
        # Scripts name their interpreter by its path, so a folder that was moved or copied is of no use.
        with open(venv / "bin/pip", encoding="utf-8", errors="replace") as script:
            if f"{venv}/bin/python" not in script.readline() + script.readline():
                return False
        check = "import pip, sys; raise SystemExit(sys.version_info < (3, 11))"
        return subprocess.run([venv / "bin/python", "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def remove(venv: Path) -> None:
    """Removes a virtual environment, if there is one.

    Raises:
        SystemExit: something else lies there; NOVA_VENV may name any folder by mistake.
    """
    if venv.exists() and not (venv / "pyvenv.cfg").is_file() and (not venv.is_dir() or any(venv.iterdir())):
        raise SystemExit(
            f"nova: {venv} exists and is no virtual environment; remove it, or name another place by NOVA_VENV"
        )
    shutil.rmtree(venv, ignore_errors=True)


def create(venv: Path) -> str:
    """Makes an empty virtual environment with pip; returns what went wrong, "" if nothing did."""
    remove(venv)
    # Not EnvBuilder in this process: without ensurepip it calls sys.exit from the middle of its work.
    made = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return ""
    remove(venv)
    lines = (made.stdout + made.stderr).strip().splitlines()
    return lines[-1] if lines else f"exit code {made.returncode}"


def lacks_ensurepip() -> bool:
    """Tells whether this Python came without ensurepip: Debian has it in a package of its own, python3-venv."""
    check = subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False)
    return check.returncode != 0


def make_venv(venv: Path) -> None:
    """Makes VENV, with Debian's package manager's help where that is needed and allowed.

    Raises:
        SystemExit: it cannot be made; the text says what to do.
    """
    problem = create(venv)
    if problem and lacks_ensurepip():
        if os.geteuid() == 0 and shutil.which("apt-get"):
            say("this Python has no ensurepip: installing python3-venv with apt-get")
            for order in (["update", "-q"], ["install", "-qy", "--no-install-recommends", "python3-venv"]):
                subprocess.run(["apt-get", *order], check=False, stdout=sys.stderr, stdin=subprocess.DEVNULL)
            problem = create(venv)
        else:
            problem = "it came without pip (ensurepip)"
    if problem:
        raise SystemExit(
            f"nova: {sys.executable} cannot make a virtual environment: {problem} "
            "(Debian/Ubuntu: apt-get install python3-venv; or name another Python by NOVA_PYTHON)"
        )


def install(root: Path, venv: Path, extras: str) -> None:
    """Installs the project with EXTRAS, in the versions of constraints.txt.

    Raises:
        SystemExit: pip failed; it has said why.
    """
    # Bytecode is compiled now, whatever the caller's environment says, or each start would pay for it.
    # PYTHONWARNINGS: some versions of pip warn about editable installs in a way that is no news to anyone here.
    env = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONDONTWRITEBYTECODE="", PYTHONWARNINGS="ignore")
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONHOME", "PYTHONPATH"):
        env.pop(name, None)
    # Relative paths, run in ROOT: brackets or blanks in the checkout's path would confuse pip.
    order = ["install", "--quiet", "--constraint", "constraints.txt", "--editable", f".[{extras}]"]
    if subprocess.run([venv / "bin/python", "-m", "pip", *order], cwd=root, env=env, check=False).returncode != 0:
        raise SystemExit("nova: the installation failed (pip says why above); run the same command again to retry")


def main() -> None:
    """Sets VENV up, unless another process has just done so."""
    root, venv, extras, stamp, want = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:6]
    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        lock = open(f"{venv}.lock", "w")  # noqa: SIM115 (held until this process ends)
    except OSError as error:
        raise SystemExit(
            f"nova: cannot write beside {venv}: {error.strerror} (NOVA_VENV names another place)"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another set-up of {venv}")
        fcntl.flock(lock, fcntl.LOCK_EX)
    if is_usable(venv) and (venv / stamp).is_file() and (venv / stamp).read_text() == want:
        return
    say(f"setting up {venv} (once; this takes some seconds)")
    # A set-up that is cut short must not look done, and a changed one makes all stamps untrue.
    for name in STAMPS:
        (venv / name).unlink(missing_ok=True)
    if not is_usable(venv):
        make_venv(venv)
    install(root, venv, extras)
    (venv / stamp).write_text(want)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("nova: set-up interrupted; run the same command again") from None
