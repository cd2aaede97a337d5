"""What a step costs on many workers: the ring, and ZeRO's shares."""

import numpy as np


def rounds(chunks):
    """Add the gradients of W workers in a ring, in place; yield `chunks` after each round.

    chunks: (W, W, width), the gradient of each worker in W chunks. In each of 2 (W - 1) rounds
    every worker sends one chunk to the next worker. In the first half the receiver adds it to its
    own (reduce-scatter), in the second it keeps it (all-gather): then all hold the same sums.
    """
    workers = len(chunks)
    rank = np.arange(workers)
    for k in range(2 * (workers - 1)):
        which = (rank - k) % workers  # what each sends: in round k > 0, what it has just received
        sent, to = chunks[rank, which], (rank + 1) % workers  # (W, width), a copy
        chunks[to, which] = sent + chunks[to, which] if k < workers - 1 else sent
        yield chunks


def all_reduce(gradients, latency=0.0, bandwidth=np.inf, start=0.0):
    """Return (sums, sent, seconds) of an all-reduce that is really carried out, round by round.

    gradients: (W, n), a row for each worker, padded with zeros to W chunks of one width.
    latency in seconds, bandwidth in bytes per second: of the link to the next worker, one number
    or one for each; start: when each worker has its gradient, in seconds. sums: (W, n), what each
    holds at the end; sent: the bytes that each has sent; seconds: (W,), when each is done.
    """
    workers, n = gradients.shape
    width = -(-n // workers)
    padded = np.pad(gradients, ((0, 0), (0, width * workers - n)))
    chunks = padded.reshape(workers, workers, width)
    size = chunks[0, 0].nbytes
    sent, clock = 0, np.zeros(workers) + start
    for _ in rounds(chunks):
        sent += size
        # a message leaves when the chunk is there and the one before it has left the link
        clock = np.roll(np.maximum(clock, np.roll(clock, -1)) + latency + size / bandwidth, 1)
    return chunks.reshape(workers, -1)[:, :n], sent, clock


def ring_seconds(size, workers, latency, bandwidth):
    """Return how long a ring all-reduce of `size` bytes takes over equal links, in seconds.

    Rounds of Patarasuk & Yuan (2009): 2 (W - 1) messages one after another, of size / W bytes.
    """
    return 2 * (workers - 1) * (latency + size / (workers * bandwidth))


def step_seconds(passes, update, communication, overlap=0.0):
    """Return the seconds of a step: forward and backward passes, all-reduce, update.

    overlap: the share of the passes during which gradients can already travel; 0 is none of it,
    and a backward pass takes about 2/3. This is a bound: the last bucket cannot be hidden.
    """
    return passes + np.maximum(0, communication - overlap * passes) + update


def fit_ring(sizes, seconds, workers):
    """Return (latency in s, bandwidth in bytes/s) of measured all-reduces of `sizes` bytes.

    Least squares of the relative errors: the smallest size counts as much as the largest.
    """
    sizes, seconds = np.asarray(sizes, dtype=float), np.asarray(seconds, dtype=float)
    turns = 2 * (workers - 1)
    parts = np.stack([np.full_like(sizes, turns), turns * sizes / workers], axis=1)
    (latency, per_byte), *_ = np.linalg.lstsq(
        parts / seconds[:, None], np.ones(len(sizes)), rcond=None
    )
    return float(latency), float(1 / per_byte)


def kept_bytes(parameters, workers, stage, sizes=(4, 4, 8)):
    """Return the bytes that each worker keeps under ZeRO (Rajbhandari et al., 2020), stage 0 to 3.

    sizes: bytes per parameter of weights, gradients and the optimizer's state. Stage 1 shares
    the state among the workers, stage 2 the gradients, too, and stage 3 all of it.
    Raises ValueError for another stage.
    """
    if stage not in (0, 1, 2, 3):
        raise ValueError(f"stage must be 0, 1, 2 or 3, got {stage!r}")
    weights, gradients, state = sizes
    shared = state * (stage >= 1) + gradients * (stage >= 2) + weights * (stage >= 3)
    return parameters * (weights + gradients + state - shared + shared / workers)


def sent_bytes(size, workers, passes=2):
    """Return the bytes that each worker sends for `size` bytes: `passes` times once around.

    An all-reduce has two (reduce-scatter, all-gather); so have ZeRO's stages 1 and 2, which gather
    weights instead of gradients. Stage 3 gathers the weights twice, and has three.
    """
    return passes * size * (workers - 1) / workers
