"""Arrays from gzipped IDX files, the form of MNIST and Fashion-MNIST."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np


def read(path, dimensions):
    """Return the array of unsigned bytes in the gzipped IDX file at `path`.

    An IDX file is two zero bytes, the code of its type (8: unsigned bytes), its number of
    `dimensions`, the length of each as a big-endian 32-bit integer, and then the values, the last
    index fastest. Raises ValueError, which says what was expected and what was found, for a broken
    gzip stream, another magic number, type or number of dimensions, or too few or too many bytes.
    Source: the page of MNIST by LeCun, Cortes and Burges, "The IDX file format".
    """
    try:
        content = gzip.decompress(Path(path).read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: expected a whole gzip stream, found: {error}") from None
    _expect(path, "magic number", f"00 00 08 {dimensions:02x}", content[:4].hex(" "))
    start = 4 + 4 * dimensions
    _expect(path, "length of the header in bytes", start, len(content[:start]))
    shape = np.frombuffer(content[4:start], ">u4").tolist()
    _expect(path, f"number of values for shape {shape}", math.prod(shape), len(content) - start)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _expect(path, what, expected, found):
    if expected != found:
        raise ValueError(f"{path}: expected as {what} {expected}, found {found or 'nothing'}")
