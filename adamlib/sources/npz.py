"""Images and labels from an .npz file of one's own, without pickle."""

import warnings
import zipfile
import zlib

import numpy as np

NAMES = ("x_train", "y_train", "x_test", "y_test")


def read(path):
    """Return the arrays x_train, y_train, x_test, y_test of the .npz file at `path`.

    Images are (N, H, W) or (N, 1, H, W) real numbers and come back as float32 (N, 1, H, W); labels
    are (N,) integers from 0 and come back as int64. Keras stores MNIST like this. Raises
    ValueError, which names the file and the array, for a file that is not so.
    """
    x_train, y_train, x_test, y_test = _arrays(path)
    parts = [_images(path, "x_train", x_train), _labels(path, "y_train", y_train, len(x_train))]
    parts += [_images(path, "x_test", x_test), _labels(path, "y_test", y_test, len(x_test))]
    if parts[0].shape[1:] != parts[2].shape[1:]:
        shapes = f"{x_train.shape[-2:]} and {x_test.shape[-2:]}"
        raise ValueError(f"{path}: x_train and x_test must have images of one size, found {shapes}")
    highest = [float(np.abs(x).max()) for x in (parts[0], parts[2])]
    if min(highest) and max(highest) > 50 * min(highest):
        spans = "the largest pixels of x_train and x_test are {:g} and {:g}".format(*highest)
        warnings.warn(f"{path}: {spans}: are both of one scale?", stacklevel=3)
    return parts


def _arrays(path):
    """Return the four arrays as they are stored."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: expected a zip archive, as numpy.savez writes, found none")
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        reason = str(error).partition(".")[0]  # NumPy goes on to advise to unpickle it
        raise ValueError(f"{path}: expected a zip archive of arrays, found: {reason}") from None
    with archive:
        missing = sorted(set(NAMES) - set(archive.files))
        if missing:
            raise ValueError(f"{path}: expected the arrays {NAMES}, found {archive.files}")
        return [_array(path, name, archive) for name in NAMES]


def _array(path, name, archive):
    broken = (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
    try:
        array = archive[name]
    except broken as error:
        raise ValueError(f"{path}: {name} cannot be read: {error}") from None
    if not isinstance(array, np.ndarray):  # NumPy hands out the bytes of what is no array
        raise ValueError(f"{path}: {name} must be a NumPy array, found {len(array)} bytes")
    return array


def _images(path, name, images):
    """Return `images` as float32 (N, 1, H, W)."""
    shape = images.shape
    if images.dtype.kind not in "biuf":
        raise ValueError(f"{path}: {name} must hold real numbers, found dtype {images.dtype}")
    if images.ndim not in (3, 4) or (images.ndim == 4 and shape[1] != 1) or not images.size:
        allowed = "shape (N, H, W) or (N, 1, H, W), none of them 0"
        raise ValueError(f"{path}: {name} must have {allowed}, found {shape}")
    with np.errstate(over="ignore"):  # too large becomes infinite, and that is an error
        images = images.astype(np.float32).reshape(shape[0], 1, *shape[-2:])
    wild = images.size - np.isfinite(images).sum()
    if wild:
        raise ValueError(f"{path}: {name} must be finite in float32, found {wild} that are not")
    return images


def _labels(path, name, labels, length):
    """Return `labels` as int64."""
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{path}: {name} must hold integers, found dtype {labels.dtype}")
    if labels.shape != (length,):
        allowed = f"shape ({length},), a label for each image"
        raise ValueError(f"{path}: {name} must have {allowed}, found {labels.shape}")
    if labels.min() < 0 or labels.max() > np.iinfo(np.int64).max:
        found = f"{labels.min()} to {labels.max()}"
        raise ValueError(f"{path}: {name} must hold integers from 0, found {found}")
    return labels.astype(np.int64)
