"""Data sets as tensors that already lie on the device."""

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from adamlib import files
from adamlib.sources import digits, download, idx, npz


class Data(NamedTuple):
    """A data set cut in two; images are float32 (N, 1, H, W), labels int64 (N,)."""

    x_train: torch.Tensor  #: training images
    y_train: torch.Tensor  #: their labels
    x_test: torch.Tensor  #: held-out images
    y_test: torch.Tensor  #: their labels

    def to(self, device: torch.device | str) -> "Data":
        """Return the same data on another device."""
        return Data(*(tensor.to(device) for tensor in self))


def pick_device(name: torch.device | str = "auto") -> torch.device:
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


def load(
    name: str | os.PathLike[str] = "digits", *, device: torch.device | str = "auto", seed: int = 0
) -> Data:
    """Return a `Data` set on `device`.

    "digits": the 1,797 gray 8×8 images of handwritten digits that scikit-learn has, too. A
    quarter is held out, class by class (stratified), by a split that `seed` fixes.
    "mnist", "fashion_mnist": 60,000 and 10,000 gray 28×28 images of digits and of clothes, in the
    split of their authors, which `seed` does not change. They are downloaded when first asked for;
    `download.fetch` says where to and which errors there are, among them that of being offline.
    A path that ends in .npz: images and labels of your own, as `npz.read` wants them.

    Pixels are standardized by the mean and deviation of the training images alone. Raises
    ValueError for another name, a file that is not as it must be, training images that are all of
    one gray, and a device that this machine lacks.
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(f"name must be a str or a path, got {name!r}")
    device, name = pick_device(device), str(name)
    if name == "digits":
        arrays = digits.read(seed)
    elif name in download.SOURCES:
        paths = download.fetch(name)
        arrays = [idx.read(path, dims) for path, dims in zip(paths, (3, 1, 3, 1), strict=True)]
    elif name.lower().endswith(".npz") and (path := files.path_of(name)).is_file():
        arrays = npz.read(path)
    else:
        names = ", ".join(map(repr, ("digits", *download.SOURCES)))
        why = {"npz": ": no such file", "gz": "; `adamlib.sources.idx.read` reads an array of IDX"}
        raise ValueError(
            f"name must be {names} or the path of an .npz file, got {name!r}"
            + why.get(name.lower().rpartition(".")[2], "")
        )
    return _standardized(name, *arrays).to(device)


def _standardized(name, x_train, y_train, x_test, y_test):
    """Return the NumPy arrays as `Data`; the training images get mean 0 and deviation 1."""
    if x_train.min() == x_train.max():
        raise ValueError(f"{name}: x_train must not be constant, all pixels are {x_train.min()}")
    mean, deviation = x_train.mean(dtype=np.float64), x_train.std(dtype=np.float64)

    def as_images(x):
        x = ((x - mean) / deviation).astype(np.float32)
        return torch.from_numpy(x.reshape(len(x), 1, *x.shape[-2:]))

    y_train, y_test = (torch.from_numpy(y.astype(np.int64)) for y in (y_train, y_test))
    return Data(as_images(x_train), y_train, as_images(x_test), y_test)


def batches(
    x: torch.Tensor, y: torch.Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (x, y) batch by batch, in one random order of all samples; the last may be short.

    generator: a CPU torch.Generator, so that a seed gives the same order on every device.
    """
    order = torch.randperm(len(x), generator=generator).to(x.device)
    yield from zip(x[order].split(batch_size), y[order].split(batch_size), strict=True)
