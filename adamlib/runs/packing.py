"""The state of a run as a file can hold it: JSON and tensors; and that of chance."""

from collections import Counter

import numpy as np
import torch


def packed(value, path, tensors):
    """Return `value` as JSON holds it; its tensors go into `tensors`, by the path to them."""
    if isinstance(value, torch.Tensor) and path not in tensors and storable(value):
        tensors[path] = value.detach().cpu().contiguous().clone()  # tied weights share memory
        return {"tensor": path}
    if isinstance(value, dict):  # JSON would turn a key 0 into "0"
        kind = "counter" if isinstance(value, Counter) else "dict"  # of MultiStepLR
        return {kind: [[key, packed(x, f"{path}.{key}", tensors)] for key, x in value.items()]}
    if isinstance(value, list | tuple):
        items = [packed(x, f"{path}.{i}", tensors) for i, x in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold {path}, got {value!r}")


def storable(tensor):
    """Return whether a safetensors file can hold a tensor."""
    strange = tensor.is_quantized or tensor.is_meta or tensor.dtype == torch.complex128
    return tensor.layout == torch.strided and not strange


def unpacked(value, tensors):
    """Return what `packed` was given."""
    if isinstance(value, list):
        return [unpacked(x, tensors) for x in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple(unpacked(content, tensors))
    pairs = {key: unpacked(x, tensors) for key, x in content}
    return Counter(pairs) if kind == "counter" else pairs


def random_state():
    """Return the states of PyTorch's random number generators, by device."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random(state):
    """Set the random number generators of the devices that are there."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
