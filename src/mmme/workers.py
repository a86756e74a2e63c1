"""
Work over recordings and folds: inline, on a local Dask cluster, or on any Dask scheduler, by one code path.

One failed item never costs the others: its error is an `Outcome`, and the work goes on.
"""

from __future__ import annotations

import contextlib
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mmme.errors import ConfigError, MmmeError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Outcome", "Workers"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T, R]):
    """
    What became of one item: a value, or the sentence that says why not.

    Parameters
    ----------
    index
        Position of the item in the input.
    item
        The item itself.
    value
        What the function returned; None after an error.
    error
        One sentence; empty when all went well.
    """

    index: int
    item: T
    value: R | None
    error: str = ""


def _attempt(function: Callable[[T], R], item: T) -> tuple[R | None, str]:
    """Run the function here or on a worker, and turn any exception into a sentence."""
    try:
        return function(item), ""
    except MmmeError as error:
        return None, str(error)
    except OSError as error:  # its path may hold a name
        name = Path(str(error.filename)).name if error.filename else "a file"
        return None, f"{type(error).__name__}: {error.strerror or 'failed'} ({name})"
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return None, f"{type(error).__name__}: {error} (at {frame.name}, line {frame.lineno})"


def _attempt_packed(packed: bytes) -> tuple[Any, str]:
    """
    Unpack on the worker, inside the attempt.

    A function or item that the worker cannot load must become a sentence: Dask drops such a message, and its sender would
    wait for ever.
    """
    try:
        function, item = pickle.loads(packed)
    except Exception as error:
        return None, f"the worker cannot load the work: {type(error).__name__}: {error}; is mmme installed there?"
    return _attempt(function, item)


class Workers:
    """
    A place where items are worked on.

    Parameters
    ----------
    jobs
        Processes of a local Dask cluster; 1 works inline, in this process.
    scheduler
        Address of a running Dask scheduler, for example ``tcp://127.0.0.1:8786``; excludes ``jobs > 1``.

    Raises
    ------
    ConfigError
        If both are given, or the scheduler does not answer.

    Examples
    --------
    >>> with Workers() as workers:
    ...     [o.value for o in workers.map(abs, [-1, 2])]
    [1, 2]
    """

    def __init__(self, jobs: int = 1, scheduler: str | None = None) -> None:
        if jobs < 1:
            raise ConfigError(f"--jobs: expected at least 1, got {jobs}")
        if scheduler and jobs > 1:
            raise ConfigError("--jobs and --scheduler: expected one of them, got both; the scheduler has its own workers")
        self.jobs = jobs
        self.scheduler = scheduler
        self._client: Client | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Workers:
        """Start or reach the cluster, if one is wanted."""
        if self.scheduler or self.jobs > 1:
            import dask  # only here: 0.7 s of import, and not every run needs it
            from distributed import Client, LocalCluster

            if self.scheduler:
                try:
                    self._client = self._stack.enter_context(Client(self.scheduler, timeout=10, set_as_default=False))
                except OSError as error:
                    raise ConfigError(
                        f"--scheduler: expected a Dask scheduler at {self.scheduler}, got no answer in 10 s; is it running?"
                    ) from error
            else:
                with dask.config.set({"distributed.scheduler.allowed-failures": 1}):  # items are tried again alone
                    cluster = self._stack.enter_context(
                        LocalCluster(
                            n_workers=self.jobs,
                            threads_per_worker=1,
                            processes=True,
                            dashboard_address=":0",
                            host="127.0.0.1",
                            silence_logs=50,
                        )
                    )
                self._client = self._stack.enter_context(Client(cluster, set_as_default=False))
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop what was started."""
        self._client = None
        self._stack.close()

    @property
    def parallel(self) -> int:
        """How many items are worked on at a time."""
        return sum(self._client.nthreads().values()) if self._client is not None else 1

    def as_completed(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[Outcome[T, R]]:
        """
        Yield one `Outcome` per item as it is done, in any order; inline in the order given.

        An item whose worker died is tried once more, alone, when all others are done.
        """
        work: Sequence[T] = list(items)
        if self._client is None:
            for index, item in enumerate(work):
                value, error = _attempt(function, item)
                yield Outcome(index, item, value, error)
            return
        import cloudpickle
        from distributed import as_completed

        packed = [cloudpickle.dumps((function, item)) for item in work]
        futures: dict[Any, int] = {
            self._client.submit(_attempt_packed, part, pure=False): index for index, part in enumerate(packed)
        }
        lost = []
        for future in as_completed(list(futures), loop=self._client.loop):
            index = futures[future]
            try:
                value, error = future.result()
            except Exception:  # the worker itself died: memory, segmentation fault, kill
                lost.append(index)
                continue
            yield Outcome(index, work[index], value, error)
        for index in lost:  # whoever was waiting on a worker that died is blamed as well, so each is tried alone
            try:
                value, error = self._client.submit(_attempt_packed, packed[index], pure=False).result()
            except Exception as crash:
                value, error = None, f"worker lost: {type(crash).__name__}; does the item need more memory?"
            yield Outcome(index, work[index], value, error)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[Outcome[T, R]]:
        """All outcomes in the order of the items."""
        return sorted(self.as_completed(function, items), key=lambda outcome: outcome.index)
