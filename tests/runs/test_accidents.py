"""Random accidents to a run: it ends with the same bits, or a refusal that names the reason.

`pytest tests/runs/test_accidents.py --programs 20000` tries more of them than `make test` does.
"""

import errno
import os
import tempfile
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_resume import SMALL, Killed, go, names, same
from torch.optim.lr_scheduler import StepLR

from adamlib import optim
from adamlib.runs.checkpoints import Checkpoints, held

RUN = {"schedule": partial(StepLR, step_size=2, gamma=0.5), "resume": True}
CHANGES = [
    {"schedule": partial(StepLR, step_size=2, gamma=0.1)},
    {"schedule": None},
    {"kind": optim.RMSProp},
    {"kind": partial(optim.Adam, lr=0.01)},
    {"batch_size": 8},
    {"seed": 1},
    {"data": SMALL._replace(x_train=SMALL.x_train + 1)},
]
STEPS = st.integers(1, 9)
ACCIDENTS = st.one_of(
    st.tuples(st.just("killed"), STEPS),
    st.tuples(st.just("full"), st.integers(1, 8)),
    st.tuples(st.just("read-only"), st.just(0)),
    st.tuples(st.just("damaged"), st.integers(0, 5000)),
    st.tuples(st.just("in use"), st.just(0)),
)
WHOLE = []


def failing(number, after):
    """A sync that fails from the call after `after` on."""
    calls = []

    def fsync(handle):
        calls.append(handle)
        if len(calls) > after:
            raise OSError(number, os.strerror(number))

    return patch("os.fsync", fsync)


def happen(folder, what, detail, every):
    """Let an accident happen to the run in `folder`."""
    attempt = partial(go, folder, **RUN, save_every=every)
    if what == "killed":
        with suppress(Killed):
            attempt(dies_at=detail)
    elif what in ("full", "read-only"):
        number = errno.ENOSPC if what == "full" else errno.EROFS
        try:
            with failing(number, detail):
                attempt()
        except OSError as error:
            assert error.errno == number and error.filename
    elif what == "damaged" and (stored := Checkpoints(folder).paths()):
        content = bytearray(stored[0].read_bytes())
        content[detail % len(content)] ^= 1
        stored[0].write_bytes(content)
    elif what == "changed" and Checkpoints(folder).newest():
        before = names(folder)
        with pytest.raises(ValueError, match="is of another run"):
            go(folder, **{**RUN, **detail}, save_every=every)
        assert names(folder) == before
    elif what == "in use":
        with held(folder), pytest.raises(OSError, match="in use by another run"):
            attempt()


def end(folder):
    """The weights of the run gone on with, None if no file of it is whole."""
    try:
        return go(folder, **RUN)
    except ValueError as error:
        assert "a folder with a whole file" in str(error)
        assert not Checkpoints(folder).paths() and names(folder)


@given(
    accidents=st.lists(ACCIDENTS, min_size=1, max_size=5),
    change=st.sampled_from(CHANGES),
    every=st.sampled_from([None, 1, 2]),
)
def survives(accidents, change, every):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a damaged file is told by a warning, see test_resume
        for what, detail in (*accidents, ("changed", change)):
            try:
                happen(Path(folder), what, detail, every)
            except ValueError as error:  # all files damaged
                assert "a folder with a whole file" in str(error)
        weights = end(Path(folder))
        assert weights is None or same(weights, WHOLE[0])


@pytest.mark.slow
def test_a_run_ends_with_the_same_bits_or_a_named_refusal(pytestconfig):
    many = pytestconfig.getoption("--programs")
    WHOLE[:] = [go(None, schedule=RUN["schedule"])]
    usual = many == 200
    settings(max_examples=many // 4, deadline=None, derandomize=usual, database=None)(survives)()
