"""
Connectivity of all pairs of channels: coherence, phase locking and phase lag, over epochs or over time.

Two forms of the same measures answer two questions and give different numbers. Over epochs: is the phase between two
channels the same in every epoch of a trial? Over time: is it the same all the way through one stretch of signal?

Two electrodes that see the same source are coherent without any connection in the brain. That coupling has no lag:
``coh`` and ``plv`` count it, ``imcoh``, ``ciplv``, ``pli``, ``wpli`` and their unbiased forms do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, unknown_name
from mmme.features.brain.phases import Sums, epoch_spectra, sums_over_looks, tapers_of, wavelet_spectra

__all__ = ["CYCLES", "MEASURES", "connectivity_over_epochs", "connectivity_over_time", "expect_measures", "frequency_means"]

#: A frequency needs this many cycles in the epoch, or in the stretch of signal.
CYCLES = 6.0
#: Cycles of a Morlet wavelet.
WAVELET_CYCLES = 7.0
#: Imaginary parts of cross-spectra below this many units of rounding are none.
ROUNDING = 8.0

Matrices = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Definition:
    """How a measure follows from sums over looks, which sums those are, and whether the looks must be independent."""

    formula: Callable[[Sums], Matrices]
    sums: tuple[str, ...]
    independent: bool = False


def _power(s: Sums) -> Matrices:
    """Geometric mean of the powers of both channels."""
    amplitude = np.sqrt(np.diagonal(s.real))
    return np.asarray(amplitude[:, None] * amplitude)


def _phase(s: Sums) -> tuple[Matrices, Matrices]:
    """Mean of ``s / |s|``, real and imaginary part."""
    if s.phase_real is None or s.phase_imaginary is None:
        raise ValueError("sums: expected those of phases")
    return s.phase_real / s.n_looks, s.phase_imaginary / s.n_looks


def _of(total: Matrices | None) -> Matrices:
    """Give sums that were asked for."""
    if total is None:
        raise ValueError("sums: expected those that the measure is made of")
    return total


def _locking(s: Sums) -> Matrices:
    """Modulus of the mean of ``s / |s|``."""
    real, imaginary = _phase(s)
    return np.sqrt(real**2 + imaginary**2)


def _corrected(s: Sums) -> Matrices:
    """Imaginary part of the phase locking, by how large it could be beside the real part."""
    real, imaginary = _phase(s)
    return np.asarray(np.abs(imaginary) / np.sqrt(np.maximum(1.0 - real**2, 0.0)))


def _unbiased(square_of_mean: Matrices, n: int) -> Matrices:
    """Mean over pairs of different looks, from the square of the mean over looks of modulus 1."""
    return (n * square_of_mean - 1.0) / (n - 1.0)


def _sized(s: Sums) -> Matrices:
    """Sum of ``|Im s|``; NaN where it is no more than rounding, as for a channel and its copy."""
    size = _of(s.size)
    return np.where(size > ROUNDING * np.finfo(s.real.dtype).eps * _power(s), size, np.nan)


def _debiased(s: Sums) -> Matrices:
    """Squared wPLI over pairs of different looks."""
    square = _of(s.square)
    return np.asarray((s.imaginary**2 - square) / (_sized(s) ** 2 - square))


_DEFINITIONS: Mapping[str, _Definition] = MappingProxyType(
    {
        "coh": _Definition(lambda s: np.sqrt(s.real**2 + s.imaginary**2) / _power(s), ()),
        "imcoh": _Definition(lambda s: s.imaginary / _power(s), ()),
        "plv": _Definition(_locking, ("phase",)),
        "ppc": _Definition(lambda s: _unbiased(_locking(s) ** 2, s.n_looks), ("phase",), independent=True),
        "ciplv": _Definition(_corrected, ("phase",)),
        "pli": _Definition(lambda s: np.abs(_of(s.sign)) / s.n_looks, ("sign",)),
        "pli2_unbiased": _Definition(
            lambda s: _unbiased((_of(s.sign) / s.n_looks) ** 2, s.n_looks), ("sign",), independent=True
        ),
        "wpli": _Definition(lambda s: np.abs(s.imaginary) / _sized(s), ("size",)),
        "wpli2_debiased": _Definition(_debiased, ("size", "square"), independent=True),
    }
)
#: Names of the measures, those of mne-connectivity.
MEASURES: tuple[str, ...] = tuple(_DEFINITIONS)


def expect_measures(names: Sequence[str], *, over_time: bool) -> None:
    """
    Refuse measures that do not exist, or not in the form asked for.

    Raises
    ------
    ConfigError
        If a name is unknown, or needs independent looks, which neighbouring samples are not.

    Examples
    --------
    >>> expect_measures(["wpli2_debiased"], over_time=True)
    Traceback (most recent call last):
        ...
    mmme.errors.ConfigError: connectivity over time: wpli2_debiased takes looks for independent, which samples are not; \
use it over epochs
    """
    for name in names:
        if name not in _DEFINITIONS:
            raise unknown_name("measure of connectivity", name, MEASURES)
        if over_time and _DEFINITIONS[name].independent:
            raise ConfigError(
                f"connectivity over time: {name} takes looks for independent, which samples are not; use it over epochs"
            )


@np.errstate(divide="ignore", invalid="ignore")
def _measured(looks: Iterable[NDArray[Any]], n_f: int, names: Sequence[str]) -> dict[str, Matrices]:
    """Measures by name, ``(n_f, n_channels, n_channels)``; 0 on the diagonal, NaN for a channel without power."""
    wanted = frozenset(part for name in names for part in _DEFINITIONS[name].sums)
    found: dict[str, Matrices] = {}
    for f, parts in enumerate(looks):
        sums = sums_over_looks(parts, wanted)
        if not found:
            n = parts.shape[3]
            found = {name: np.empty((n_f, n, n)) for name in names}
        silent = ~(np.diagonal(sums.real) > 0)
        for name, values in found.items():
            values[f] = _DEFINITIONS[name].formula(sums)
            if silent.any():
                values[f, silent] = values[f, :, silent] = np.nan
    for values in found.values():
        values[:, np.arange(values.shape[1]), np.arange(values.shape[1])] = 0.0
    return found


def connectivity_over_epochs(
    x: NDArray[Any],
    fs_hz: float,
    measures: Sequence[str],
    *,
    low_hz: float,
    high_hz: float,
    bandwidth_hz: float | None = None,
) -> tuple[NDArray[np.float64], dict[str, Matrices]]:
    """
    Measure connectivity of all pairs over epochs, as `mne_connectivity.spectral_connectivity_epochs` does.

    Parameters
    ----------
    x : (n_epochs, n_channels, n)
        Epochs. float32 is computed in single precision (within 1e-5 of double; ``pli`` within two looks), anything else
        in double.
    fs_hz
        Rate [Hz].
    measures
        Some of `MEASURES`.
    low_hz, high_hz
        Frequencies ``low_hz <= f < high_hz``, of the multiples of ``fs_hz / n``.
    bandwidth_hz
        None for one Hann window per epoch (MNE's ``mode="fourier"``); else the full bandwidth of Slepian tapers
        (``mode="multitaper"``, ``mt_bandwidth``), over which each cross-spectrum is averaged.

    Returns
    -------
    f : (n_frequencies,) float64
        [Hz].
    values
        By measure, ``(n_frequencies, n_channels, n_channels)`` float64; symmetric, but for ``imcoh``, which is positive
        where the channel of the row leads. 0 on the diagonal; NaN for pairs of which a channel has no power, and for pairs
        that never have a lag (``wpli`` of a channel and its copy).

    Raises
    ------
    ConfigError
        If a measure is unknown, or the lowest frequency has fewer than `CYCLES` cycles in an epoch.
    DataError
        If there are fewer than two epochs: of one, the phase lag is 0 or 1 and everything else 1.

    References
    ----------
    Nolte et al. (2004), doi:10.1016/j.clinph.2004.04.029 (imcoh). Lachaux et al. (1999),
    doi:10.1002/(SICI)1097-0193(1999)8:4<194::AID-HBM4>3.0.CO;2-C (plv). Vinck et al. (2010),
    doi:10.1016/j.neuroimage.2010.01.073 (ppc). Bruña et al. (2018), doi:10.1088/1741-2552/aacfe4 (ciplv). Stam et al.
    (2007), doi:10.1002/hbm.20346 (pli). Vinck et al. (2011), doi:10.1016/j.neuroimage.2011.01.055 (wpli, unbiased forms).

    Examples
    --------
    >>> t = np.arange(500) / 250
    >>> rng = np.random.default_rng(0)
    >>> phase = rng.uniform(0, 6, (30, 1, 1)) - np.array([0.0, 1.0])[:, None]
    >>> x = np.sin(2 * np.pi * 10 * t + phase) + 0.5 * rng.normal(size=(30, 2, 500))
    >>> f, values = connectivity_over_epochs(x, 250.0, ["wpli"], low_hz=8.0, high_hz=13.0)
    >>> float(values["wpli"][f == 10.0, 0, 1].round(2)[0])
    1.0
    """
    expect_measures(measures, over_time=False)
    if x.ndim != 3 or x.shape[0] < 2:
        raise DataError(
            f"connectivity over epochs: expected at least 2 epochs (n_epochs, n_channels, n), got shape {x.shape}; "
            "of one epoch the phase lag index is 0 or 1, and coherence 1: use the form over time"
        )
    n = x.shape[2]
    _expect_cycles(low_hz, n / fs_hz, "epochs")
    f = np.fft.rfftfreq(n, 1.0 / fs_hz)
    first, last = np.searchsorted(f, [low_hz - 1e-9, high_hz - 1e-9]).tolist()
    if first == last:
        raise ConfigError(
            f"connectivity over epochs: expected a frequency from {low_hz:g} to {high_hz:g} Hz, got steps of "
            f"{fs_hz / n:.3g} Hz"
        )
    tapers, weights = tapers_of(n, fs_hz, bandwidth_hz)
    looks = epoch_spectra(x, tapers, weights, first, last)
    return f[first:last], _measured(looks, last - first, measures)


def connectivity_over_time(
    x: NDArray[Any],
    fs_hz: float,
    measures: Sequence[str],
    hz: Sequence[float] | NDArray[np.float64],
    *,
    cycles: float = WAVELET_CYCLES,
) -> dict[str, Matrices]:
    """
    Measure connectivity of all pairs over the samples of one stretch of signal, after Morlet wavelets.

    What `mne_connectivity.spectral_connectivity_time` computes for one epoch, with ``faverage=False``. Its
    ``faverage=True`` averages other frequencies than it names; use `frequency_means` instead.

    Parameters
    ----------
    x : (n_channels, n)
        Signal. float32 is computed in single precision (within 1e-5 of double, ``pli`` within 1e-3), anything else in
        double.
    fs_hz
        Rate [Hz].
    measures
        Some of `MEASURES` that do not need independent looks: not ``ppc``, ``pli2_unbiased``, ``wpli2_debiased``.
    hz
        Centres of the wavelets [Hz].
    cycles
        Cycles of each wavelet; its standard deviation is ``cycles / (2 pi hz)`` in time, ``hz / cycles`` in frequency.

    Returns
    -------
    dict
        By measure, ``(n_frequencies, n_channels, n_channels)``, as from `connectivity_over_epochs`. Beyond the ends of
        the stretch zeros are taken, as in MNE.

    Raises
    ------
    ConfigError
        If a measure is unknown or not for this form, a frequency is out of range, or has fewer than `CYCLES` cycles.

    Examples
    --------
    >>> t = np.arange(5000) / 250
    >>> noise = np.random.default_rng(0).normal(size=(2, 5000))
    >>> x = np.sin(2 * np.pi * 10 * t - np.array([[0.0], [1.0]])) + noise
    >>> values = connectivity_over_time(x, 250.0, ["plv", "wpli"], [10.0, 20.0])
    >>> bool(values["plv"][0, 0, 1] > 0.9 > 0.5 > values["plv"][1, 0, 1])
    True
    """
    expect_measures(measures, over_time=True)
    centres = np.asarray(hz, dtype=np.float64)
    if x.ndim != 2 or not centres.size or centres.min() <= 0 or centres.max() > fs_hz / 2:
        raise ConfigError(
            f"connectivity over time: expected a signal (n_channels, n) and frequencies above 0, up to {fs_hz / 2:g} Hz, "
            f"got shape {x.shape} and {', '.join(f'{f:g}' for f in centres)} Hz"
        )
    _expect_cycles(float(centres.min()), x.shape[1] / fs_hz, "time")
    looks = wavelet_spectra(x, fs_hz, centres, cycles)
    return _measured(looks, centres.size, measures)


def _expect_cycles(low_hz: float, length_s: float, over: str) -> None:
    """Refuse too few cycles."""
    if low_hz * length_s < CYCLES - 1e-6:
        raise ConfigError(
            f"connectivity over {over}: expected {CYCLES:g} cycles of {low_hz:g} Hz, got {low_hz * length_s:.2g} in "
            f"{length_s:.3g} s; take longer pieces or higher frequencies"
        )


def frequency_means(
    values: Matrices, f: Sequence[float] | NDArray[np.float64], bands: Mapping[str, tuple[float, float]]
) -> dict[str, Matrices]:
    """
    Average connectivity over the frequencies of bands, ``low <= f < high``.

    Parameters
    ----------
    values : (n_frequencies, ...)
        Connectivity at each frequency.
    f : (n_frequencies,)
        [Hz].
    bands
        ``(low, high)`` [Hz] by name.

    Returns
    -------
    dict
        By band, ``(...)``.

    Raises
    ------
    ConfigError
        If no frequency lies in a band.

    Examples
    --------
    >>> frequency_means(np.array([1.0, 2.0, 6.0]), [8.0, 10.0, 13.0], {"alpha": (8.0, 13.0)})["alpha"].tolist()
    1.5
    """
    f = np.asarray(f, dtype=np.float64)
    means = {}
    for name, (low, high) in bands.items():
        inside = (f >= low - 1e-9) & (f < high - 1e-9)
        if not inside.any():
            raise ConfigError(f"band {name}: expected a frequency from {low:g} to {high:g} Hz, got none of {f.size}")
        means[name] = np.asarray(values[inside].mean(axis=0))
    return means
