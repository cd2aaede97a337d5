"""Makes .venv and installs the packages of the book into it; `make` runs it with its PYTHON.

It needs nothing but Python's standard library. Where Debian's python3 comes without pip, it takes
the pip of the user's own Debian sources. Called again, it goes on where it was interrupted.
"""

import argparse
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

VENV = Path(".venv")
PYTHON = VENV / ("Scripts" if os.name == "nt" else "bin") / "python"
STAMP = VENV / "installed"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
WRONG_PYTHON = """\
Python 3.11, 3.12 or 3.13 is needed; {program} is Python {found}.
Name another one: make book PYTHON=python3.12"""
INTEL_MAC = """\
PyTorch has had no package for Macs with an Intel processor since 2.3.
Any Mac with Apple silicon will do, or Linux."""
NO_PIP = """\
This Python cannot make a .venv with pip, and no pip could be had from Debian's packages.
Run `sudo apt update && sudo apt install python3-venv`, then make again."""
CUDA = """\
PyTorch's own index of CPU builds could not be used, and the torch of your package index brings
{count} CUDA packages ({name}, ...), several GB. They were not installed. Call
make again when {index} can be reached, or accept them: make book TORCH=cuda"""


def pip(*arguments, program=("-m", "pip"), **options):
    """The finished process of one `pip install`; its failure ends the set-up for now."""
    command = [PYTHON, *program, "install", "--disable-pip-version-check", *arguments]
    process = subprocess.run(command, check=False, **options)
    if process.returncode:
        sys.exit("pip failed, see above; the next make goes on from here.")
    return process


def site_packages():
    """The folder of the packages in .venv."""
    return next(VENV.glob("lib/python*/site-packages"), VENV / "Lib/site-packages")


def fits(torch):
    """Whether .venv can be kept: it has pip, the running Python and the torch asked for."""
    code = "import sys, pip._internal.cli.main; print(sys.version_info[:2])"
    try:
        probe = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    has_torch, has_cuda = ((site_packages() / name).is_dir() for name in ("torch", "nvidia"))
    return probe.stdout.strip() == str(sys.version_info[:2]) and (
        torch == "auto" or not has_torch or has_cuda == (torch == "cuda")
    )


def debian_pip(folder):
    """The pip wheel of Debian's python3-pip-whl, unpacked in folder without root, or None."""
    try:
        subprocess.run(["apt-get", "download", "python3-pip-whl"], cwd=folder, check=True)
        package = next(folder.glob("*.deb"))
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        return next(folder.glob("usr/share/python-wheels/pip-*.whl"))
    except (OSError, subprocess.CalledProcessError, StopIteration):
        return None


def make_venv():
    """Nothing; .venv is new and has a pip."""
    venv = [sys.executable, "-m", "venv", "--clear", "--without-pip", VENV]
    if subprocess.run(venv, check=False).returncode:
        sys.exit(NO_PIP)
    if subprocess.run([PYTHON, "-m", "ensurepip"], capture_output=True, check=False).returncode:
        print("This Python has no ensurepip: taking pip from Debian's packages", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            wheel = debian_pip(Path(folder))
            if wheel is None:
                sys.exit(NO_PIP)
            pip("--no-index", wheel, program=(wheel / "pip",))


def has_gpu():
    """Whether nvidia-smi is there and answers."""
    try:
        return subprocess.run(["nvidia-smi"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def reachable(url):
    """Whether url answers within seconds; which certificates are trusted is pip's business."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError as error:
        return isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError)
    return True


def cuda_packages(report):
    """The names of the CUDA packages in what `pip install --report -` prints."""
    names = [package["metadata"]["name"] for package in json.loads(report)["install"]]
    return [name for name in names if name.startswith(("nvidia-", "cuda-"))]


def install_cpu_torch(pins):
    """Nothing; torch is or can be had without CUDA, else the set-up ends and says what to do."""
    if reachable(f"{CPU_INDEX}/torch/"):
        pip(*pins, "--no-deps", "--index-url", CPU_INDEX, "torch")
    report = pip(*pins, "--dry-run", "--quiet", "--report", "-", "torch", stdout=subprocess.PIPE)
    cuda = cuda_packages(report.stdout)
    if cuda:
        sys.exit(CUDA.format(count=len(cuda), name=cuda[0], index=CPU_INDEX))


def install(torch):
    """Nothing; .venv holds everything, and only then its stamp."""
    STAMP.unlink(missing_ok=True)
    if not fits(torch):
        print(f"Making {VENV} with Python {sys.version.split()[0]}", flush=True)
        make_venv()
    for package in site_packages().glob("*.dist-info"):
        if not (package / "RECORD").exists():  # pip writes it last: this one was cut off
            shutil.rmtree(package)
    pins = ("--constraint", "constraints.txt")
    pip(*pins, "--quiet", "pip", "setuptools", "wheel")
    cuda = torch == "cuda" or (torch == "auto" and has_gpu())
    print(f"Installing the packages, torch for {'CUDA' if cuda else 'the CPU'}", flush=True)
    if not cuda:
        install_cpu_torch(pins)
    pip(*pins, "--no-build-isolation", "--only-deps", ".[dev,fast]")
    quiet = os.environ | {"PYTHONWARNINGS": "ignore"}
    pip("--no-build-isolation", "--no-deps", "--quiet", "--editable", ".", env=quiet)
    STAMP.touch()


def main():
    """Nothing; ends with a message where something is missing."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(WRONG_PYTHON.format(program=sys.executable, found=sys.version.split()[0]))
    if (sys.platform, platform.machine()) == ("darwin", "x86_64"):
        sys.exit(INTEL_MAC)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", choices=("auto", "cpu", "cuda"), default="auto")
    os.chdir(Path(__file__).resolve().parent.parent)
    try:
        install(parser.parse_args().torch)
    except KeyboardInterrupt:
        sys.exit("Interrupted; the next make goes on from here.")


if __name__ == "__main__":
    main()
