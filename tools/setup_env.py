"""Create the virtual environment of the Makefile from a lock file, with nothing but Python at hand.

Uses `uv` when it is on PATH, else `venv` and pip. Debian splits `ensurepip` off its Python; there pip comes
from the running interpreter or, failing that, from PyPA's self-contained pip.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import venv
from pathlib import Path

PIP_ZIPAPP_URL = "https://bootstrap.pypa.io/pip/pip.pyz"
MIN_VERSION = (3, 11)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _pip_of_interpreter(venv_python: Path) -> list[str] | None:
    if importlib.util.find_spec("pip") is None:
        return None
    return [sys.executable, "-m", "pip", "--python", str(venv_python)]


def _pip_zipapp(folder: Path) -> list[str]:
    target = folder / "pip.pyz"
    try:
        with urllib.request.urlopen(PIP_ZIPAPP_URL, timeout=60) as response:
            target.write_bytes(response.read())
    except OSError as error:
        sys.exit(
            f"setup: this Python has neither ensurepip nor pip, and {PIP_ZIPAPP_URL} cannot be reached ({error}); "
            "install the package python3-venv (Debian, Ubuntu) or uv and try again"
        )
    return [str(target)]


def _install_with_pip(venv_dir: Path, lock: Path) -> None:
    python = venv_dir / "bin" / "python"
    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    if not python.exists():
        venv.create(venv_dir, with_pip=has_ensurepip)
    with tempfile.TemporaryDirectory() as folder:
        if has_ensurepip:
            pip = [str(python), "-m", "pip"]
        else:
            pip = _pip_of_interpreter(python) or [str(python), *_pip_zipapp(Path(folder))]
        # The lock names everything. Left to look for dependencies, older pips take the newest of a package for its
        # extras, which is another one than the lock's as soon as it is published.
        quietly = ("install", "--quiet", "--disable-pip-version-check", "--no-deps")
        _run(*pip, *quietly, "--require-hashes", "-r", str(lock))
        _run(*pip, *quietly, "-e", ".")


def _install_with_uv(uv: str, venv_dir: Path, lock: Path) -> None:
    if not (venv_dir / "bin" / "python").exists():
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(venv_dir))
    os.environ["VIRTUAL_ENV"] = str(venv_dir.resolve())
    _run(uv, "pip", "install", "--quiet", "--require-hashes", "-r", str(lock))
    _run(uv, "pip", "install", "--quiet", "--no-deps", "-e", ".")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, required=True, help="folder of the virtual environment")
    parser.add_argument("--lock", type=Path, required=True, help="requirements file with hashes")
    parser.add_argument("--stamp", type=Path, required=True, help="file that is touched when all is installed")
    options = parser.parse_args()
    if sys.version_info < MIN_VERSION:
        sys.exit(
            f"setup: Python {sys.version.split()[0]} is too old, 3.11 or newer is needed (make PYTHON=python3.12 …)"
        )
    print(f"setup: installing {options.lock} into {options.venv}", flush=True)
    uv = shutil.which("uv")
    try:
        if uv is not None:
            _install_with_uv(uv, options.venv, options.lock)
        else:
            _install_with_pip(options.venv, options.lock)
    except subprocess.CalledProcessError as error:
        sys.exit(f"setup: {Path(error.cmd[0]).name} ended with status {error.returncode}; its message stands above")
    options.stamp.touch()


if __name__ == "__main__":
    main()
