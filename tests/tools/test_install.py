"""The set-up: which Python and torch it takes, and what it does when something is missing."""

import json
import subprocess
import sys
import urllib.error

import install
import pytest


@pytest.fixture
def venv(tmp_path, monkeypatch):
    """An empty folder to work in, with paths as the set-up has them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".venv"


def test_a_python_that_torch_does_not_run_on_ends_the_set_up_before_anything_is_made(
    venv, monkeypatch
):
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    with pytest.raises(SystemExit, match=r"3\.11, 3\.12 or 3\.13 is needed.*\n.*PYTHON="):
        install.main()
    assert not venv.exists()


def test_a_mac_with_an_intel_processor_ends_the_set_up_before_anything_is_made(venv, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(install.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "argv", ["install.py"])
    with pytest.raises(SystemExit, match="Apple silicon"):
        install.main()
    assert not venv.exists()


def test_cuda_packages_are_found_in_the_report_of_pip():
    names = ["torch", "numpy", "nvidia-cublas", "cuda-toolkit"]
    report = json.dumps({"install": [{"metadata": {"name": name}} for name in names]})
    assert install.cuda_packages(report) == ["nvidia-cublas", "cuda-toolkit"]


@pytest.mark.parametrize("names", [["torch", "sympy"], ["torch", "nvidia-cublas"]])
def test_cuda_packages_are_not_installed_unasked(names, monkeypatch):
    asked = []
    report = json.dumps({"install": [{"metadata": {"name": name}} for name in names]})

    def pip(*arguments, **options):
        asked.append(arguments)
        return subprocess.CompletedProcess(arguments, 0, stdout=report)

    monkeypatch.setattr(install, "pip", pip)
    monkeypatch.setattr(install, "reachable", lambda url: False)
    if "nvidia-cublas" in names:
        with pytest.raises(SystemExit, match="make book TORCH=cuda"):
            install.install_cpu_torch(())
    else:
        install.install_cpu_torch(())
    assert all("--dry-run" in arguments for arguments in asked)


def test_an_index_that_cannot_be_reached_is_told_from_one_with_an_unknown_certificate(monkeypatch):
    def fail(reason):
        def urlopen(url, timeout):
            raise urllib.error.URLError(reason)

        monkeypatch.setattr(install.urllib.request, "urlopen", urlopen)
        return install.reachable("https://example.org")

    assert not fail(OSError("Name or service not known"))
    assert fail(install.ssl.SSLCertVerificationError())


def test_a_failing_pip_leaves_no_stamp(venv, monkeypatch):
    stamp = venv / "installed"
    venv.mkdir()
    stamp.touch()
    monkeypatch.setattr(install, "fits", lambda torch: True)
    monkeypatch.setattr(install, "PYTHON", "false")
    with pytest.raises(SystemExit, match="the next make goes on"):
        install.install("cpu")
    assert not stamp.exists()


def test_a_package_that_was_cut_off_is_installed_again(venv, monkeypatch):
    packages = venv / "lib" / "python3.11" / "site-packages"
    for name in ("whole", "half"):
        (packages / f"{name}-1.dist-info").mkdir(parents=True)
    (packages / "whole-1.dist-info" / "RECORD").touch()
    monkeypatch.setattr(install, "fits", lambda torch: True)
    monkeypatch.setattr(
        install, "pip", lambda *a, **k: subprocess.CompletedProcess(a, 0, '{"install": []}')
    )
    monkeypatch.setattr(install, "reachable", lambda url: False)
    install.install("cpu")
    assert [path.name for path in packages.iterdir()] == ["whole-1.dist-info"]
    assert (venv / "installed").exists()


def test_a_half_made_venv_does_not_fit(venv):
    assert not install.fits("auto")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    assert not install.fits("auto")


def test_a_venv_with_the_other_torch_than_the_one_asked_for_does_not_fit(venv):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    packages = next(venv.glob("lib/python*/site-packages"))
    (packages / "torch").mkdir()
    (packages / "pip" / "_internal" / "cli").mkdir(parents=True)
    (packages / "pip" / "_internal" / "cli" / "main.py").touch()
    assert [install.fits(torch) for torch in ("auto", "cpu", "cuda")] == [True, True, False]
    (packages / "nvidia").mkdir()
    assert [install.fits(torch) for torch in ("auto", "cpu", "cuda")] == [True, False, True]


def test_without_ensurepip_and_without_debian_the_package_to_install_is_named(venv, monkeypatch):
    monkeypatch.setattr(install.sys, "executable", "false")
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        install.make_venv()
