"""Two processes on the CPU go as one: DDP, ZeRO, FSDP2 and distributed checkpoints."""

import traceback
import warnings
from datetime import timedelta
from itertools import product

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from oracle import NAMES, PAIRS, buffers_of, ramp
from together import together
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

STEPS = 3
CLOSE = 1e-12  # float64; a mean over two processes is rounded otherwise than one over all samples
INPUTS = ramp(8, 4).sin()


def network():
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1))
    model = model.double()  # of the last layer, sharded by rows, one process has nothing
    torch.nn.utils.vector_to_parameters(ramp(37), model.parameters())
    return model


def train(model, optimizer, x, start=0, stop=STEPS):
    for k in range(start, stop):
        optimizer.zero_grad()
        (model(x * (k + 1)) ** 2).mean().backward()
        optimizer.step()


def optimizer_of(name, parameters, **options):
    return PAIRS[name][0](parameters, **PAIRS[name][2], **options)


def weights_of(model):
    tensors = (w.full_tensor() if hasattr(w, "full_tensor") else w for w in model.parameters())
    return torch.cat([w.detach().flatten() for w in tensors])


def alone(name):
    model = network()
    train(model, optimizer_of(name, model.parameters()), INPUTS)
    return weights_of(model)


def share(x):
    """This process's part of the samples."""
    return x.chunk(dist.get_world_size())[dist.get_rank()]


def close(model, name):
    difference = (weights_of(model) - alone(name)).abs().max().item()
    assert difference < CLOSE, f"{name}: {difference}"


def replicated(name, folder):
    model = DistributedDataParallel(network(), gradient_as_bucket_view=True)
    train(model, optimizer_of(name, model.parameters()), share(INPUTS))
    close(model, name)


def redundant(name, folder):
    from torch.distributed.optim import ZeroRedundancyOptimizer  # warns of what it imports

    model = DistributedDataParallel(network())

    def make():
        return ZeroRedundancyOptimizer(model.parameters(), PAIRS[name][0], **PAIRS[name][2])

    optimizer = make()
    train(model, optimizer, share(INPUTS), stop=2)
    kept = sum(len(state) > 0 for state in optimizer.optim.state.values())
    assert 0 < kept < 4  # each process keeps the buffers of its own part
    optimizer.consolidate_state_dict(0)
    state_dict = [optimizer.state_dict() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(state_dict)
    optimizer = make()
    optimizer.load_state_dict(state_dict[0])
    train(model, optimizer, share(INPUTS), start=2)
    close(model, name)


def sharded_network():
    model = network()
    for layer in (model[0], model[2], model):
        fully_shard(layer)
    return model


def sharded(name, folder):
    for engine in ("plain", "numba"):
        model = sharded_network()
        optimizer = optimizer_of(name, model.parameters(), engine=engine)
        train(model, optimizer, share(INPUTS))
        close(model, name)
        for w in model.parameters():
            buffers = buffers_of(optimizer.state[w])
            assert all(x.to_local().shape == w.to_local().shape for x in buffers)


def sharded_in_two_bytes(name, folder):
    model = sharded_network()
    optimizer = optimizer_of(name, model.parameters(), state_dtype=torch.bfloat16)
    train(model, optimizer, share(INPUTS), stop=1)
    for w in model.parameters():
        buffers = buffers_of(optimizer.state[w])
        assert all(x.dtype == torch.bfloat16 for x in buffers)


def checkpointed(name, folder):
    model = sharded_network()
    optimizer = optimizer_of(name, model.parameters())
    train(model, optimizer, share(INPUTS), stop=2)
    weights, state = get_state_dict(model, optimizer)
    record = {"model_state_dict": weights, "optim_state_dict": state}
    dcp.save(record, checkpoint_id=folder / name)
    model = sharded_network()
    optimizer = optimizer_of(name, model.parameters())
    weights, state = get_state_dict(model, optimizer)
    record = {"model_state_dict": weights, "optim_state_dict": state}
    dcp.load(record, checkpoint_id=folder / name)
    set_state_dict(model, optimizer, **record)
    train(model, optimizer, share(INPUTS), start=2)
    close(model, name)


CHECKS = [replicated, redundant, sharded, sharded_in_two_bytes, checkpointed]


def work(folder):
    """What came of every check, up to the first failure, after which the other one would wait."""
    warnings.simplefilter("ignore")  # PyTorch's own, about itself
    dist.init_process_group("gloo", timeout=timedelta(minutes=1))
    outcomes = {}
    try:
        for check, name in product(CHECKS, NAMES):
            check(name, folder)
            outcomes[f"{check.__name__} {name}"] = "passed"
    except Exception:
        outcomes[f"{check.__name__} {name}"] = traceback.format_exc()
    else:
        dist.destroy_process_group()
    return outcomes


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What came of every check in each of two processes."""
    return together(work, tmp_path_factory.mktemp("distributed")).values()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_two_processes_go_as_one(outcomes, check, name):
    for of_rank in outcomes:
        outcome = of_rank.get(f"{check.__name__} {name}", "not tried: another one failed")
        if outcome != "passed":
            pytest.fail(outcome, pytrace=False)
