"""
Variability of the intervals between heart beats, in windows that are long enough for it.

How long a window must be is a matter of evidence (`NEEDS_S`): in a minute, few slow waves have passed, and a number that
comes out says little. Nothing here is divided by the length of a window or by its total power unless its name says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.features.body.beats import Beats, interval_spectra, near, rmssd_sdnn
from mmme.features.tables import Column
from mmme.features.windows import Windows, either, first_reason, too_short

__all__ = ["HRV_COLUMNS", "NEEDS_S", "SET_ASIDE_SHARE", "fragmentation", "hrv_columns", "successive"]

#: Shortest window of each measure [s]. Against 180 s, RMSSD was off by 15 % at 30 s and 35 % at 4 s, SDNN by 25 % at 60 s
#: (medians of 32 segments of 3 people, so only a guide); HF needs 60 s and LF 120 s (Task Force 1996,
#: doi:10.1161/01.CIR.93.5.1043; Shaffer & Ginsberg 2017, doi:10.3389/fpubh.2017.00258); entropy and scaling need
#: beats by the hundred.
NEEDS_S: Mapping[str, float] = MappingProxyType(
    {
        "hrv_rmssd_ms": 30.0,
        "hrv_sdnn_ms": 60.0,
        "hrv_hf_ms2": 60.0,
        "hrv_lf_ms2": 120.0,
        "hrv_lfhf": 120.0,
        "hrv_mean_nn_ms": 10.0,
        "hrv_sdsd_ms": 30.0,
        "hrv_pnn50_percent": 60.0,
        "hrv_pnn20_percent": 60.0,
        "hrv_cvnn": 60.0,
        "hrv_madnn_ms": 60.0,
        "hrv_lfn": 120.0,
        "hrv_hfn": 120.0,
        "hrv_hf_peak_hz": 60.0,
        "hrv_sd1_ms": 30.0,
        "hrv_sd2_ms": 60.0,
        "hrv_sd1sd2": 60.0,
        "hrv_sample_entropy": 120.0,
        "hrv_dfa_alpha1": 120.0,
        "hrv_pip_percent": 60.0,
        "hrv_ials": 60.0,
        "hrv_pss_percent": 60.0,
        "hrv_pas_percent": 60.0,
    }
)
HRV_COLUMNS: tuple[str, ...] = tuple(NEEDS_S)
#: Variability is refused where more intervals than this share were corrected or set aside: in a minute of real ECG, two
#: false beats more than doubled RMSSD.
SET_ASIDE_SHARE = 0.05
#: Intervals that entropy and scaling need.
LEAST_INTERVALS = 100
#: Fewer intervals have no median deviation and do not turn often enough.
LEAST_OF_ROW = 10
#: Windows that are looked at together.
ROWS = 2048
HF_HZ, LF_HZ = (0.15, 0.40), (0.04, 0.15)


def hrv_columns(beats: Beats, windows: Windows, why: NDArray[np.str_], aside: NDArray[np.float64]) -> dict[str, Column]:
    """
    Describe windows by the variability of their intervals.

    Parameters
    ----------
    beats
        Heart beats; only accepted intervals count, and differences between two of them that follow each other.
    windows
        ``k`` of them.
    why : (k,)
        Reasons that hold for all measures; the empty string where there is none.
    aside : (k,)
        Share of each window's intervals that were corrected or set aside.

    Returns
    -------
    dict of str to Column
        `HRV_COLUMNS`, in order: RMSSD, SDNN [ms]; HF, LF power [ms²] and LF/HF; mean interval [ms], SDSD [ms], pNN50, pNN20
        [%], coefficient of variation, median absolute deviation [ms]; LF and HF in shares of their sum; frequency of the
        largest HF power [Hz]; SD1, SD2 [ms] and SD1/SD2 (Poincaré); sample entropy (m 2, tolerance 0.2 SD), scaling
        exponent over 4 to 16 beats; fragmentation: PIP [%], IALS, PSS [%], PAS [%].

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043.
    Costa et al. (2017), Heart rate fragmentation, doi:10.3389/fphys.2017.00255.
    """
    k, beats = windows.start_s.size, near(beats, windows)
    values = {name: np.full(k, np.nan) for name in NEEDS_S}
    if windows.duration_s >= min(NEEDS_S.values()) - 1e-9:
        values |= _time(beats, windows)
    if windows.duration_s >= NEEDS_S["hrv_hf_ms2"] - 1e-9:
        values |= _frequency(beats, windows)
        values |= _of_rows(beats, windows)
    many = first_reason(k, (aside > SET_ASIDE_SHARE, f"more than {SET_ASIDE_SHARE:.0%} of beats set aside"))
    general = either(why, many)
    few = first_reason(
        k, (_counts(beats, windows) < LEAST_INTERVALS, f"fewer than {LEAST_INTERVALS} intervals in the window")
    )
    if windows.duration_s >= NEEDS_S["hrv_sample_entropy"] - 1e-9:
        values |= _entropies_and_scalings(beats, windows, either(general, few) == "")
    reasons = {needs_s: either(too_short(windows, needs_s), general) for needs_s in set(NEEDS_S.values())}
    made = {}
    for name, needs_s in NEEDS_S.items():
        own = reasons[needs_s]
        if name in ("hrv_sample_entropy", "hrv_dfa_alpha1"):
            own = either(own, few)
        made[name] = (values[name], own)
    return made


def _ends(beats: Beats, windows: Windows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last (not included) interval that lies wholly in each window."""
    first, last = np.searchsorted(beats.t_s, [windows.start_s, windows.stop_s], side="left")
    return first, np.maximum(last - 1, first)


def _counts(beats: Beats, windows: Windows) -> NDArray[np.int64]:
    """Count the accepted intervals of each window."""
    total = np.concatenate([[0], np.cumsum(beats.accepted)])
    first, last = (np.minimum(i, beats.accepted.size) for i in _ends(beats, windows))
    return np.asarray(total[last] - total[first], dtype=np.int64)


def successive(beats: Beats, windows: Windows) -> dict[str, NDArray[np.float64]]:
    """
    Moments of the differences of successive accepted intervals of each window.

    Returns
    -------
    dict
        ``(k,)`` each: ``n`` differences, their ``sd`` [ms] (n - 1), and how many are above 50 and 20 ms, ``over_50`` and
        ``over_20``.

    Examples
    --------
    >>> b = Beats(np.cumsum([0.0, 0.8, 0.9, 0.8, 0.9]), np.ones(4, dtype=bool))
    >>> found = successive(b, Windows(np.array([-1.0]), 10.0))
    >>> found["n"].tolist(), found["over_50"].tolist()
    ([3.0], [3.0])
    """
    k = windows.start_s.size
    if beats.t_s.size < 3:
        return {"n": np.zeros(k), **{name: np.full(k, np.nan) for name in ("sd", "over_50", "over_20")}}
    both = beats.accepted[1:] & beats.accepted[:-1]
    step = np.where(both, np.diff(beats.interval_s * 1e3), 0.0)
    first, last = _ends(beats, windows)
    last = np.maximum(last - 1, first)

    def sums(x: NDArray[Any]) -> NDArray[np.float64]:
        total = np.concatenate([[0.0], np.cumsum(x)])
        return np.asarray(total[np.minimum(last, x.size)] - total[np.minimum(first, x.size)])

    n = sums(both.astype(np.float64))
    above = {f"over_{ms}": sums((np.abs(step) > ms).astype(np.float64)) for ms in (50, 20)}
    some = np.where(n > 0, n, np.nan)
    square = sums(step**2) - sums(step) ** 2 / some
    return {
        "n": n,
        "sd": np.sqrt(np.maximum(square, 0.0) / np.where(n > 1, n - 1, np.nan)),
        **above,
    }


def _time(beats: Beats, windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Measures in time, and those of the Poincaré plot, which are made of them."""
    rmssd, sdnn, _ = rmssd_sdnn(beats, windows)
    steps = successive(beats, windows)
    first, last = (np.minimum(i, beats.accepted.size) for i in _ends(beats, windows))
    total = np.concatenate([[0.0], np.cumsum(np.where(beats.accepted, beats.interval_s * 1e3, 0.0))])
    n = _counts(beats, windows)
    some = np.where(n > 0, n, np.nan)
    mean = (total[last] - total[first]) / some
    sd1 = steps["sd"] / np.sqrt(2.0)
    sd2 = np.sqrt(np.maximum(2.0 * sdnn**2 - sd1**2, 0.0))
    return {
        "hrv_rmssd_ms": rmssd,
        "hrv_sdnn_ms": sdnn,
        "hrv_mean_nn_ms": mean,
        "hrv_sdsd_ms": steps["sd"],
        "hrv_pnn50_percent": 100.0 * steps["over_50"] / some,
        "hrv_pnn20_percent": 100.0 * steps["over_20"] / some,
        "hrv_cvnn": sdnn / mean,
        "hrv_sd1_ms": sd1,
        "hrv_sd2_ms": sd2,
        "hrv_sd1sd2": sd1 / np.where(sd2 > 0, sd2, np.nan),
    }


def _frequency(beats: Beats, windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Power of the interval lengths in bands [ms²]; see `mmme.features.body.beats.interval_spectra`."""
    hf, lf, peak = (np.full(windows.start_s.size, np.nan) for _ in range(3))
    usable, f, density = interval_spectra(beats, windows)
    if usable.any():
        high, low = ((f >= band[0]) & (f < band[1]) for band in (HF_HZ, LF_HZ))
        hf[usable], lf[usable] = (density[:, inside].sum(axis=1) * (f[1] - f[0]) for inside in (high, low))
        peak[usable] = f[high][np.argmax(density[:, high], axis=1)]
    both = np.where(lf + hf > 0, lf + hf, np.nan)
    return {
        "hrv_hf_ms2": hf,
        "hrv_lf_ms2": lf,
        "hrv_lfhf": lf / np.where(hf > 0, hf, np.nan),
        "hrv_lfn": lf / both,
        "hrv_hfn": hf / both,
        "hrv_hf_peak_hz": peak,
    }


def _of_rows(beats: Beats, windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Median absolute deviation and fragmentation: measures that are no sums, from one row of intervals per window."""
    names = ("hrv_madnn_ms", "hrv_pip_percent", "hrv_ials", "hrv_pss_percent", "hrv_pas_percent")
    made = {name: np.full(windows.start_s.size, np.nan) for name in names}
    first, last = (np.minimum(i, beats.accepted.size) for i in _ends(beats, windows))
    n = last - first
    longest = int(n.max(initial=0))
    if longest < LEAST_OF_ROW:
        return made
    nn_ms = np.where(beats.accepted, beats.interval_s * 1e3, np.nan)
    nn_ms = np.concatenate([nn_ms, np.full(longest, np.nan)])
    for some in np.array_split(np.arange(n.size), -(-n.size // ROWS)):
        rows = nn_ms[first[some, None] + np.arange(longest)]
        rows[np.arange(longest) >= n[some, None]] = np.nan
        enough = np.isfinite(rows).sum(axis=1) >= LEAST_OF_ROW
        rows, some = rows[enough], some[enough]
        if not some.size:
            continue
        spread = np.abs(rows - _medians(rows)[:, None])
        # 1.4826 makes it the standard deviation of a normal distribution
        made["hrv_madnn_ms"][some] = 1.4826 * _medians(spread)
        for name, values in zip(names[1:], fragmentation(rows), strict=True):
            made[name][some] = values
    return made


def _medians(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of the known values of each row, at least one, ``(k,)``: NaN are sorted to the end."""
    n = np.isfinite(rows).sum(axis=1)
    ordered, row = np.sort(rows, axis=1), np.arange(n.size)
    return np.asarray(0.5 * (ordered[row, (n - 1) // 2] + ordered[row, n // 2]))


def fragmentation(
    nn_ms: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """
    Measure how often the heart rate turns.

    Parameters
    ----------
    nn_ms : (k, n)
        Rows of successive intervals [ms]; NaN where one is not known: no difference is taken to it, and stretches end.

    Returns
    -------
    pip : (k,)
        Percentage of intervals at which acceleration and deceleration change places, or either comes to a standstill.
    ials : (k,)
        Inverse of the mean length of stretches of acceleration or deceleration.
    pss : (k,)
        Percentage of differences in short stretches, of fewer than three.
    pas : (k,)
        Percentage of differences in alternation, at least four stretches of one in a row.

    References
    ----------
    Costa, Davis, Goldberger (2017), doi:10.3389/fphys.2017.00255.

    Examples
    --------
    >>> pip, ials, pss, pas = fragmentation(np.array([[800.0, 810.0] * 10]))
    >>> pip.tolist(), ials.tolist(), pss.tolist(), pas.tolist()
    ([90.0], [1.0], [100.0], [100.0])
    """
    step = np.diff(nn_ms, axis=1)
    known = np.isfinite(step)
    sign = np.where(known, np.sign(step), np.nan)
    pairs = known[:, 1:] & known[:, :-1]
    turns = pairs & (step[:, 1:] * step[:, :-1] <= 0) & ((step[:, 1:] != 0) | (step[:, :-1] != 0))
    n_steps = np.maximum(known.sum(axis=1), 1)
    pip = 100.0 * turns.sum(axis=1) / np.maximum(np.isfinite(nn_ms).sum(axis=1), 1)
    length = _stretch_lengths(sign, known)
    begins = known.copy()
    begins[:, 1:] &= ~(pairs & (sign[:, 1:] == sign[:, :-1]))
    ials = begins.sum(axis=1) / n_steps
    pss = 100.0 * (known & (length < 3)).sum(axis=1) / n_steps
    single = known & (length == 1)
    pas = 100.0 * (single & (_stretch_lengths(single.astype(float), known) >= 4)).sum(axis=1) / n_steps
    return pip, ials, pss, pas


def _stretch_lengths(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Length of the stretch of equal known values that each lies in, ``(k, n)``; rows do not touch."""
    k, n = values.shape
    new = np.ones((k, n), dtype=bool)
    new[:, 1:] = ~(known[:, 1:] & known[:, :-1] & (values[:, 1:] == values[:, :-1]))
    at = np.flatnonzero(new.ravel())
    return np.repeat(np.diff(np.append(at, k * n)), np.diff(np.append(at, k * n))).reshape(k, n)


def _entropies_and_scalings(beats: Beats, windows: Windows, wanted: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Sample entropy and scaling exponent of the wanted windows that hold enough intervals; each takes milliseconds."""
    entropy, alpha = (np.full(windows.start_s.size, np.nan) for _ in range(2))
    first, last = _ends(beats, windows)
    known: dict[tuple[int, int], tuple[float, float]] = {}  # windows that overlap may hold the same intervals
    for i in np.flatnonzero(wanted):
        ends = int(first[i]), int(last[i])
        if ends not in known:
            own = slice(*ends)
            known[ends] = _entropy_and_scaling(beats.interval_s[own][beats.accepted[own]] * 1e3)
        entropy[i], alpha[i] = known[ends]
    return {"hrv_sample_entropy": entropy, "hrv_dfa_alpha1": alpha}


def _entropy_and_scaling(nn_ms: NDArray[np.float64]) -> tuple[float, float]:
    """Sample entropy and the short-term scaling exponent, as NeuroKit computes them."""
    import neurokit2 as nk

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entropy = float(nk.entropy_sample(nn_ms, delay=1, dimension=2, tolerance=0.2 * np.std(nn_ms, ddof=1))[0])
        alpha = float(nk.fractal_dfa(nn_ms, scale=np.arange(4, 17))[0])
    return entropy, alpha
