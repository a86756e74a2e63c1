"""
Band power of the EEG around a moment, per region of the scalp and per channel, and its left-right asymmetry.

Facial muscles contract during an expression, and their activity reaches frontal and temporal electrodes above about 20 Hz:
a difference in ``beta`` and ``gamma`` there may be muscle, not brain.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmme.features.brain.asymmetry import frontal_asymmetry_columns, frontal_asymmetry_names
from mmme.features.brain.band_power import band_power_columns, band_power_names
from mmme.features.brain.cleaning import EegSettings, read_eeg
from mmme.features.brain.places import By, place_names, steps_with_channels
from mmme.features.brain.regions import ASYMMETRIES, REGIONS, scalp_channels
from mmme.features.brain.spectra import BANDS_HZ
from mmme.features.tables import feature_table
from mmme.features.windows import occasions_around
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["ASYMMETRIES", "BANDS_HZ", "COLUMNS", "REGIONS", "eeg_columns", "eeg_features", "scalp_channels"]


def eeg_features(
    stream: Stream,
    samples: Sequence[Sample],
    *,
    before_s: float = 0.5,
    after_s: float = 1.5,
    baseline_s: float = 2.0,
    by: By = "region",
    settings: EegSettings | None = None,
) -> FeatureTable:
    """
    Log band power in a window around each apex, its change against a baseline before, and alpha asymmetry.

    The default window, 0.5 s before to 1.5 s after the apex, covers a micro-expression (0.5 s at most) with what follows
    it; the baseline is the 2 s before, as long as the window so that both spectra have one resolution.

    Once per recording: rate, band-pass and reference, see `mmme.features.brain.cleaning.read_eeg` (250 Hz, 0.5 to 45 Hz,
    average reference unless ``settings`` say otherwise). Per window: multitaper spectrum (3 Slepian tapers, time-bandwidth
    2), which weighs the whole window nearly evenly; natural logarithm of the mean density of a band in µV²/Hz; mean of
    these logarithms over the channels of a region. Flat channels and bad ones that were not interpolated count nowhere.

    Parameters
    ----------
    stream
        EEG [V], ``(n, n_channels)`` with channel names, session time. Names may be in any case (``FP1``); channels that are
        not on the scalp (M1, M2, HEO, VEO, EKG, EMG ...) are left out by name.
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)``.
    baseline_s
        Length of the baseline, which ends where the window begins [s].
    by
        Band power per region, per channel, or both.
    settings
        How the recording is cleaned.

    Returns
    -------
    FeatureTable
        ``eeg_<band>_<region or channel>`` and the same with ``_change`` (window minus baseline, ln units);
        ``eeg_faa_F4F3``, ``eeg_faa_F8F7`` (ln right alpha minus ln left alpha) and their ``_change``. A band whose lowest
        frequency has fewer than 3 cycles in the window is NaN, so is a region without channels, each with its reason.
        ``origin`` says what was done to the recording and names the channels that were flat, bad or interpolated.

    Raises
    ------
    DataError
        If the unit is not V, channel names are missing or repeat, or a channel of the reference is not there.
    ConfigError
        If a window has no length, or the grouping is unknown.

    References
    ----------
    Thomson (1982), Spectrum estimation and harmonic analysis, doi:10.1109/PROC.1982.12433.
    Smith et al. (2017), Assessing and conceptualizing frontal EEG asymmetry, doi:10.1016/j.ijpsycho.2016.11.005.

    Examples
    --------
    >>> import numpy as np
    >>> from mmme.interval import Interval
    >>> x = np.random.default_rng(0).normal(size=(5000, 4)) * 1e-5
    >>> stream = Stream("eeg", "eeg", np.arange(5000) / 250, x, "V", 250.0, ("F3", "F4", "O1", "O2"))
    >>> table = eeg_features(stream, [Sample("a", "S01", "sad-1", "sad", 9.9, 10.0, 10.2, Interval(0.0, 20.0))])
    >>> [bool(table.valid[0, table.columns.index(f"eeg_alpha_{region}")]) for region in ("occipital", "central")]
    [True, False]
    """
    place_names(by=by)  # a mistyped grouping is refused before the recording is read
    clean = read_eeg(stream, settings)
    occasions = occasions_around(samples, before_s=before_s, after_s=after_s, baseline_s=baseline_s)
    columns = band_power_columns(clean, occasions, by=by) | frontal_asymmetry_columns(clean, occasions)
    return feature_table(samples, columns, origin=steps_with_channels(clean))


def eeg_columns(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Column names of `eeg_features`, in order; ``names`` are the scalp channels, needed unless ``by`` is ``"region"``.

    Examples
    --------
    >>> eeg_columns()[:2], len(eeg_columns())
    (('eeg_delta_frontal', 'eeg_delta_frontal_change'), 54)
    """
    return (*band_power_names(names, by=by), *frontal_asymmetry_names())


COLUMNS = eeg_columns()
