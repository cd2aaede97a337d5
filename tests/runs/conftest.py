"""Images that are learned in no time, and a Ctrl-C that is heard."""

import signal

import numpy as np
import pytest


@pytest.fixture(scope="session")
def own(tmp_path_factory):
    """The path of images of nine pixels, the brightest of which tells the class.

    600 are held out, more than two processes measure at once.
    """
    path = tmp_path_factory.mktemp("data") / "own.npz"
    random, arrays = np.random.default_rng(0), {}
    for part, n in (("train", 22), ("test", 600)):
        labels = np.arange(n) % 9
        images = random.random((n, 9)) + np.eye(9)[labels]
        arrays |= {f"x_{part}": images.reshape(n, 3, 3), f"y_{part}": labels}
    np.savez(path, **arrays)
    return path


@pytest.fixture(autouse=True)
def ctrl_c():
    """Ctrl-C as a terminal sends it: a program that starts in the background is deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
