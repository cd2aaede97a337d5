"""Tensors cut over the processes (FSDP2), whole for a checkpoint."""

from torch import distributed


def shard(model, device):
    """Cut the weights of `model`, their gradients and buffers over the processes, in place (FSDP2).

    To be called before its optimizer is made. Raises ValueError without other processes.
    """
    if not (distributed.is_initialized() and distributed.get_world_size() > 1):
        raise ValueError("shard must have several processes, got one: start it with torchrun")
    from torch.distributed.fsdp import fully_shard

    mesh = distributed.init_device_mesh(device.type, (distributed.get_world_size(),))
    layers = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    for layer in (*layers, model):
        fully_shard(layer, mesh=mesh)


def is_sharded(tensor):
    """Return whether this process holds only its share of a tensor."""
    return hasattr(tensor, "full_tensor")


def whole(tree):
    """Return a nest of dicts and lists with its sharded tensors gathered; all processes call it."""
    if isinstance(tree, dict):
        same = tree.copy()  # of the same class: MultiStepLR keeps a Counter
        for key, value in tree.items():
            same[key] = whole(value)
        return same
    if isinstance(tree, list):
        return [whole(value) for value in tree]
    return tree.full_tensor() if is_sharded(tree) else tree


def cut_like(tensor, weight):
    """Return this process's share of a whole tensor if `weight` is sharded, else the tensor."""
    if not is_sharded(weight) or tensor.shape != weight.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    where = weight.device_mesh, weight.placements
    return distribute_tensor(tensor.to(weight.device), *where, src_data_rank=None)
