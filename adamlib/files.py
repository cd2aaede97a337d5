"""Files written whole or not at all."""

import json
import math
import os


def write(path, text):
    """Write `text` to `path` whole or not at all: a temporary name, synced, renamed."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def as_json(record):
    """Return `record` as JSON text; a loss that is not finite (it diverged) becomes null."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(plain(record), allow_nan=False) + "\n"
