"""Checkpoints: files without pickle, verified, the last few kept."""

import errno
import hashlib
import json
import re
import shutil
import tempfile
import warnings
from contextlib import contextmanager

import filelock
from safetensors import SafetensorError
from safetensors.torch import load, save

from adamlib import files
from adamlib.runs.packing import packed, unpacked

LOCK = "in-use.lock"
NAME = re.compile(r"step-(\d{9})-([0-9a-f]{16})\.safetensors")


class Checkpoints:
    """The checkpoints in a folder, named by the step and the SHA-256 of what they hold.

    A file is safetensors: its tensors, and under "rest" in its metadata everything else, as JSON.
    A file in the making has another name, so a process that is killed leaves whole files only.
    Raises OSError for a folder that cannot be made.
    """

    def __init__(self, folder, keep=3):
        self.folder, self.keep = files.path_of(folder), keep
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in self.folder.glob("step-*.part"):  # of a process that was killed
            part.unlink()

    def paths(self):
        """Return the checkpoints, the newest first."""
        named = [path for path in self.folder.iterdir() if NAME.fullmatch(path.name)]
        return sorted(named, reverse=True)

    def save(self, step, state):
        """Write `state` (tensors, numbers, strings, lists, dicts) and remove what is too old.

        Raises TypeError for what such a file cannot hold, OSError for a full disk; the files
        that were there are still there then.
        """
        tensors = {}
        rest = json.dumps(packed(state, "state", tensors))
        content = save(tensors, {"rest": rest})
        path = self.folder / f"step-{step:09d}-{digest(content)}.safetensors"
        files.write(path, content)
        for old in self.paths():
            if old.name[:14] == path.name[:14] and old != path:  # the same step, saved before
                old.unlink()
        for old in self.paths()[self.keep :]:
            old.unlink()

    def newest(self):
        """Return the newest file that is whole, None if there is no file.

        A damaged one is renamed to *.damaged, with a warning that names it. Raises ValueError if
        there are damaged ones alone: a run must not begin anew by itself.
        """
        for path in self.paths():
            if NAME.fullmatch(path.name)[2] == digest(path.read_bytes()):
                return path
            path.replace(path.with_suffix(".damaged"))
            warnings.warn(f"checkpoint {path} is damaged: trying the one before", stacklevel=2)
        if any(self.folder.glob("step-*.damaged")):
            wish = "a folder with a whole file; remove the damaged ones to begin anew"
            raise ValueError(f"checkpoint must be {wish}, got {self.folder}")
        return None

    def check_room(self, size):
        """Raise OSError unless `size` bytes are free and the folder can be written."""
        with tempfile.TemporaryFile(dir=self.folder):
            pass
        total, _, free = shutil.disk_usage(self.folder)
        if total and free < size:  # some mounted drives tell nothing
            have = f"{free / 1e6:,.0f} MB are free there, {self.keep + 1} checkpoints need"
            raise OSError(errno.ENOSPC, f"{have} {size / 1e6:,.0f} MB", str(self.folder))


@contextmanager
def held(folder):
    """Keep other runs out of a folder, which is made; None is no folder.

    Raises OSError while another run has it. A process that is killed lets it go.
    """
    if folder is None:
        yield
        return
    folder = files.path_of(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        words = "in use by another run; give each a folder of its own"
        raise OSError(errno.EBUSY, words, str(folder)) from None
    except (OSError, NotImplementedError):
        pass  # not writable, which is told later, or a file system that knows no locks
    try:
        yield
    finally:
        lock.release()


def digest(content):
    """Return the first 16 hexadecimal digits of the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def read(path):
    """Return what `Checkpoints.save` wrote to `path`; the tensors are on the CPU.

    Raises ValueError for a file of another kind.
    """
    content = path.read_bytes()
    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        rest = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["rest"])
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is no checkpoint of adamlib.train: {error}") from error
    return unpacked(rest, tensors)
