"""A small book, built as the real one is."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def furnish(folder):
    """None; puts this book's settings, extensions and styles into `folder`."""
    for name in ("_ext", "_static", "_extra", "tools"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("_config.yml", "references.bib", "CITATION.cff"):
        shutil.copy(ROOT / name, folder)
    (folder / "chapters").mkdir()


def build(folder):
    """Return the folder of the pages of the book in `folder`; a warning is an error."""
    command = "from jupyter_book.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "build", folder, "-W", "-n", "--keep-going"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "_build/html"
