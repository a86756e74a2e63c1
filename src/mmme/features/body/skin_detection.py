"""
Skin conductance of a whole recording: level and phasic part, and responses above an absolute threshold.

A threshold relative to the largest response of the recording (the default elsewhere) lets one artefact hide all others.

References
----------
Boucsein (2012), Electrodermal Activity, doi:10.1007/978-1-4614-1126-0. Greco et al. (2016), cvxEDA,
doi:10.1109/TBME.2015.2474131. Makowski et al. (2021), NeuroKit2, doi:10.3758/s13428-020-01516-y.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.signal import find_peaks

from mmme.errors import ConfigError, unknown_name
from mmme.features.sampling import Regular, decimated

__all__ = ["CVXEDA_HZ", "EDA_HZ", "METHODS", "Responses", "cleaned", "find_responses", "split"]

EDA_HZ = 50.0
#: What cvxEDA finds depends on the rate (25 against 50 Hz: a fifth of the phasic part), so there is one, its authors'.
CVXEDA_HZ = 25.0
METHODS = ("highpass", "cvxeda")
# The level under responses: median of 30 s, smoothed over 5 s (standard deviation), from half-second means.
_LEVEL_S, _SMOOTH_S, _MEAN_S = 30.0, 5.0, 0.5
#: The trough is sought this long before a peak [s].
RISE_MAX_S = 5.0
#: Half recovery is sought this long after a peak [s].
RECOVERY_MAX_S = 20.0


class Responses(NamedTuple):
    """
    Skin conductance responses in order of time.

    Parameters
    ----------
    onset_s, peak_s : (m,) float64
        Where the rise begins (last sample below a tenth of it) and ends [s].
    amplitude_us : (m,) float64
        Peak minus trough [µS].
    half_recovery_s : (m,) float64
        From the peak until half of the amplitude is lost [s]; NaN where the next response begins before, where that is not
        reached within 20 s, or where a doubtful sample lies between.
    """

    onset_s: NDArray[np.float64]
    peak_s: NDArray[np.float64]
    amplitude_us: NDArray[np.float64]
    half_recovery_s: NDArray[np.float64]


def cleaned(signal: Regular) -> Regular:
    """
    Low-pass at 3 Hz, without shift in time; recordings below 7 Hz are left as they are, they hold nothing above it.

    Parameters
    ----------
    signal
        EDA in µS at about 50 Hz, artefacts bridged.
    """
    import neurokit2 as nk

    if signal.fs_hz < 7.0:
        return signal
    return Regular(signal.t, np.asarray(nk.eda_clean(signal.x, sampling_rate=signal.fs_hz)), signal.bad, signal.fs_hz)


def split(clean: Regular, *, method: str = "highpass") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Split skin conductance into tonic and phasic, each ``(n,)`` [µS].

    Parameters
    ----------
    clean
        Low-passed EDA in µS.
    method
        ``"highpass"``: below and above 0.05 Hz, zero-phase Butterworth filters. ``"cvxeda"``: convex optimisation, always
        at 25 Hz and in µS, not scaled by the recording.

    Raises
    ------
    ConfigError
        If the method is unknown, or cvxopt is not installed.

    Examples
    --------
    >>> s = Regular(np.arange(3000) / 50, np.full(3000, 5.0), np.zeros(3000, dtype=bool), 50.0)
    >>> tonic, phasic = split(s)
    >>> tonic[1500].round(3), abs(phasic[1500]).round(3)
    (5.0, 0.0)
    """
    import neurokit2 as nk

    if method not in METHODS:
        raise unknown_name("method of splitting EDA", method, METHODS)
    if method == "highpass":
        parts = nk.eda_phasic(clean.x, sampling_rate=clean.fs_hz, method="highpass")
        return parts["EDA_Tonic"].to_numpy(), parts["EDA_Phasic"].to_numpy()
    if find_spec("cvxopt") is None:
        raise ConfigError("eda: method 'cvxeda' needs the package cvxopt, which is not installed; install mmme[cvxeda]")
    coarse = decimated(clean, CVXEDA_HZ)
    t = clean.start_s + np.arange(int((clean.t[-1] - clean.start_s) * CVXEDA_HZ) + 1) / CVXEDA_HZ
    parts = nk.eda_phasic(np.interp(t, coarse.t, coarse.x), sampling_rate=CVXEDA_HZ, method="cvxeda")
    tonic, phasic = (np.interp(clean.t, t, parts[name].to_numpy()) for name in ("EDA_Tonic", "EDA_Phasic"))
    return tonic, phasic


def find_responses(clean: Regular, doubtful: NDArray[np.bool_], *, threshold_us: float) -> Responses:
    """
    Find responses from trough to peak: conductance rises to a peak and falls from it by at least ``threshold_us``.

    The level is removed first, the median of 30 s: its slow waves would hide small responses and make false ones. A median,
    because a filter would carry a large response into the half minute before it, and a split at 0.05 Hz makes false
    responses of what swings back after true ones.

    Parameters
    ----------
    clean
        Low-passed EDA [µS].
    doubtful : (n,) bool
        Samples that cannot be trusted; responses that rise over one are set aside.
    threshold_us
        Smallest response [µS].

    Examples
    --------
    >>> t = np.arange(0, 20, 0.02)
    >>> rise = np.where(t > 5, 0.3 * (np.exp(-(t - 5) / 4) - np.exp(-(t - 5) / 0.7)), 0.0)
    >>> none = np.zeros(t.size, dtype=bool)
    >>> found = find_responses(Regular(t, 3.0 + rise, none, 50.0), none, threshold_us=0.02)
    >>> found.onset_s.round(1).tolist(), found.peak_s.round(1).tolist(), found.half_recovery_s.round(1).tolist()
    ([5.0], [6.5], [3.5])
    """
    fs_hz = clean.fs_hz
    x = clean.x - _level(clean.x, fs_hz)
    peaks, _ = find_peaks(x, prominence=threshold_us)
    count = np.concatenate([[0], np.cumsum(doubtful | clean.bad)])
    onset, half = np.empty(peaks.size, dtype=np.int64), np.full(peaks.size, np.nan)
    amplitude = np.empty(peaks.size)
    # One of each per response, a few hundred in an hour.
    begin = np.maximum(np.concatenate([[0], peaks[:-1]]), peaks - round(RISE_MAX_S * fs_hz))[: peaks.size]
    for i, (a, peak) in enumerate(zip(begin.tolist(), peaks.tolist(), strict=True)):
        rise = x[a : peak + 1]
        low = float(rise.min())
        amplitude[i] = x[peak] - low
        onset[i] = a + int(np.flatnonzero(rise <= low + 0.1 * amplitude[i])[-1])
    until = np.minimum(np.append(onset[1:], x.size), peaks + round(RECOVERY_MAX_S * fs_hz))[: peaks.size]
    for i, (peak, b) in enumerate(zip(peaks.tolist(), until.tolist(), strict=True)):
        below = np.flatnonzero(x[peak:b] <= x[peak] - 0.5 * amplitude[i])
        if below.size and count[peak + below[0] + 1] == count[peak]:
            half[i] = clean.t[peak + below[0]] - clean.t[peak]
    sound = (count[peaks + 1] == count[onset]) & (amplitude >= threshold_us)
    return Responses(clean.t[onset][sound], clean.t[peaks][sound], amplitude[sound], half[sound])


def _level(x: NDArray[np.float64], fs_hz: float) -> NDArray[np.float64]:
    """Follow what is slower than responses, ``(n,)``."""
    block = max(1, round(_MEAN_S * fs_hz))
    n = x.size // block
    per_s = fs_hz / block
    means = x[: n * block].reshape(n, block).mean(axis=1)
    middle = median_filter(means, size=2 * round(0.5 * _LEVEL_S * per_s) + 1, mode="nearest")
    smooth = gaussian_filter1d(middle, _SMOOTH_S * per_s, mode="nearest")
    return np.interp(np.arange(x.size), (np.arange(n) + 0.5) * block - 0.5, smooth)
