"""How nbval runs the chapters: what is not compared, one kernel starting at a time, a record."""

import contextlib
import json
import os
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import nbval.kernel

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def pytest_collectstart(collector):
    """Leave out figures, whose bytes depend on fonts, and the progress bar.

    nbval's own list leaves out PNG but neither SVG nor stderr.
    """
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("image/svg+xml", "stderr")


def pytest_configure(config):
    """Let one process at a time start a kernel: two at once may pick the same ports, and one dies.

    A kernel's ports are free when they are picked and taken only when it has started.
    """
    start = nbval.kernel.start_new_kernel

    def alone(*args, **kwargs):
        with Path(tempfile.gettempdir(), "road-to-adam-kernels").open("w") as lock:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX)
            return start(*args, **kwargs)

    nbval.kernel.start_new_kernel = alone


FOUND = defaultdict(Counter)  # of each notebook: cells passed and failed, seconds
CODES = {}  # hashes of what the notebooks say when the run begins


def pytest_sessionstart(session):
    """Note the code of the notebooks: one that changes meanwhile is not proven."""
    if hasattr(session.config, "workerinput") or os.environ.get("PROOFS") == "none":
        return
    import status

    CODES.update((path, status.fingerprint(path)) for path in Path(__file__).parent.glob("*.ipynb"))


def pytest_runtest_logreport(report):
    """Count a cell's report; under xdist the controller gets those of all workers."""
    path, found = report.nodeid.partition("::")[0], Counter({"seconds": report.duration})
    if path.endswith(".ipynb"):
        found[report.outcome] += report.when == "call" or report.failed
        FOUND[Path(path).stem].update(found)


def pytest_sessionfinish(session):
    """Leave what was found of each notebook that ran whole, but not under PROOFS=none."""
    if not CODES or not FOUND:
        return
    import status

    with contextlib.suppress(OSError):  # a checkout that is read-only keeps none
        status.PROOFS.mkdir(parents=True, exist_ok=True)
        for name, found in FOUND.items():
            path = Path(__file__).with_name(f"{name}.ipynb")
            counts = {key: found[key] for key in ("passed", "failed", "seconds")}
            kinds = [cell["cell_type"] for cell in json.loads(path.read_text("utf-8"))["cells"]]
            whole = found["passed"] + found["failed"] >= kinds.count("code")
            if whole and CODES.get(path) == status.fingerprint(path):
                text = json.dumps(status.proof(path, **counts))
                status.write(status.PROOFS / f"{name}.json", text)
