"""The space of a sweep, and the settings of its trials."""

import hashlib
import json
import math
from collections.abc import Mapping
from operator import pos
from typing import Any

#: A scale: the function that makes it even, and the one back.
SCALES = {"linear": (pos, pos), "log": (math.log, math.exp)}
SCALES["log1m"] = (lambda x: -math.log(1 - x), lambda y: 1 - math.exp(-y))
FORM = "('linear', low, high), ('log', low > 0, high), ('log1m', low, high < 1) or ('choice', list)"
Space = Mapping[str, tuple[Any, ...]]


def drawn(space: Space, seed: int, trial: int) -> dict[str, Any]:
    """Return the settings {name: value} of a trial, drawn at random, alike on every machine.

    space: name -> ("linear", low, high); ("log", low, high), even in log x; ("log1m", low, high),
    even in log(1 - x), for averages over 1 / (1 - x) steps; or ("choice", list). A value hangs on
    its name, the seed and the trial, not on other names, and has nine digits, in which the
    logarithms of all machines agree. Raises TypeError or ValueError for another space.
    """
    check_space(space)
    return {name: value(name, seed, trial, *parts) for name, parts in space.items()}


def value(name, seed, trial, scale, *ends):
    """Return the value at a share of the scale that is read off the first 53 bits of a hash."""
    content = hashlib.sha256(json.dumps([name, int(seed), trial]).encode()).digest()
    share = (int.from_bytes(content[:8], "big") >> 11) / 2**53  # from 0 to below 1
    if scale == "choice":
        return ends[0][int(share * len(ends[0]))]
    even, back = SCALES[scale]
    start, end = map(even, ends)
    return min(max(float(f"{back(start + share * (end - start)):.9g}"), ends[0]), ends[1])


def check_space(space):
    """Raise TypeError or ValueError, with what is allowed, for what is no space."""
    if not isinstance(space, dict) or not space or not all(isinstance(x, str) for x in space):
        raise TypeError(f"space must be a dict of at least one name, got {space!r}")
    for name, parts in space.items():
        try:
            scale, *ends = parts
            if scale == "choice":
                (values,) = ends
                good = isinstance(values, tuple | list) and len(json.dumps(values)) > 2
            else:
                start, end = map(SCALES[scale][0], ends)
                good = 0 < end - start < math.inf
        except (TypeError, ValueError, KeyError):  # too many or few, no number, no logarithm
            good = False
        if not good:
            raise ValueError(f"space[{name!r}] must be {FORM}, got {parts!r}")
