"""Data sets on demand: downloads, IDX and .npz files, and a network that fits."""

import gzip
import hashlib
import re
import struct
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import filelock
import numpy as np
import pytest
import torch

from adamlib import data
from adamlib.model import ConvNet
from adamlib.sources import digits, download, idx, npz

DRAW = np.random.default_rng(0)
IMAGES, LABELS = DRAW.integers(0, 256, (12, 6, 6), np.uint8), np.arange(12, dtype=np.uint8) % 3
PARTS = (IMAGES[:8], LABELS[:8], IMAGES[8:], LABELS[8:])


packed = partial(gzip.compress, mtime=0)  # the same name of a test in every process


def as_idx(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return packed(header + array.tobytes())


BODIES = dict(zip(download.FILES, map(as_idx, PARTS), strict=True))
HASHES = tuple(hashlib.sha256(body).hexdigest() for body in BODIES.values())


class Mirror(BaseHTTPRequestHandler):
    """Answers /good/, /tampered/, /cut/, /silent/ and /gated/; else 404. Notes what was asked."""

    def do_GET(self):
        _, way, file = self.path.split("/")
        self.server.asked.append(f"{way}/{file}")
        if way == "silent":
            self.server.gate.wait(20)
            return
        if way not in ("good", "tampered", "cut", "gated"):
            return self.send_error(404)
        body = BODIES[file]
        self.send_response(200)
        self.send_header("Content-Length", len(body))
        self.end_headers()
        if way == "tampered":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if way == "gated":
            self.wfile.write(body[:5])
            self.server.gate.wait(20)
            body = body[5:]
        self.wfile.write(body[:-5] if way == "cut" else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.daemon_threads, server.asked, server.gate = True, [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.gate.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder that the files of "mnist" go to."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ADAMLIB_DATA", str(tmp_path / "sets"))
    return tmp_path / "sets" / "mnist"


@pytest.fixture
def offer(server, cache, monkeypatch):
    """Let "mnist" be the small files, from mirrors of these ways; return the source."""

    def offer(*ways):
        base = f"http://127.0.0.1:{server.server_port}"
        mirrors = tuple(way if way.startswith("http") else f"{base}/{way}/" for way in ways)
        source = download.Source(mirrors, HASHES)
        monkeypatch.setitem(download.SOURCES, "mnist", source)
        return source

    return offer


def stored(cache):
    return {path.name: path.read_bytes() for path in cache.glob("*") if path.name != "lock"}


# The download


def test_a_data_set_is_downloaded_once_and_comes_in_its_own_split(offer, server, cache):
    offer("good")
    first = data.load("mnist", device="cpu")
    assert server.asked == [f"good/{file}" for file in download.FILES] and stored(cache) == BODIES
    offer("absent")
    again = data.load("mnist", device="cpu", seed=7)
    assert all(map(torch.equal, first, again)) and len(server.asked) == 4
    assert first.x_train.shape == (8, 1, 6, 6) and first.x_train.dtype == torch.float32
    assert first.y_test.tolist() == LABELS[8:].tolist() and first.y_test.dtype == torch.int64
    expected = (IMAGES[8:] - IMAGES[:8].mean()) / IMAGES[:8].std()
    assert np.array_equal(first.x_test[:, 0], expected.astype(np.float32))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("absent", "404 Client Error"),
        ("tampered", "SHA256 hash .* expected .* but got"),
        ("cut", "IncompleteRead"),
        ("silent", "Read timed out"),
    ],
)
def test_a_mirror_that_fails_is_asked_once_more_and_then_the_next(
    way, reason, offer, server, cache, monkeypatch
):
    monkeypatch.setattr(download, "SILENCE", 0.2)
    images = download.FILES[0]
    offer(way)
    with pytest.raises(ConnectionError, match=f"(?s)(/{way}/: [^\n]*{reason}.*){{2}}digits"):
        data.load("mnist")
    assert server.asked == [f"{way}/{images}"] * 2 and not stored(cache)
    offer(way, "good")
    download.fetch("mnist")
    assert server.asked[2:5] == [f"{way}/{images}"] * 2 + [f"good/{images}"]
    assert stored(cache) == BODIES


def test_a_mirror_out_of_reach_is_not_asked_again(offer, server, cache):
    offer("http://127.0.0.1:9/", "http://nowhere.invalid/", "good")  # port 9 is not listened to
    download.fetch("mnist")
    assert stored(cache) == BODIES and len(server.asked) == 4


@pytest.mark.parametrize("mirror", ["http://127.0.0.1:9/", "http://nowhere.invalid/"])
def test_without_a_network_the_error_names_the_ways_out(mirror, offer, cache):
    offer(mirror)
    with pytest.raises(ConnectionError) as error:
        data.load("mnist", device="cpu")
    message = str(error.value)
    assert message.count(f"{mirror}: no connection (") == 1
    assert "data.load('digits')" in message and f"by hand into {cache}:" in message
    assert all(file in message for file in download.FILES) and "ADAMLIB_DATA" in message


def test_files_put_there_by_hand_need_neither_a_network_nor_a_lock(offer, cache):
    offer("http://127.0.0.1:9/")
    cache.mkdir(parents=True)
    for file, body in BODIES.items():
        (cache / file).write_bytes(body)
    assert len(data.load("mnist", device="cpu").x_test) == 4
    assert not (cache / "lock").exists()


@pytest.mark.parametrize("content", [b"", b"no gzip", *[BODIES[download.FILES[1]][:-1]]])
def test_a_broken_file_in_the_cache_is_replaced_and_the_good_ones_are_kept(
    content, offer, server, cache
):
    offer("good")
    download.fetch("mnist")
    labels = cache / download.FILES[1]
    labels.write_bytes(content)
    offer("tampered")
    with pytest.raises(ConnectionError, match=labels.name):
        data.load("mnist")
    assert stored(cache) == BODIES | {labels.name: content}
    offer("good")
    data.load("mnist")
    assert stored(cache) == BODIES
    assert server.asked[4:] == [f"{way}/{labels.name}" for way in ("tampered", "tampered", "good")]


CHILD = """
import sys
from adamlib.sources import download
download.SOURCES["mnist"] = download.Source(eval(sys.argv[1]), eval(sys.argv[2]))
print("ready", flush=True)
print(len(download.fetch("mnist")))
"""


def child(source):
    command = [sys.executable, "-c", CHILD, *map(repr, source)]
    process = subprocess.Popen(
        command, stdout=-1, stderr=-1, text=True, cwd=Path(__file__).parents[2]
    )
    assert process.stdout.readline() == "ready\n"
    return process


def wait_for(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("20 s have passed")


def test_of_two_processes_one_downloads_and_the_other_finds_it(offer, server, cache):
    processes = [child(offer("gated")) for _ in range(2)]
    wait_for(lambda: server.asked)
    time.sleep(0.3)  # for the second to come to the lock
    server.gate.set()
    assert [process.communicate(timeout=20)[0] for process in processes] == ["4\n", "4\n"]
    assert len(server.asked) == 4 and stored(cache) == BODIES


def test_a_download_that_was_killed_leaves_nothing_in_the_way(offer, server, cache):
    process = child(offer("gated"))
    wait_for(lambda: server.asked)
    process.kill()
    process.communicate(timeout=20)
    assert not set(stored(cache)) & set(BODIES)
    offer("good")
    assert [path.read_bytes() for path in download.fetch("mnist")] == list(BODIES.values())


def test_waiting_for_another_process_ends_with_an_error(offer, server, cache, monkeypatch):
    monkeypatch.setattr(download, "WAIT", 0.1)
    offer("good")
    cache.mkdir(parents=True)
    with (
        filelock.FileLock(cache / "lock"),
        pytest.raises(TimeoutError, match=r"has held .*lock for 0.1 s"),
    ):
        download.fetch("mnist")
    assert not server.asked and not stored(cache)
    download.fetch("mnist")


def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(offer, tmp_path, monkeypatch):
    offer("good")
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ADAMLIB_DATA", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"written to .*file/mnist .*ADAMLIB_DATA to a folder"):
        data.load("mnist")


def test_the_folder_is_the_systems_unless_the_environment_names_one(monkeypatch):
    monkeypatch.delenv("ADAMLIB_DATA", raising=False)
    usual = download.folder()
    monkeypatch.setenv("ADAMLIB_DATA", "")
    assert download.folder() == usual and "adamlib" in usual.parts
    monkeypatch.setenv("ADAMLIB_DATA", "~/sets")
    assert download.folder() == Path.home() / "sets"


def test_a_download_shows_its_progress_on_stderr_alone(offer, capfd):
    offer("good")
    download.fetch("mnist")
    shown = capfd.readouterr()
    assert shown.err.count("100%") == 4 and not shown.out


def test_every_source_has_mirrors_and_a_hash_for_each_file():
    for source in download.SOURCES.values():
        assert len(source.mirrors) >= 2 and all(mirror.endswith("/") for mirror in source.mirrors)
        assert len(set(source.hashes)) == len(download.FILES)
        assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in source.hashes)


# IDX


def test_idx_comes_back_as_it_was_written(tmp_path):
    for array, file in zip(PARTS, download.FILES, strict=True):
        (tmp_path / file).write_bytes(BODIES[file])
        assert np.array_equal(idx.read(tmp_path / file, array.ndim), array)


HEADER = bytes([0, 0, 8, 1, 0, 0, 0, 3])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected as magic number 00 00 08 01, found nothing"),
        (packed(HEADER + b"abc")[:-9], "expected a whole gzip stream, found: Compressed"),
        (
            packed(HEADER + b"abc")[:-1] + b"x",
            "a whole gzip stream, found: Incorrect length",
        ),
        (HEADER + b"abc", "a whole gzip stream, found: Not a gzipped file"),
        (packed(b"")[:10] + b"\xff" * 20, "a whole gzip stream, found: Error -3"),
        (packed(b"\x00\x00"), "magic number 00 00 08 01, found 00 00$"),
        (packed(b"\x01" + HEADER[1:]), "magic number 00 00 08 01, found 01 00 08 01"),
        (packed(b"\x00\x00\x0d\x01" + HEADER[4:]), "00 00 08 01, found 00 00 0d 01"),
        (packed(b"\x00\x00\x08\x03" + HEADER[4:]), "00 00 08 01, found 00 00 08 03"),
        (packed(HEADER[:6]), "length of the header in bytes 8, found 6"),
        (packed(HEADER + b"ab"), r"number of values for shape \[3\] 3, found 2"),
        (packed(HEADER + b"abcd"), r"number of values for shape \[3\] 3, found 4"),
    ],
)
def test_a_file_that_is_no_idx_is_told_what_is_wrong(content, message, tmp_path):
    (tmp_path / "labels.gz").write_bytes(content)
    with pytest.raises(ValueError, match=f"labels.gz: .*{message}"):
        idx.read(tmp_path / "labels.gz", 1)


# Files of one's own


def save(path, **changes):
    """Write good arrays with `changes`; an array that is None is left out."""
    arrays = dict(zip(npz.NAMES, PARTS, strict=True)) | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float64, ">f4"])
def test_images_of_ones_own_come_standardized(dtype, tmp_path):
    path = save(tmp_path / "own.npz", x_train=IMAGES[:8].astype(dtype), x_test=IMAGES[8:, None])
    own = data.load(path, device="cpu")
    assert own.x_train.shape == (8, 1, 6, 6) and own.x_test.shape == (4, 1, 6, 6)
    assert {x.dtype for x in own} == {torch.float32, torch.int64}
    expected = (IMAGES[:8] - IMAGES[:8].mean()) / IMAGES[:8].std()
    np.testing.assert_allclose(own.x_train[:, 0], expected, rtol=1e-6)  # float32
    assert own.y_train.tolist() == LABELS[:8].tolist()
    assert all(map(torch.equal, own, data.load(str(path), device="cpu", seed=1)))


WILD = np.where(IMAGES[:8] > 250, np.nan, IMAGES[:8])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"y_test": None},
            r"expected the arrays .*'y_test'\), found \['x_train', 'y_train', 'x_test'\]",
        ),
        ({"x_train": IMAGES.astype(object)}, "x_train cannot be read: Object arrays"),
        ({"x_test": IMAGES[8:].astype(complex)}, "x_test must hold real.*found dtype complex128"),
        ({"x_test": IMAGES[8:].astype("S3")}, r"x_test must hold real.*found dtype \|S3"),
        ({"x_train": IMAGES[0]}, r"x_train must have shape \(N, H, W\).*found \(6, 6\)"),
        ({"x_train": IMAGES[:8, None].repeat(3, 1)}, r"x_train must .*found \(8, 3, 6, 6\)"),
        ({"x_test": IMAGES[:0], "y_test": LABELS[:0]}, r"x_test must .*found \(0, 6, 6\)"),
        ({"x_train": np.array(3)}, r"x_train must have shape .*found \(\)"),
        ({"x_test": IMAGES[8:, :5]}, r"images of one size, found \(6, 6\) and \(5, 6\)"),
        ({"x_train": WILD}, f"x_train must be finite .*found {np.isnan(WILD).sum()} that"),
        ({"x_train": IMAGES[:8] * 1e300}, "x_train must be finite in float32"),
        ({"x_train": IMAGES[:8] * 0 + 7}, r"own\.npz: x_train must not be constant, all .* 7"),
        ({"y_train": LABELS[:7]}, r"y_train must have shape \(8,\).*found \(7,\)"),
        ({"y_train": LABELS[:8, None]}, r"y_train must have shape \(8,\).*found \(8, 1\)"),
        ({"y_test": LABELS[8:] * 1.0}, "y_test must hold integers, found dtype float64"),
        ({"y_test": LABELS[8:] > 0}, "y_test must hold integers, found dtype bool"),
        ({"y_test": LABELS[8:].astype(int) - 1}, "y_test .* integers from 0, found -1 to 1"),
        ({"y_test": LABELS[8:] + np.uint64(2**63)}, "y_test .* from 0, found 92.* to 92"),
    ],
)
def test_an_array_of_ones_own_that_does_not_fit_is_named(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        data.load(save(tmp_path / "own.npz", **changes), device="cpu")


@pytest.mark.parametrize("content", [b"", b"x_train,y_train", as_idx(LABELS)])
def test_a_file_that_is_no_zip_archive_is_named(content, tmp_path):
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"own\.npz: expected a zip archive"):
        data.load(tmp_path / "own.npz")


def test_an_archive_that_is_damaged_or_holds_no_arrays_is_named(tmp_path):
    path = save(tmp_path / "own.npz")
    content = bytearray(path.read_bytes())
    content[200] ^= 1  # a pixel of x_train
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"own\.npz: x_train cannot be read: Bad CRC-32"):
        data.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in npz.NAMES:
            archive.writestr(f"{name}.npy", "text")
    with pytest.raises(ValueError, match=r"own\.npz: x_train .*found 4 bytes"):
        data.load(path)


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def test_nothing_in_a_pickled_array_runs(tmp_path):
    Trap.path = str(tmp_path / "ran")
    path = save(tmp_path / "own.npz", x_train=np.array([Trap()]))
    with pytest.raises(ValueError, match="x_train cannot be read: Object arrays"):
        data.load(path)
    assert not (tmp_path / "ran").exists()
    np.load(path, allow_pickle=True)["x_train"]  # the trap is a real one
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["mnits", "missing.npz", "MNIST", "", "tests", __file__])
def test_a_name_that_is_none_gets_the_list_of_those_that_are(name):
    known = "'digits', 'mnist', 'fashion_mnist' or the path of an .npz file"
    with pytest.raises(ValueError, match=f"name must be {known}, got {re.escape(repr(name))}"):
        data.load(name)


@pytest.mark.parametrize("name", [None, 3, ["digits"], b"digits"])
def test_a_name_of_another_type_is_named(name):
    with pytest.raises(TypeError, match=re.escape(f"got {name!r}")):
        data.load(name)


def test_a_missing_device_is_an_error_before_any_download(offer, server):
    offer("good")
    with pytest.raises(ValueError, match="device must be"):
        data.load("mnist", device="cuda:99")
    assert not server.asked


def test_the_lines_of_the_readme_load_images_of_ones_own(tmp_path, monkeypatch):
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"    import numpy as np\n(?:(?:    .*)?\n)+", readme)
    monkeypatch.chdir(tmp_path)
    made = {}
    exec(textwrap.dedent(lines), made)
    assert made["model"](made["images"].x_test).shape == (len(made["images"].y_test), 10)


# A network for larger images


def test_a_network_fits_the_size_and_the_classes_it_was_built_for():
    assert ConvNet(size=5, classes=3)(torch.zeros(2, 1, 5, 5)).shape == (2, 3)
    with torch.device("meta"):
        assert sum(w.numel() for w in ConvNet(size=28).parameters()) == 25_733_322
    message = r"\(B, 1, 5, 5\), got \(2, 1, 8, 8\).*interpolate.*if .* square, build ConvNet"
    with pytest.raises(ValueError, match=message):
        ConvNet(size=5)(torch.zeros(2, 1, 8, 8))


def test_parts_of_unlike_scale_are_told(tmp_path):
    images = {"x_train": 255 * PARTS[0], "x_test": PARTS[2] / PARTS[2].max()}
    with pytest.warns(UserWarning, match="largest pixels of x_train and x_test .* of one scale"):
        data.load(save(tmp_path / "own.npz", **images), device="cpu")


@pytest.mark.parametrize(
    ("name", "words"), [("~/gone.npz", "no such file"), ("images.gz", r"idx\.read")]
)
def test_a_path_that_leads_nowhere_says_so(name, words):
    with pytest.raises(ValueError, match=words):
        data.load(name, device="cpu")


def test_the_usual_network_is_the_one_that_the_stored_results_began_with():
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, 64, 3, padding=1), torch.nn.Conv2d(64, 64, 3, padding=1)]
    layers += [torch.nn.Linear(4096, 512), torch.nn.Linear(512, 10)]
    torch.manual_seed(0)
    weights = ConvNet().state_dict()
    names = ["conv1", "conv2", "linear1", "linear2"]
    assert list(weights) == [f"{name}.{kind}" for name in names for kind in ("weight", "bias")]
    expected = [w for layer in layers for w in layer.parameters()]
    assert all(map(torch.equal, weights.values(), expected))


@pytest.mark.parametrize("bad", [0, -8, 8.0, "8", True, None])
@pytest.mark.parametrize("name", ["size", "classes"])
def test_a_size_or_a_number_of_classes_that_is_none_is_named(name, bad):
    with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1, got {bad!r}"):
        ConvNet(**{name: bad})


def test_the_digits_and_their_splits_are_those_of_scikit_learn():
    """Of train_test_split(*load_digits(...), test_size=0.25, stratify=y, random_state=0 to 4)."""
    content = b"".join(x.tobytes() for seed in range(5) for x in digits.read(seed))
    theirs = "a8a7c5a384b11c6d598d1755a9109df2a7dbb3b3b94e93581a1ab276c645fb08"
    assert hashlib.sha256(content).hexdigest() == theirs
