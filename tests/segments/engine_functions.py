"""Functions that worker processes of the engine tests import."""

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np

from primus.errors import Rejected, UserError


def act(item: str) -> str | int:
    """Do what the item says: `ok:x`, `reject`, `bug`, `mistake`, `segfault`, `kill`, `memory`, `exit`, `hang`, `slow:x`, `threads`,
    `pid:file`, `once:file` (its process dies the first time), `where`."""
    word, _, rest = item.partition(":")
    if word == "reject":
        raise Rejected("gap", "as asked")
    if word == "bug":
        raise ValueError("a bug\nover two lines")
    if word == "mistake":
        raise UserError("the person's mistake")
    if word == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "memory":
        resource.setrlimit(resource.RLIMIT_AS, (1 << 32, resource.RLIM_INFINITY))
        np.ones(1 << 40)
    if word == "exit":
        os._exit(3)
    if word == "hang":
        time.sleep(600)
    if word == "slow":
        time.sleep(0.3)
    if word == "threads":
        from threadpoolctl import threadpool_info

        np.ones((64, 64)) @ np.ones((64, 64))
        return max(pool["num_threads"] for pool in threadpool_info())
    if word == "pid":
        Path(rest).write_text(str(os.getpid()))
        time.sleep(600)
    if word == "once" and not Path(rest).exists():
        Path(rest).write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "where":
        import primus

        return f"{primus.__file__} {os.getcwd()} {os.environ['PRIMUS_CACHE']}"
    return rest
