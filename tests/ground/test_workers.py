import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mmme.errors import ConfigError, DataError, raise_faults, unknown_name
from mmme.workers import Workers


@pytest.fixture
def halve() -> Callable[[int], float]:
    def halve(x: int) -> float:
        if x == 3:
            raise DataError("three.csv: expected an even number, got 3")
        if x == 5:
            raise ZeroDivisionError("five")
        return x / 2

    return halve


@pytest.fixture
def die() -> Callable[[int], int]:
    def die(x: int) -> int:
        if x == 1:
            os._exit(7)
        return x

    return die


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_failed_item_never_costs_the_others(jobs: int, halve: Callable[[int], float]) -> None:
    """
    A failing item becomes a sentence; the others are finished, inline and on a cluster alike.
    """
    with Workers(jobs) as workers:
        outcomes = workers.map(halve, [2, 3, 4, 5])

    assert [o.value for o in outcomes] == [1.0, None, 2.0, None]
    assert outcomes[1].error == "three.csv: expected an even number, got 3"
    assert outcomes[3].error.startswith("ZeroDivisionError: five (at halve")


def test_a_scheduler_that_is_given_is_used(halve: Callable[[int], float]) -> None:
    """
    Work goes to a running scheduler by its address, by the same code path.
    """
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
        with Workers(scheduler=cluster.scheduler_address) as workers:
            assert [o.value for o in workers.map(halve, [8])] == [4.0]


def test_jobs_and_scheduler_exclude_each_other() -> None:
    """
    A scheduler brings its own workers.
    """
    with pytest.raises(ConfigError, match="expected one of them, got both"):
        Workers(2, "tcp://127.0.0.1:1")
    with pytest.raises(ConfigError, match="--jobs: expected at least 1, got 0"):
        Workers(0)


def test_unknown_names_get_the_nearest_and_the_full_list() -> None:
    """
    A typo is answered with what was probably meant.
    """
    assert str(unknown_name("model", "svn", ["svm", "lda"], where="run.toml")) == (
        "run.toml: no model 'svn'; did you mean 'svm'? (known: lda, svm)"
    )


def test_faults_are_collected_and_raised_once() -> None:
    """
    Many faults make one error that counts them.
    """
    with pytest.raises(DataError, match=r"f.xlsx: 14 faults\n  - row 0\n(.*\n)+  - ... and 2 more"):
        raise_faults("f.xlsx", [f"row {i}" for i in range(14)])


def test_importing_mmme_loads_nothing_heavy(tmp_path: Path) -> None:
    """
    `import mmme` takes no torch, mne, cv2, matplotlib, mediapipe, sklearn, pandas or distributed with it.
    """
    import subprocess
    import sys

    heavy = {"torch", "mne", "cv2", "matplotlib", "mediapipe", "distributed", "sklearn", "pandas", "av", "neurokit2"}
    code = f"import sys, mmme; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_worker_that_dies_costs_only_its_own_item(die: Callable[[int], int]) -> None:
    """
    An item that kills its process is reported as lost; the others are finished.
    """
    with Workers(2) as workers:
        outcomes = workers.map(die, [0, 1, 2, 4])

    assert [o.value for o in outcomes] == [0, None, 2, 4]
    assert outcomes[1].error.startswith("worker lost: KilledWorker")


def test_work_that_a_worker_cannot_load_becomes_a_sentence() -> None:
    """
    An item that cannot be unpacked on the worker is reported; nobody waits for ever.
    """

    class Unloadable:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (__import__, ("a_module_that_is_not_there",))

    with Workers(2) as workers:
        outcomes = workers.map(str, [Unloadable(), 1])

    assert outcomes[0].error.startswith("the worker cannot load the work: ModuleNotFoundError")
    assert outcomes[1].value == "1"
