"""The digits: 1,797 images that come with the package, and their split."""

from pathlib import Path

import numpy as np

from adamlib.sources import idx

FOLDER = Path(__file__).parent
HELD_OUT = 450  # a quarter


def read(seed):
    """Return x_train, y_train, x_test, y_test: gray 8×8 images with values 0 to 16, labels 0 to 9.

    The test set of Alpaydin & Kaynak (1998), "Optical Recognition of Handwritten Digits", UCI
    Machine Learning Repository, CC BY 4.0; the one that scikit-learn has. `seed` fixes the split,
    which is that of scikit-learn's train_test_split(test_size=0.25, stratify=labels).
    """
    images = idx.read(FOLDER / "digits-images-idx3-ubyte.gz", 3)
    labels = idx.read(FOLDER / "digits-labels-idx1-ubyte.gz", 1)
    train, test = stratified(labels, HELD_OUT, seed)
    return images[train], labels[train], images[test], labels[test]


def stratified(labels, held_out, seed):
    """Return the indices (train, test) of a random split in which each class has its share."""
    rng, counts = np.random.RandomState(seed), np.bincount(labels)
    kept = shares(counts, len(labels) - held_out, rng)
    left = shares(counts - kept, held_out, rng)
    train, test = [], []
    for label, (k, n) in enumerate(zip(kept, left, strict=True)):
        shuffled = np.flatnonzero(labels == label)[rng.permutation(counts[label])]
        train.extend(shuffled[:k])
        test.extend(shuffled[k : k + n])
    return rng.permutation(train), rng.permutation(test)


def shares(counts, n, rng):
    """Return how many of n each class gets: in proportion, the largest remainders rounded up."""
    exact = counts / counts.sum() * n
    whole = np.floor(exact)
    remainders = exact - whole
    for remainder in np.unique(remainders)[::-1]:
        missing = int(n - whole.sum())
        if missing:
            (equal,) = np.nonzero(remainders == remainder)
            whole[rng.choice(equal, min(len(equal), missing), replace=False)] += 1
    return whole.astype(int)
