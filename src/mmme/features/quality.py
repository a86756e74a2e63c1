"""
How far a signal can be trusted, moment by moment: a verdict per cell of one second, and its cause.

The quality index of a window is the share of its time that no absolute rule objects to, so it means the same for every
person and every recording; an index scaled by the recording itself (by its best beat, its largest deflection) does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.sampling import Regular
from mmme.features.windows import Windows

__all__ = ["CELL_S", "GOOD", "Verdict", "verdict_from"]

#: Length of the cells a recording is judged in [s]: about a heart beat.
CELL_S = 1.0
#: Code of a cell nothing speaks against.
GOOD = 0


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """
    What can be said against a signal, cell by cell.

    Parameters
    ----------
    start_s
        Start of the first cell [s].
    codes : (n_parts, n_cells) uint8
        Per channel (one for peripheral signals) and cell: 0 is good, ``k`` means ``causes[k - 1]``.
    causes
        Texts, the gravest first.
    parts
        Names of the channels; empty for one.

    Examples
    --------
    >>> v = Verdict(0.0, np.array([[0, 0, 1, 1, 0]], dtype=np.uint8), ("signal is flat",))
    >>> index, cause = v.index(Windows(np.array([0.0, 1.0]), 2.0))
    >>> index.tolist(), cause.tolist()
    ([1.0, 0.5], ['', 'signal is flat'])
    """

    start_s: float
    codes: NDArray[np.uint8]
    causes: tuple[str, ...]
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that every code has its text."""
        if self.codes.ndim != 2 or (self.codes.size and int(self.codes.max()) > len(self.causes)):
            raise DataError(
                f"verdict: expected codes (n_parts, n_cells) up to {len(self.causes)}, got shape {self.codes.shape} "
                f"up to {int(self.codes.max()) if self.codes.size else 0}"
            )

    @property
    def stop_s(self) -> float:
        """End of the last cell [s]."""
        return self.start_s + CELL_S * self.codes.shape[1]

    def index(self, windows: Windows) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
        """
        Rate windows.

        Parameters
        ----------
        windows
            ``k`` of them.

        Returns
        -------
        index : (k,) float64
            Share of each window, mean over the parts, that is good, 0 to 1; what lies outside the recording is not.
        cause : (k,) str
            What most of the rest suffers from; the empty string where the index is 1.
        """
        share = self._shares(windows)
        good = share[GOOD]
        worst = np.argmax(share[1:], axis=0)
        texts = np.array([*self.causes, "window leaves the recording"])
        return good, np.where(good < 1.0 - 1e-9, texts[worst], "")

    def over_all(self) -> tuple[float, str]:
        """Quality index of the whole recording, and what most of the rest suffers from."""
        if not self.codes.size:
            return 0.0, "empty recording"
        index, cause = self.index(Windows(np.array([self.start_s]), self.stop_s - self.start_s))
        return float(index[0]), str(cause[0])

    def part_shares(self) -> NDArray[np.float64]:
        """Share of each part's cells that are good, ``(n_parts,)``."""
        return np.asarray((self.codes == GOOD).mean(axis=1))

    def _shares(self, windows: Windows) -> NDArray[np.float64]:
        """Share of each window's time under each code, and outside, ``(n_causes + 2, k)``."""
        shares = np.zeros((len(self.causes) + 2, windows.start_s.size))
        codes, edges = self._near(windows)
        for code in range(len(self.causes) + 1):
            time = np.concatenate([[0.0], np.cumsum(CELL_S * (codes == code).mean(axis=0))])
            shares[code] = np.interp(windows.stop_s, edges, time) - np.interp(windows.start_s, edges, time)
        shares /= windows.duration_s
        shares[-1] = np.maximum(1.0 - shares[:-1].sum(axis=0), 0.0)
        return shares

    def _near(self, windows: Windows) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Cells from the first to the last window, and their edges: one trial need not look at an hour."""
        n = self.codes.shape[1]
        known = windows.start_s[np.isfinite(windows.start_s)]
        first, last = 0, n
        if known.size and n:
            first = int(np.clip(np.floor((known.min() - self.start_s) / CELL_S), 0, n - 1))
            last = int(np.clip(np.ceil((known.max() + windows.duration_s - self.start_s) / CELL_S), first + 1, n))
        return self.codes[:, first:last], self.start_s + CELL_S * np.arange(first, last + 1)


def verdict_from(signal: Regular, doubts: Mapping[str, NDArray[np.bool_]]) -> Verdict:
    """
    Judge a recording of one channel from marks on its samples.

    Parameters
    ----------
    signal
        Whose samples were marked; its missing samples are the gravest doubt.
    doubts
        By cause, the gravest first: ``(n,)`` marks. A cell suffers from the first cause that marks any of its samples.

    Examples
    --------
    >>> s = Regular(np.arange(40) / 10, np.zeros(40), np.arange(40) < 3, 10.0)
    >>> v = verdict_from(s, {"clipped": np.arange(40) == 25})
    >>> v.codes.tolist(), v.causes
    ([[1, 0, 2, 0]], ('samples are missing', 'clipped'))
    """
    cell = np.floor((signal.t - signal.start_s + 1e-6) / CELL_S).astype(np.int64)
    n_cells = int(cell[-1]) + 1
    codes = np.zeros(n_cells, dtype=np.uint8)
    marks = {"samples are missing": signal.bad, **doubts}
    for code, marked in reversed(list(enumerate(marks.values(), start=1))):
        codes[cell[marked]] = code
    return Verdict(signal.start_s, codes[None], tuple(marks))
