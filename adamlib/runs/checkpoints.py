"""Checkpoints: files without pickle, verified, the last few kept."""

import errno
import hashlib
import json
import re
import shutil
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from adamlib import files

NAME = re.compile(r"step-(\d{9})-([0-9a-f]{16})\.safetensors")


class Checkpoints:
    """The checkpoints in a folder, named by the step and the SHA-256 of what they hold.

    A file is safetensors: its tensors, and under "rest" in its metadata everything else, as JSON.
    A file in the making has another name, so a process that is killed leaves whole files only.
    Raises OSError for a folder that cannot be made.
    """

    def __init__(self, folder, keep=3):
        self.folder, self.keep = Path(folder), keep
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
        free = shutil.disk_usage(self.folder).free
        if free < size:
            have = f"{free / 1e6:,.0f} MB are free there, {self.keep + 1} checkpoints need"
            raise OSError(errno.ENOSPC, f"{have} {size / 1e6:,.0f} MB", str(self.folder))


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


def packed(value, path, tensors):
    """Return `value` as JSON holds it; its tensors go into `tensors`, by the path to them."""
    if isinstance(value, torch.Tensor) and path not in tensors:
        tensors[path] = value.detach().cpu().contiguous().clone()  # tied weights share memory
        return {"tensor": path}
    if isinstance(value, dict):  # JSON would turn a key 0 into "0"
        kind = "counter" if isinstance(value, Counter) else "dict"  # of MultiStepLR
        return {kind: [[key, packed(x, f"{path}.{key}", tensors)] for key, x in value.items()]}
    if isinstance(value, list | tuple):
        items = [packed(x, f"{path}.{i}", tensors) for i, x in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold {path}, got {value!r}")


def unpacked(value, tensors):
    """Return what `packed` was given."""
    if isinstance(value, list):
        return [unpacked(x, tensors) for x in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple(unpacked(content, tensors))
    pairs = {key: unpacked(x, tensors) for key, x in content}
    return Counter(pairs) if kind == "counter" else pairs
