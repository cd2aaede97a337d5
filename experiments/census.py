"""Make the identity cards of optimizers of other packages: results/census.json.

    python -m experiments.census                # those that are not there yet
    python -m experiments.census timm madgrad   # those of these packages

`census_subjects` lists them. Each package is installed into a folder of its own, without what it
depends on but for what the list names: torch, NumPy and SciPy are those of this environment. Each
optimizer runs in a process of its own. A row stays as it is while the version of its package, the
way its optimizer is made and the text of adamlib.diagnose do.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from adamlib import diagnose, files
from adamlib.bench import report
from experiments.census_subjects import HERE, PACKAGES
from experiments.record import RESULTS

RECORD, ROOT = RESULTS / "census.json", RESULTS.parent
FOLDER = Path("~/.cache/adamlib/census")
QUIET = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "KERAS_BACKEND": "torch"}
QUIET |= {"JAX_PLATFORMS": "cpu", "TORCHDYNAMO_DISABLE": "1", "PYTHONWARNINGS": "ignore"}


def text():
    """Return a short hash of the text of adamlib.diagnose."""
    parts = [path.read_bytes() for path in sorted(Path(diagnose.__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def subjects(names):
    """Yield (requirement, what else it needs, package, its version, how) of each optimizer."""
    for requirement, (needs, hows) in PACKAGES.items():
        package, _, number = requirement.partition("==")
        if not names or package in names:
            for how in hows:
                yield requirement, needs, package, number or version(package), how


def name(how):
    """Return the name of an optimizer: what stands behind the colon."""
    return next(word.partition(":")[2] for word in how.split() if ":" in word)


def installed(requirement, needs, folder):
    """Return the folder that a package is in, None for one of this environment."""
    if requirement in HERE:
        return None
    place = folder / requirement.replace("==", "-")
    if not place.exists():
        part = place.with_name(f"{place.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", part]
        subprocess.run([*pip, requirement, *needs.split()], check=True, stderr=subprocess.DEVNULL)
        part.rename(place)
    return place


def outcome(how, place, limit):
    """Return {"card": ...} of an optimizer, or {"error": why there is none}."""
    path = os.pathsep.join(str(folder) for folder in (place, ROOT) if folder)
    command = [sys.executable, "-m", "experiments.census_adapters", *how.split()]
    kept = dict(capture_output=True, text=True, timeout=limit, cwd=ROOT)
    try:
        ran = subprocess.run(command, env={**os.environ, **QUIET, "PYTHONPATH": path}, **kept)
    except subprocess.TimeoutExpired:
        return {"error": f"no card within {limit:g} s"}
    cards = [line for line in ran.stdout.splitlines() if line.startswith('{"verdict"')]
    if not cards:
        said = ran.stderr.strip().splitlines() or [f"the process ended with {ran.returncode}"]
        return {"error": said[-1][:300]}
    return {"card": json.loads(cards[-1])}


def measured(subject, place, limit):
    """Return the row of an optimizer."""
    _, _, package, number, how = subject
    row = {"package": package, "version": number, "name": name(how), "made": how}
    row |= {"date": time.strftime("%Y-%m-%d"), "diagnose": text()}
    start = time.perf_counter()
    found = outcome(how, place, limit)
    return {**row, "seconds": round(time.perf_counter() - start, 1), **found}


def key(row):
    """Return what tells the rows of a record apart."""
    return row["package"], row["made"]


def store(rows):
    """Write the record, a line for each row, in the order of the list."""
    order = [subject[2:5:2] for subject in subjects([])]
    kept = [rows[one] for one in order if one in rows]
    about = report.about("cpu", 1, "python -m experiments.census")
    lines = ",\n".join(files.as_json(row).strip() for row in kept)
    files.write(RECORD, f'{{"about": {json.dumps(about)},\n"rows": [\n{lines}\n]}}\n')


def census(options):
    """Make the rows that are missing; return the packages that could not be installed."""
    rows = json.loads(RECORD.read_text(encoding="utf-8"))["rows"] if RECORD.exists() else []
    rows, failed = {key(row): row for row in rows}, set()
    folder = files.path_of(options.packages_folder)
    folder.mkdir(parents=True, exist_ok=True)
    bar = tqdm(list(subjects(options.packages)), unit="card")
    for subject in bar:
        requirement, needs, package, number, how = subject
        row = rows.get((package, how), {})
        fresh = (row.get("version"), row.get("diagnose")) == (number, text())
        if (fresh and not options.again) or requirement in failed:
            continue
        bar.set_description(f"{package} {name(how)}")
        try:
            place = installed(requirement, needs, folder)
        except subprocess.CalledProcessError:
            failed.add(requirement)
            continue
        rows[package, how] = measured(subject, place, options.limit)
        store(rows)
    return failed


def main():
    packages = [requirement.partition("==")[0] for requirement in PACKAGES]
    parser = argparse.ArgumentParser(
        "python -m experiments.census", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("packages", nargs="*", help="none means all of census_subjects.py")
    parser.add_argument(
        "--packages-folder", default=FOLDER, help=f"for what pip installs: {FOLDER}"
    )
    parser.add_argument("--limit", type=float, default=180, help="seconds for a card (180)")
    parser.add_argument("--again", action="store_true", help="make rows anew that are up to date")
    options = parser.parse_args()
    if unknown := set(options.packages) - set(packages):
        parser.error(f"packages must be of {packages}, got {sorted(unknown)}")
    if failed := census(options):
        sys.exit(f"could not be installed: {', '.join(sorted(failed))}")


if __name__ == "__main__":
    main()
