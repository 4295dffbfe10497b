"""Map a function over takes with local processes, or on a Ray cluster: ordered results, and whatever happens to one take costs that take only.

Every call runs with the numeric libraries on one thread, in a worker or not, so that no result depends on how the work was spread.
"""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence

from primus.engine_call import Item, Needs, Outcome, Result
from primus.engine_local import in_process, in_workers
from primus.errors import UserError

ENGINES = ("local", "ray")


def map_takes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    timeout_s: float | Callable[[Item], float] | None = None,
    needs: Needs | None = None,
) -> Iterator[Outcome[Item, Result]]:
    """Yield the outcome of `function` for each item, in the items' order.

    `Rejected` from the function, any exception that is not a UserError, the death of its process (segmentation fault, out of memory) and a call that
    lasts longer than `timeout_s` refuse that item, the last three as `reader_crashed`; the process is replaced. What lacked memory, or was killed as
    the system does then, is said and done once more by a fresh process while no other works, and refused only when that fails too (a reader's own
    reason is kept). Closing the iterator, an exception in the consumer, Ctrl-C and even the death of this process end all workers.

    Args:
        function: picklable unless `workers` is 0, sent to each worker once; whatever it returns must be picklable.
        items: picklable unless `workers` is 0.
        workers: processes besides this one; a single one too protects the run from a crash. With 0, and within a worker, everything runs in this
            process, where a crash cannot be caught and no time limit holds.
        timeout_s: seconds one call may take, or a function of the item that gives them; None for no limit.
        needs: given where the calls may leave this machine: with `PRIMUS_ENGINE=ray` the workers are then those of a Ray cluster (`engine_ray`).

    Raises:
        UserError: the function raised it, or `PRIMUS_ENGINE` names no engine.
        RuntimeError: a worker could not start.
    """
    workers = min(workers, len(items))
    if workers < 1 or multiprocessing.current_process().daemon:
        yield from in_process(function, items)
    elif needs is not None and engine_name() == "ray":
        from primus.engine_ray import map_on_ray

        with contextlib.closing(map_on_ray(function, items, workers, timeout_s, needs)) as spread:
            yield from spread
    else:
        with contextlib.closing(in_workers(function, items, workers, timeout_s)) as outcomes:
            yield from outcomes


def engine_name() -> str:
    """ "local" or "ray", as `PRIMUS_ENGINE` says: where work is done is no parameter of a stage, since no result depends on it."""
    name = os.environ.get("PRIMUS_ENGINE") or "local"
    if name not in ENGINES:
        raise UserError(f"PRIMUS_ENGINE is {name!r}; expected {' or '.join(ENGINES)}")
    return name
