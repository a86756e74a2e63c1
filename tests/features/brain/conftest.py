"""Small cleaned recordings made by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mmme.features.brain.clean import CleanEeg
from mmme.features.quality import Verdict
from mmme.features.windows import Occasions, Windows


@pytest.fixture(scope="session")
def cleaned() -> Callable[..., CleanEeg]:
    """Builder: ``cleaned(x (n_channels, n) [µV], names, fs=250.0, missing=slice, flat=(), bad={}, silent={name: slice})``."""

    def build(
        x: NDArray[np.floating],
        names: tuple[str, ...],
        fs: float = 250.0,
        *,
        missing: slice | None = None,
        flat: tuple[str, ...] = (),
        bad: dict[str, str] | None = None,
        interpolated: tuple[str, ...] = (),
        silent: dict[str, slice] | None = None,
    ) -> CleanEeg:
        n = x.shape[1]
        gone = np.zeros(n, dtype=bool)
        if missing:
            gone[missing] = True
        codes = np.zeros((len(names), int(np.ceil(n / fs))), dtype=np.uint8)
        for name, cells in (silent or {}).items():
            codes[names.index(name), cells] = 1
        return CleanEeg(
            np.arange(n) / fs, np.asarray(x, dtype=np.float32), gone, fs, names, np.isin(names, flat), bad or {}, interpolated,
            np.zeros((len(names), 0), dtype=np.float32), Verdict(0.0, codes, ("channel is flat", "amplitude")), {},
        )  # fmt: skip

    return build


@pytest.fixture(scope="session")
def occasions() -> Callable[..., Occasions]:
    """Builder: ``occasions(*starts, duration=2.0, baseline=2.0, at=None)``; the event is 0.5 s after the start by default."""

    def build(
        *starts: float, duration: float = 2.0, baseline: float | None = 2.0, at: list[float] | None = None
    ) -> Occasions:
        windows = Windows(np.array(starts, dtype=np.float64), duration)
        events = windows.start_s + 0.5 if at is None else np.array(at, dtype=np.float64)
        return Occasions(windows, windows.before(baseline) if baseline else None, events)

    return build
