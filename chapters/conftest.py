"""How nbval runs the chapters: what it does not compare, and one kernel starting at a time."""

import tempfile
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
