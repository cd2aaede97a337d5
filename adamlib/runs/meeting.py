"""How processes find each other, also when some have died before."""

import hashlib
import os
import time
import uuid

from torch import distributed


def meeting_place(timeout):
    """Return (store, rank, world): where the processes find each other, new after each restart."""
    try:
        store, number, size = next(distributed.rendezvous("env://", timeout=timeout))
    except distributed.DistError as error:
        place = " and ".join(
            f"{name}={os.environ[name]}" for name in ("MASTER_ADDR", "MASTER_PORT")
        )
        raise ConnectionError(
            f"no meeting at {place}: start all the processes, and choose a free port with torchrun"
            f" --master-port or let torchrun --standalone choose it ({error})"
        ) from error
    return distributed.PrefixStore(agreed_name(store, number, size, timeout), store), number, size


def agreed_name(store, number, size, timeout):
    """Return a name that the processes of this start agree on and no earlier start has used.

    The store outlives the workers: under names used before, one that was started again would find
    the addresses of the dead. torchrun's count of restarts is no such name, for each machine
    counts its own. So each process leaves a random word, the first lists them, and a list counts
    once everybody on it has said so: the dead do not. Raises TimeoutError.
    """
    own, deadline = uuid.uuid4().hex, time.monotonic() + timeout.total_seconds()
    store.set(f"word {number}", own)
    everyone = [f"word {i}" for i in range(size)]
    while time.monotonic() < deadline:
        if number == 0 and store.check(everyone):
            store.set("list", " ".join(store.get(name).decode() for name in everyone))
        words = store.get("list").decode() if store.check(["list"]) else ""
        if own in words.split():
            name = hashlib.sha256(words.encode()).hexdigest()
            store.set(f"{name} {number}", "seen")
            if store.check([f"{name} {i}" for i in range(size)]):
                return name
        time.sleep(0.02)
    raise TimeoutError(f"{size} processes must start within {timeout}; some did not")
