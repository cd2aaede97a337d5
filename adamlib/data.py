"""Data sets as tensors that already lie on the device."""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class Data(NamedTuple):
    """A data set cut in two; images are float32 (N, 1, 8, 8), labels int64 (N,)."""

    x_train: torch.Tensor  #: training images
    y_train: torch.Tensor  #: their labels
    x_test: torch.Tensor  #: held-out images
    y_test: torch.Tensor  #: their labels

    def to(self, device):
        """Return the same data on another device."""
        return Data(*(tensor.to(device) for tensor in self))


def pick_device(name="auto"):
    """Return the torch.device called `name`; "auto" is CUDA, else Apple's MPS, else the CPU.

    Raises ValueError when this machine lacks the device; the message lists those it has.
    """
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present[:0] = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if str(name) == "auto":
        return torch.device(present[0])
    if str(name) not in present:
        raise ValueError(f"device must be 'auto' or one of {present} on this machine, got {name!r}")
    return torch.device(name)


def load(name="digits", *, device="auto", seed=0):
    """Return a `Data` set on `device`.

    "digits": the 1,797 gray 8×8 images of handwritten digits that come with scikit-learn. A
    quarter is held out, class by class (stratified), by a split that `seed` fixes. Pixels are
    standardized by the mean and deviation of the training images alone.
    Raises ValueError for an unknown name or a device that this machine lacks.
    """
    if name != "digits":
        raise ValueError(f"name must be 'digits', got {name!r}")
    device = pick_device(device)
    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images, labels, test_size=0.25, stratify=labels, random_state=seed)
    x_train, x_test, y_train, y_test = split
    mean, deviation = x_train.mean(), x_train.std()

    def as_images(x):
        x = ((x - mean) / deviation).astype(np.float32)
        return torch.from_numpy(x.reshape(-1, 1, 8, 8))

    labels = torch.from_numpy(y_train), torch.from_numpy(y_test)
    return Data(as_images(x_train), labels[0], as_images(x_test), labels[1]).to(device)


def batches(x, y, batch_size, generator):
    """Yield (x, y) batch by batch, in one random order of all samples; the last may be short.

    generator: a CPU torch.Generator, so that a seed gives the same order on every device.
    """
    order = torch.randperm(len(x), generator=generator).to(x.device)
    yield from zip(x[order].split(batch_size), y[order].split(batch_size), strict=True)
