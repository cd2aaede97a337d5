"""Files written whole or not at all; and the records of the book, read by name."""

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

#: What a file system answers that cannot sync: network shares, mounted drives, many of FUSE's.
CANNOT = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EBADF}
#: The measurements that the chapters draw, and the claims that were declared before them.
RESULTS = Path(__file__).with_name("results")


def path_of(name: str | os.PathLike[str]) -> Path:
    """Return the path that a user means by `name`: ~ is the home folder, also after a =."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:  # there is no such home
        raise ValueError(f"a path that begins with ~ needs a home folder, got {name!r}") from error


def write(path: Path, content: str | bytes) -> None:
    """Write text or bytes to `path` whole or not at all: a temporary name, synced, renamed.

    Raises OSError, with the path, for what cannot be written.
    """
    content = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            sync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if error.errno and not error.filename:  # a write or a sync does not say where
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync(number):
    """Make a file, or a rename in a folder, outlast a loss of power, where that is possible."""
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in CANNOT:
            raise


def sync_folder(folder):
    """Make a rename in `folder` outlast a loss of power; Windows does so by itself."""
    if os.name == "posix":
        try:
            number = os.open(folder, os.O_RDONLY)
        except OSError:  # it may be written to, but not read
            return
        try:
            sync(number)
        finally:
            os.close(number)


def as_json(record: Any) -> str:
    """Return `record` as JSON text; a loss that is not finite (it diverged) becomes null."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(plain(record), allow_nan=False) + "\n"


def record(name: str) -> Any:
    """Return what results/`name`.json holds. Raises ValueError, with the names, for another one."""
    names = sorted(path.stem for path in RESULTS.glob("*.json"))
    if name not in names:
        raise ValueError(f"name must be one of {', '.join(names)}, got {name!r}")
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
