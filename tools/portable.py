"""Do chapters and tests say the same under other arithmetic? `make portable`

Runs every notebook, and the tests that compute, once for each of the settings below: other
instructions, other matrix products, other sums. Names every cell and test that differs, and
stores the verdict on each notebook for the status page.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from status import fingerprint, record

ROOT = Path(__file__).resolve().parent.parent
ONE = {"OMP_NUM_THREADS": "1"}
SETTINGS = {  # what PyTorch, oneDNN and MKL may use; variables of the processes
    "scalar": {**ONE, "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "avx2": {**ONE, "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "threads": {"OMP_NUM_THREADS": "2"},
}
SETTINGS["scalar"]["MKL_CBWR"] = "COMPATIBLE"
COMPUTE_NOTHING = ("tests/tools", "tests/web")
COLOR = re.compile(r"(#x1B|\x1b)\[[\d;]*m")  # XML has no escape character
LINES = 15  # of what each has to say


def trial(setting, paths):
    """Return {cell or test: [what differs]} of pytest over `paths` under a setting."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        workers = "2" if SETTINGS[setting]["OMP_NUM_THREADS"] == "1" else "1"  # threads spin
        command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "--dist", "loadfile"]
        command += ["--nbval", "--nbval-current-env", f"--junitxml={report}", *paths]
        environment = {**os.environ, **SETTINGS[setting], "PROOFS": "none"}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=-1, text=True)
        if done.returncode > 1:  # 0: all passed, 1: some failed
            return {"pytest": [f"did not run: {done.stdout[-1000:]}"]}
        cases = list(ElementTree.parse(report).iter("testcase"))
    found = {}
    for case in cases:
        here = found.setdefault(f"{case.get('classname')} {case.get('name')}", [])
        for trouble in (*case.iter("failure"), *case.iter("error")):
            text = COLOR.sub("", trouble.text or trouble.get("message", ""))
            here += [line.strip() for line in text.splitlines() if line.strip()][:LINES]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", help="of notebooks or tests; none means all")
    parser.add_argument("--setting", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    options = parser.parse_args()
    codes = {path: fingerprint(path) for path in sorted((ROOT / "chapters").glob("*.ipynb"))}
    every = [*map(str, codes), "tests", *(f"--ignore={folder}" for folder in COMPUTE_NOTHING)]
    verdicts, differ = defaultdict(dict), 0
    parts = [path for path in options.paths if "::" in path]  # which are no verdict on a notebook
    for setting in options.setting:
        found = trial(setting, options.paths or every)
        wrong = {place: lines for place, lines in found.items() if lines}
        print(f"{setting}: {len(found)} cells and tests, {len(wrong)} differ")
        for place, lines in wrong.items():
            print(f"  {place}", *lines, sep="\n    ", flush=True)
        differ += len(wrong)
        for place in found:
            if not parts and (match := re.fullmatch(r"chapters\.([\w-]+)\.ipynb (.*)", place)):
                cells = verdicts[match[1]].setdefault(setting, [])
                cells += [match[2]] if place in wrong else []
    for path in (path for path in codes if path.stem in verdicts):
        record("portable", path, codes[path], differs=verdicts[path.stem])
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
