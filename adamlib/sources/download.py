"""The files of MNIST and Fashion-MNIST: downloaded once, verified always."""

import hashlib
import os
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

import filelock
import requests

FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


class Source(NamedTuple):
    """Where the four files of a data set are, and which they are."""

    mirrors: tuple[str, ...]  #: folders on the web, tried in this order
    hashes: tuple[str, ...]  #: the SHA-256 of each file, in the order of FILES


# The hashes of MNIST stand alike in TensorFlow Datasets (url_checksums/mnist.txt) and torchvision
# (prototype/datasets/_builtin/mnist.py), those of Fashion-MNIST in both and in Keras
# (datasets/fashion_mnist.py); the mirrors are theirs. MNIST's own site has the files no longer.
SOURCES = {
    "mnist": Source(
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        hashes=(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion_mnist": Source(
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        hashes=(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
}
CONNECT, SILENCE, WAIT = 3, 30, 600  # seconds: to connect, between two parts, for another process


def folder():
    """Return the folder of the data sets: ADAMLIB_DATA, or the system's place for caches."""
    import pooch  # here and not above: in a notebook its import may warn of a missing widget

    chosen = os.environ.get("ADAMLIB_DATA") or pooch.os_cache("adamlib")
    return Path(chosen).expanduser().absolute()


def fetch(name):
    """Return the paths of the four files of data set `name`, training images first.

    A file that is there is verified, every time; one that is missing or has another SHA-256 is
    downloaded, and takes its name only once it is whole and right. Of two processes one downloads
    and the other waits. Raises ConnectionError when no mirror has given the file, TimeoutError
    after ten minutes of waiting, OSError when the folder cannot be written.
    """
    place, hashes = folder() / name, SOURCES[name].hashes
    paths = [place / file for file in FILES]
    if not all(map(_good, paths, hashes)):  # else no lock: the folder may be one to read only
        with _locked(place):
            for path, sha256 in zip(paths, hashes, strict=True):
                if not _good(path, sha256):
                    _download(name, path, sha256)
    return paths


def _good(path, sha256):
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _locked(place):
    """Return the lock of the folder `place`, held until the `with` ends."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(place / "lock").acquire(timeout=WAIT)
    except filelock.Timeout:
        message = f"another process has held {place / 'lock'} for {WAIT} s; wait for it or end it"
        raise TimeoutError(message) from None
    except NotImplementedError:  # a file system that knows no locks: both may download
        return nullcontext()
    except OSError as error:
        remedy = "set the environment variable ADAMLIB_DATA to a folder that can"
        raise OSError(f"data sets cannot be written to {place} ({error}); {remedy}") from None


def _download(name, path, sha256):
    """Put the file at `path`, from the first mirror that gives it; each is asked twice at most."""
    import pooch

    get = pooch.HTTPDownloader(progressbar=True, chunk_size=2**16, timeout=(CONNECT, SILENCE))
    failures = []
    for mirror in SOURCES[name].mirrors:
        for _ in range(2):
            try:
                pooch.retrieve(mirror + path.name, sha256, path.name, path.parent, downloader=get)
                with suppress(OSError):  # a folder may be shared, pooch writes for one user only
                    path.chmod(0o644)
                return
            except requests.ConnectionError as error:
                failures.append(f"{mirror}: no connection ({type(error).__name__})")
                break  # it would fail again, and who is offline should not wait for the answer
            except (requests.RequestException, ValueError) as error:
                failures.append(f"{mirror}: {error}")
    found = f"{path} is missing or has another SHA-256, and no mirror has given it:"
    raise ConnectionError(
        "\n  ".join([found, *failures])
        + "\nWithout a network, data.load('digits') works. Or put these files by hand into"
        f" {path.parent}: {', '.join(FILES)}. The environment variable ADAMLIB_DATA names another"
        f" folder than {folder()}."
    )
