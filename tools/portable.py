"""Do chapters and tests say the same under other arithmetic? `make portable`

Runs every notebook, and the tests that compute, once for each of the settings below: other
instructions, other matrix products, other sums. Names every cell and test that differs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
ONE = {"OMP_NUM_THREADS": "1"}
SETTINGS = {  # what PyTorch, oneDNN and MKL may use; variables of the processes
    "scalar": {**ONE, "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "avx2": {**ONE, "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "threads": {"OMP_NUM_THREADS": "2"},
}
SETTINGS["scalar"]["MKL_CBWR"] = "COMPATIBLE"
COMPUTE_NOTHING = ("tests/tools", "tests/web")


def trial(setting, paths):
    """Return (tests run, [what differs]) of pytest over `paths` under a setting."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"]
        command += [f"--junitxml={report}", *paths]
        environment = {**os.environ, **SETTINGS[setting]}
        subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        if not report.exists():
            return 0, [f"pytest {' '.join(paths)} did not run"]
        cases = list(ElementTree.parse(report).iter("testcase"))
    found = []
    for case in cases:
        for trouble in (*case.iter("failure"), *case.iter("error")):
            lines = (trouble.text or trouble.get("message", "")).strip().splitlines()
            said = [line.strip() for line in lines if line.strip() and "Traceback" not in line]
            found.append(
                f"{case.get('classname')} {case.get('name')}\n    " + "\n    ".join(said[:12])
            )
    return len(cases), found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="paths; none means all, and the tests")
    parser.add_argument("--setting", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    options = parser.parse_args()
    notebooks = options.notebooks or sorted(map(str, (ROOT / "chapters").glob("*.ipynb")))
    differ = 0
    for setting in options.setting:
        parts = [trial(setting, ["--nbval", "--nbval-current-env", *notebooks])]
        if not options.notebooks:
            ignored = [f"--ignore={folder}" for folder in COMPUTE_NOTHING]
            parts.append(trial(setting, ["tests", *ignored]))
        found = [line for _, lines in parts for line in lines]
        print(f"{setting}: {sum(n for n, _ in parts)} cells and tests, {len(found)} differ")
        print(*(f"  {line}" for line in found), sep="\n", end="\n" if found else "", flush=True)
        differ += len(found)
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
