"""From a rule's text to machine code, kept in the user's cache.

numba compiles the text that `writers.loop` makes, once per machine. What comes out, LLVM's
language, is kept in the user's cache, and a later process loads it in hundredths of a second
without importing numba.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

from adamlib import files
from adamlib.engine import staging, writers


@functools.cache
def staged(rule):
    """Return (`staging.Staged`, its `constants`, its `renewed`) of `rule`; ValueError as there."""
    text, names = staging.stage(rule), {}
    exec(text.constants, names)
    return text, names["constants"], names["renewed"]


class UnusableError(ImportError):
    """numba is installed, but cannot be used."""


@functools.cache
def kernel(rule, types):
    """Return `entry` of the compiled loop of `rule`."""
    return entry(f"{rule.__name__}-{'-'.join(types)}", writers.loop(staged(rule)[0], types))


def entry(name, text):
    """Return (address of the C function that `text` becomes, of the address of its job; its owner).

    Raises UnusableError for a numba that does not take this NumPy, that lacks its LLVM or is off.
    """
    try:
        return kept(name, text)
    except Exception as error:  # they fail in as many ways as there are versions
        reason = str(error).strip().partition("\n")[0]
        raise UnusableError(f"numba cannot be used: {type(error).__name__}: {reason}") from error


def kept(name, text):
    """Return the kernel from the user's cache, where it is put if it is new."""
    versions = [importlib.metadata.version(name) for name in ("numba", "llvmlite")]
    words = __spec__.loader.get_data(
        str(Path(__file__).with_name("intrinsics.py"))
    )  # in a zip, too
    key = digest("\n".join([text, words.decode(), *versions, sys.version, *processor()]))
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adamlib"
    except RuntimeError:  # there is no home
        return load(compiled(text))
    path = home / f"{name}-{key[:16]}.ll"
    try:
        check, _, module = path.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeError):
        check = module = ""
    if check != f"; {digest(module)}":  # absent, or not as it was written
        module = compiled(text)
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.write(path, f"; {digest(module)}\n{module}")
        except OSError:
            pass  # a home that cannot be written to: compile again next time
    return load(module)


def digest(text):
    """Return the SHA-256 of `text` in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def processor():
    """Return (name, features) of this machine's processor."""
    import llvmlite.binding as llvm

    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def compiled(text):
    """Return LLVM's text of the kernel `text`; its entry is the function `kernel`."""
    import numba

    from adamlib.engine import intrinsics

    names = dict(vars(intrinsics))
    exec(text, names)
    # without the NumPy error model a check of each division keeps the loop from being vectorized
    options = dict(error_model="numpy", fastmath={"contract"})
    function = numba.cfunc("void(int64)", **options)(names["kernel"])
    return function.inspect_llvm().replace(function.native_name, "kernel")


def load(module):
    """Return (address of the entry of LLVM's text `module`, its owner)."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name, features = processor()
    target = llvm.Target.from_default_triple().create_target_machine(
        name, features, opt=3, jit=True
    )
    owner = llvm.create_mcjit_compiler(llvm.parse_assembly(module), target)
    owner.finalize_object()
    return owner.get_function_address("kernel"), owner  # the code lives as long as its owner


def installed(package):
    """Return whether `package` can be imported."""
    return importlib.util.find_spec(package) is not None


@functools.cache
def can_compile(rule, tool="numba"):
    """Return whether `tool` is installed and `rule` is of what `staging` can take apart."""
    return installed(tool) and parted(rule)


@functools.cache
def parted(rule):
    """Return whether `rule` is of what `staging` can take apart."""
    try:
        return bool(staged(rule))
    except ValueError:
        return False


def numbers(rule):
    """Return the names of the buffers of `rule` that hold one number; none of one not parted."""
    return staged(rule)[0].numbers if parted(rule) else ()
