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

from mmme.features.body.beats import Beats, interval_spectra, rmssd_sdnn, spectral_power
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
HF_HZ, LF_HZ = (0.15, 0.40), (0.04, 0.15)


def hrv_columns(beats: Beats, windows: Windows, why: NDArray[np.str_], aside: NDArray[np.float64]) -> dict[str, Column]:
    """
    Describe windows by the variability of their intervals.

    Parameters
    ----------
    beats
        Corrected heart beats.
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
    k = windows.start_s.size
    short = {name: too_short(windows, needs_s) for name, needs_s in NEEDS_S.items()}
    values = {name: np.full(k, np.nan) for name in NEEDS_S}
    if windows.duration_s >= min(NEEDS_S.values()) - 1e-9:
        values |= _time(beats, windows)
    if windows.duration_s >= NEEDS_S["hrv_hf_ms2"] - 1e-9:
        values |= _frequency(beats, windows)
        values |= _of_single_windows(beats, windows, why)
    many = first_reason(k, (aside > SET_ASIDE_SHARE, f"more than {SET_ASIDE_SHARE:.0%} of beats set aside"))
    general = either(why, many)
    few = first_reason(
        k, (_counts(beats, windows) < LEAST_INTERVALS, f"fewer than {LEAST_INTERVALS} intervals in the window")
    )
    reasons = {needs_s: either(short[name], general) for name, needs_s in NEEDS_S.items()}
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
    """Power of the interval lengths in bands [ms²]; see `mmme.features.body.beats.spectral_power`."""
    hf, lf = spectral_power(beats, windows, (HF_HZ, LF_HZ)).T
    peak = np.full(windows.start_s.size, np.nan)
    usable, f, density = interval_spectra(beats, windows)
    inside = (f >= HF_HZ[0]) & (f < HF_HZ[1])
    if usable.any():
        peak[usable] = f[inside][np.argmax(density[:, inside], axis=1)]
    both = np.where(lf + hf > 0, lf + hf, np.nan)
    return {
        "hrv_hf_ms2": hf,
        "hrv_lf_ms2": lf,
        "hrv_lfhf": lf / np.where(hf > 0, hf, np.nan),
        "hrv_lfn": lf / both,
        "hrv_hfn": hf / both,
        "hrv_hf_peak_hz": peak,
    }


def _of_single_windows(beats: Beats, windows: Windows, why: NDArray[np.str_]) -> dict[str, NDArray[np.float64]]:
    """Measures that look at one window at a time; long windows are few."""
    k = windows.start_s.size
    names = ("hrv_madnn_ms", "hrv_pip_percent", "hrv_ials", "hrv_pss_percent", "hrv_pas_percent")
    made = {name: np.full(k, np.nan) for name in (*names, "hrv_sample_entropy", "hrv_dfa_alpha1")}
    first, last = _ends(beats, windows)
    long = windows.duration_s >= NEEDS_S["hrv_sample_entropy"] - 1e-9
    for i in np.flatnonzero(why == ""):
        own = slice(first[i], last[i])
        nn = beats.interval_s[own][beats.accepted[own]] * 1e3
        if nn.size < 10:
            continue
        # 1.4826 makes it the standard deviation of a normal distribution
        made["hrv_madnn_ms"][i] = 1.4826 * float(np.median(np.abs(nn - np.median(nn))))
        for name, value in zip(names[1:], fragmentation(nn), strict=True):
            made[name][i] = value
        if long and nn.size >= LEAST_INTERVALS:
            made["hrv_sample_entropy"][i], made["hrv_dfa_alpha1"][i] = _entropy_and_scaling(nn)
    return made


def fragmentation(nn_ms: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """
    Measure how often the heart rate turns.

    Parameters
    ----------
    nn_ms : (n,)
        Successive intervals [ms], at least 4.

    Returns
    -------
    pip
        Percentage of intervals at which acceleration and deceleration change places.
    ials
        Inverse of the mean length of stretches of acceleration or deceleration.
    pss
        Percentage of differences in short stretches, of fewer than three.
    pas
        Percentage of differences in alternation, at least four stretches of one.

    References
    ----------
    Costa, Davis, Goldberger (2017), doi:10.3389/fphys.2017.00255.

    Examples
    --------
    >>> pip, ials, pss, pas = fragmentation(np.array([800.0, 810.0] * 10))
    >>> round(pip), round(ials, 2), pss, pas
    (90, 1.0, 100.0, 100.0)
    """
    step = np.diff(nn_ms)
    turns = step[1:] * step[:-1] <= 0  # a standstill is a turn as well
    turns &= (step[1:] != 0) | (step[:-1] != 0)
    pip = 100.0 * float(turns.sum()) / nn_ms.size
    edges = np.flatnonzero(np.diff(np.sign(step)) != 0) + 1
    lengths = np.diff(np.concatenate([[0], edges, [step.size]]))
    ials = 1.0 / float(lengths.mean())
    pss = 100.0 * float(lengths[lengths < 3].sum()) / step.size
    ones = np.flatnonzero(np.diff(np.concatenate([[0], (lengths == 1).astype(int), [0]])))
    runs = ones[1::2] - ones[::2]
    pas = 100.0 * float(runs[runs >= 4].sum()) / step.size
    return pip, ials, pss, pas


def _entropy_and_scaling(nn_ms: NDArray[np.float64]) -> tuple[float, float]:
    """Sample entropy and the short-term scaling exponent, as NeuroKit computes them."""
    import neurokit2 as nk

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entropy = float(nk.entropy_sample(nn_ms, delay=1, dimension=2, tolerance=0.2 * np.std(nn_ms, ddof=1))[0])
        alpha = float(nk.fractal_dfa(nn_ms, scale=np.arange(4, 17))[0])
    return entropy, alpha
