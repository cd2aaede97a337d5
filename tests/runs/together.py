"""Processes that start at once, as forks of one that has imported what takes seconds."""

import io
import multiprocessing
import os
import runpy
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from tqdm import tqdm

ROOT = Path(__file__).parents[2]
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(
    ["adamlib.train", "llvmlite.binding", "pytest", "torch._dynamo", "torch.distributed.fsdp"]
)


def together(job, *arguments, processes=2, restarts=0, machines=1, store=None):
    """{rank: what `job` returns}; torchrun's agent starts the processes, again if one dies.

    store: where the agents meet if there are several machines, each with one.
    """
    how = {"run_id": "tests", "start_method": "forkserver", "max_restarts": restarts}
    how |= {"rdzv_backend": "c10d", "local_addr": "127.0.0.1", "rdzv_endpoint": "127.0.0.1:0"}
    if store is not None:
        how |= {"rdzv_endpoint": f"127.0.0.1:{store.port}", "rdzv_configs": {"is_host": False}}
    with TemporaryDirectory() as logs, ThreadPoolExecutor() as pool:
        how["logs_specs"] = DefaultLogsSpecs(logs)
        agent = elastic_launch(LaunchConfig(machines, machines, processes, **how), alone)
        return pool.submit(agent, job, *arguments).result()  # the main thread keeps its signals


def alone(job, *arguments):
    """What `job` returns on one core; a process that hangs dies."""
    torch.set_num_threads(1)
    signal.alarm(150)
    return job(*arguments)


def command(path, arguments, kill=""):
    """(life, text): how often the agent had restarted `python path arguments`, what it printed."""
    tqdm.set_lock(threading.RLock())  # its own is a semaphore, which a killed process leaves behind
    os.environ["KILL"] = kill
    sys.argv = [path, *map(str, arguments)]
    with redirect_stdout(io.StringIO()) as printed:
        runpy.run_path(str(ROOT / path), run_name="__main__")
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")), printed.getvalue()
