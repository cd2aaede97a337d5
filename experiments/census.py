"""Make the identity cards of optimizers of other packages: adamlib/results/census.json.

    python -m experiments.census                # those that are not there yet
    python -m experiments.census timm madgrad   # those of these packages

`census_subjects` lists them. Each package is installed into a folder of its own, without what it
depends on but for what the list names: torch, NumPy and SciPy are those of this environment. Each
optimizer runs in a process of its own, a copy of one that has imported torch. A row stays as it is
while the version of its package, the way its optimizer is made and the text of adamlib.diagnose do.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from adamlib import diagnose, files
from adamlib.bench import report
from experiments.census_adapters import send_card
from experiments.census_subjects import HERE, PACKAGES

RECORD, ROOT = files.RESULTS / "census.json", files.RESULTS.parents[1]
FOLDER = Path("~/.cache/adamlib/census")
QUIET = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "KERAS_BACKEND": "torch"}
QUIET |= {"JAX_PLATFORMS": "cpu", "TORCHDYNAMO_DISABLE": "1", "PYTHONWARNINGS": "ignore"}
PROCESSES = multiprocessing.get_context("forkserver")


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
                yield requirement, needs, package, number or version(HERE[package]), how


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
    ours, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=send_card, args=(theirs, how, place))
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(limit) else {"error": f"no card within {limit:g} s"}
    except EOFError:
        process.join()
        return {"error": f"the process ended with {process.exitcode}"}
    finally:
        process.kill()


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
    rows, failed, waiting = {key(row): row for row in rows}, set(), {}
    folder = files.path_of(options.packages_folder)
    folder.mkdir(parents=True, exist_ok=True)
    subject_list = [each for each in subjects(options.packages) if options.again or old(each, rows)]
    with (
        ThreadPoolExecutor(options.jobs) as pool,
        tqdm(total=len(subject_list), unit="card") as bar,
    ):
        for subject in subject_list:
            requirement, needs, *_ = subject
            bar.set_description(requirement)
            try:
                place = requirement not in failed and installed(requirement, needs, folder)
            except subprocess.CalledProcessError:
                failed.add(requirement)
            if requirement not in failed:
                waiting[pool.submit(measured, subject, place, options.limit)] = subject
        for done in as_completed(waiting):
            row = done.result()
            rows[key(row)] = row
            store(rows)
            bar.set_description(f"{row['package']} {row['name']}")
            bar.update()
    return failed


def old(subject, rows):
    """Return whether the row of a subject is missing, or of another version or text."""
    _, _, package, number, how = subject
    row = rows.get((package, how), {})
    return (row.get("version"), row.get("diagnose")) != (number, text())


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
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cards at once (cores)")
    parser.add_argument("--again", action="store_true", help="make rows anew that are up to date")
    options = parser.parse_args()
    if unknown := set(options.packages) - set(packages):
        parser.error(f"packages must be of {packages}, got {sorted(unknown)}")
    os.environ.update(QUIET)
    PROCESSES.set_forkserver_preload(["torch._dynamo", "experiments.census_adapters"])
    if failed := census(options):
        sys.exit(f"could not be installed: {', '.join(sorted(failed))}")


if __name__ == "__main__":
    main()
