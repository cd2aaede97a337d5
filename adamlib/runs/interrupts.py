"""Ctrl-C that waits for the end of a step."""

import signal
import threading
from contextlib import contextmanager

from adamlib.runs import dist


@contextmanager
def signals_noted(active):
    """Yield a list that notes Ctrl-C and SIGTERM, which then end nothing in the middle of a step.

    A second Ctrl-C does end it, unless there are other processes: torchrun passes on the first.
    """
    noted = []
    if not active or threading.current_thread() is not threading.main_thread():
        yield noted  # only the main thread may take signals
        return

    def note(number, frame):
        if noted and number == signal.SIGINT and dist.world() == 1:
            raise KeyboardInterrupt
        noted.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
