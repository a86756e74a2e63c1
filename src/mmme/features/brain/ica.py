"""
Independent components of eyes, heart and muscles, found, named with a reason, and taken out.

Faces move in this field: an expression is itself a contraction of muscles, so that what is taken out as muscle is, in part,
the expression. Results with and without this step belong side by side.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.features.brain.filters import band_pass, filtered_rows
from mmme.features.brain.interpolation import electrode_places
from mmme.types import listed

__all__ = ["Rejected", "excerpt", "without_artefacts"]

#: The decomposition is fitted on this many samples per squared channel, spread over the recording: more changes nothing.
SAMPLES_PER_WEIGHT = 30
#: Where the fit ends (largest entry of the gradient), and its most steps. The gradient itself is known to one over the root
#: of the samples only, about 0.003 with 60 channels, so that 1e-7, the library's own, polishes noise for many minutes.
FIT_TOLERANCE, MOST_STEPS = 1e-3, 300
#: Slow drifts spoil a decomposition [Hz].
FIT_FROM_HZ = 1.0
#: Directions with less than this share of the largest one's variance are rounding, as what the average reference took out.
LEAST_VARIANCE = 1e-9
#: Correlation with a channel of the eyes, or the heart, beyond which a component is theirs.
EYE_R, HEART_R = 0.5, 0.5
#: MNE's muscle score (mean of the slope of the spectrum, focus, roughness) beyond which a component is muscle. With MNE's
#: own 0.5 everything counts whose spectrum falls less than 1/f, and much of that is brain.
MUSCLE_SCORE = 0.9
#: Probability that ICLabel must give, and the band and the least rate it was made for [Hz].
LABEL_P, LABELS_HZ, LABELS_RATE_HZ = 0.8, (1.0, 100.0), 200.0
#: Channels without a known place stay out where at least this share has one: labels and muscle scores need all places.
MOSTLY_PLACED = 0.8
#: Pieces of an excerpt [s], at most this many: spectra need no more.
PIECE_S, MOST_PIECES = 60.0, 10


@dataclass(frozen=True, slots=True)
class Rejected:
    """A component that was taken out: its number, why, and the figure that decided."""

    component: int
    why: str
    figure: float


def excerpt(x: NDArray[np.float32], fs_hz: float) -> tuple[NDArray[np.float32], ...]:
    """
    Keep pieces of a recording that is about to be filtered, spread over it: muscles show above the band of the EEG.

    Examples
    --------
    >>> [piece.shape for piece in excerpt(np.zeros((2, 40000), dtype=np.float32), 250.0)]
    [(2, 15000), (2, 15000)]
    """
    length = min(x.shape[1], round(PIECE_S * fs_hz))
    starts = np.linspace(0, x.shape[1] - length, min(MOST_PIECES, x.shape[1] // length)).astype(int)
    return tuple(x[:, a : a + length].copy() for a in starts)


def without_artefacts(
    x: NDArray[np.float32],
    fs_hz: float,
    names: Sequence[str],
    usable: NDArray[np.bool_],
    *,
    eyes: Mapping[str, NDArray[np.float32]],
    heart: Mapping[str, NDArray[np.float32]],
    wide: Sequence[NDArray[np.float32]],
    average: bool,
    bad: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> tuple[NDArray[np.float32], tuple[Rejected, ...], str]:
    """
    Take out components of eyes, heart and muscles (Picard, extended: the solution of extended infomax, as ICLabel expects).

    Parameters
    ----------
    x : (n_channels, n)
        Referenced and band-passed [µV].
    fs_hz
        Rate [Hz].
    names
        Of the channels.
    usable : (n_channels,) bool
        Channels that are decomposed; the others stay as they are, and so do those without a known place where most have
        one (CB1 and CB2 of some caps), since they would cost all others their labels.
    eyes, heart : (n,) each
        By name, channels that record them, band-passed.
    wide : (n_channels, n_piece) each
        Pieces of the same channels before the band-pass (`excerpt`): labels and muscle scores need what lies above it.
    average
        Whether ``x`` is against its average, which ICLabel expects; else it is not asked.
    bad : (n,) bool
        Samples to be left out of the fit.
    seed
        Of the decomposition.

    Returns
    -------
    x : (n_channels, n) float32
        What is left; the same array, changed.
    rejected
        Components that were taken out, in order.
    text
        How it was decomposed, and what could not be asked.

    References
    ----------
    Ablin et al. (2018), Picard, doi:10.1109/TSP.2018.2844203.
    Dharmaprani et al. (2016), muscle components, doi:10.1109/EMBC.2016.7590921.
    Pion-Tonachini et al. (2019), ICLabel, doi:10.1016/j.neuroimage.2019.05.026.
    """
    rows = np.flatnonzero(usable)
    if rows.size < 4:
        return x, (), "not decomposed: fewer than 4 usable channels"
    known = electrode_places([names[i] for i in rows])
    aside = [names[i] for i in rows if names[i] not in known]
    if aside and len(known) >= max(4, MOSTLY_PLACED * rows.size):
        rows = np.array([i for i in rows if names[i] in known])
    own = [names[i] for i in rows]
    every = max(1, x.shape[1] // (SAMPLES_PER_WEIGHT * rows.size**2))
    keep = np.arange(0, x.shape[1], every)
    keep = keep if bad is None else keep[~bad[keep]]
    slow_free, _ = band_pass(fs_hz, FIT_FROM_HZ, np.inf, n_times=x.shape[1])
    fit = _thinned(x[rows] if rows.size < len(x) else x, slow_free, keep)
    ica, converged = _decomposed(fit, fs_hz / every, own, seed)
    text = f"picard, {ica.n_components_} components of {rows.size} channels, fitted on every {every}. sample"
    text += "" if converged else ", not converged"
    text += f"; without a known place, and left as they are: {listed(aside)}" if aside and len(own) == len(known) else ""
    sources = ica.get_sources(_as_raw(fit, fs_hz / every, own)).get_data()
    found: dict[int, tuple[str, float]] = {}
    for what, least, channels in (("eyes", EYE_R, eyes), ("heart", HEART_R, heart)):
        for name, channel in channels.items():
            _like_channel(
                found, sources, _thinned(channel[None], slow_free, keep)[0], least, f"{what}, correlation with {name}"
            )
    text += "" if eyes else ", no channel of the eyes"
    places = electrode_places(own)
    if len(places) < rows.size:
        text += f", no labels and muscle scores: no place known for {listed(n for n in own if n not in places)}"
    else:
        raw = _wide_raw(wide, rows, fs_hz, own, average=average)
        found |= {k: v for k, v in _muscular(ica, raw).items() if k not in found}
        labels, said = _labelled(ica, raw) if average else ({}, "needs the average reference")
        found |= {k: v for k, v in labels.items() if k not in found}
        text += f", ICLabel {said}" + (
            f" at {fs_hz:g} Hz, below its {LABELS_RATE_HZ:g} Hz" if fs_hz < LABELS_RATE_HZ else ""
        )
    rejected = tuple(Rejected(k, *found[k]) for k in sorted(found))
    if not rejected:
        return x, (), text
    _project(x, rows, _projection(ica, own, fs_hz, [r.component for r in rejected]).astype(np.float32))
    return x, rejected, text


def _thinned(x: NDArray[np.float32], h: NDArray[np.float64], keep: NDArray[np.intp]) -> NDArray[np.float32]:
    """Filter row by row and keep some samples of each."""
    return np.stack([made[0][keep] for made in filtered_rows(x, [h])])


def _project(x: NDArray[np.float32], rows: NDArray[np.intp], matrix: NDArray[np.float32]) -> None:
    """Multiply some rows by a matrix, in place, piece by piece: no second copy of the recording."""
    for a in range(0, x.shape[1], 65_536):
        x[rows, a : a + 65_536] = matrix @ x[rows, a : a + 65_536]


def _decomposed(fit: NDArray[np.float32], fs_hz: float, names: Sequence[str], seed: int) -> tuple[Any, bool]:
    """MNE's decomposition, and whether it converged."""
    import mne

    variance = np.linalg.eigvalsh(np.cov(fit.astype(np.float64)))
    n_components = int(np.sum(variance > LEAST_VARIANCE * variance[-1]))
    ica: Any = mne.preprocessing.ICA(
        min(n_components, len(names) - 1),
        method="picard",
        fit_params={"ortho": False, "extended": True, "tol": FIT_TOLERANCE},
        random_state=seed,
        max_iter=MOST_STEPS,
        verbose="ERROR",
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ica.fit(_as_raw(fit, fs_hz, names), verbose="ERROR")
    return ica, not any("converge" in str(w.message) for w in said)


def _wide_raw(
    wide: Sequence[NDArray[np.float32]], rows: NDArray[np.intp], fs_hz: float, names: Sequence[str], *, average: bool
) -> Any:
    """Excerpt in ICLabel's band, or as much of it as the rate carries, against its average where ``x`` is."""
    joined: list[NDArray[np.float32]] = []
    for piece in wide:  # without steps at the joints, at which the filter would ring
        joined.append(piece[rows] - piece[rows, :1] + (joined[-1][:, -1:] if joined else 0.0))
    raw = _as_raw(np.concatenate(joined, axis=1), fs_hz, names)
    low, high = LABELS_HZ
    raw.filter(low, high if high < 0.45 * fs_hz else None, verbose="ERROR")
    return raw.set_eeg_reference("average", verbose="ERROR") if average else raw


def _as_raw(x: NDArray[np.float32] | NDArray[np.float64], fs_hz: float, names: Sequence[str]) -> Any:
    """MNE's recording of these channels [V], with their places where they are known."""
    import mne

    raw = mne.io.RawArray(x.astype(np.float64) * 1e-6, mne.create_info(list(names), fs_hz, "eeg"), verbose="ERROR")
    places = electrode_places(names)
    if places:
        montage = mne.channels.make_dig_montage(places, coord_frame="head")
        raw.set_montage(montage, on_missing="ignore", verbose="ERROR")
    return raw


def _projection(ica: Any, names: Sequence[str], fs_hz: float, out: list[int]) -> NDArray[np.float64]:
    """
    Return what taking out components does to samples: a matrix, since it is linear but for the mean.

    Applying it by blocks holds no second copy of the recording, in double precision, in memory.
    """
    n = len(names)
    unit = _as_raw(np.concatenate([np.eye(n), np.zeros((n, 1))], axis=1) * 1e6, fs_hz, names)
    made = ica.apply(unit, exclude=out, verbose="ERROR").get_data()
    return np.asarray(made[:, :n] - made[:, n:])


def _like_channel(
    found: dict[int, tuple[str, float]],
    sources: NDArray[np.float64],
    channel: NDArray[np.float32],
    least: float,
    why: str,
) -> None:
    """Add components that go with a channel, unless they go with another one even more."""
    if np.ptp(channel) == 0:
        return
    r = np.abs(np.corrcoef(np.vstack([sources, channel[None]]))[-1, :-1])
    for k in np.flatnonzero(r > least).tolist():
        if k not in found or r[k] > found[k][1]:
            found[k] = (why, float(r[k]))


def _muscular(ica: Any, raw: Any) -> dict[int, tuple[str, float]]:
    """Components that look like muscle: a spectrum that does not fall, in one place."""
    low, high = 7.0, min(45.0, 0.4 * raw.info["sfreq"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, scores = ica.find_bads_muscle(raw, threshold=MUSCLE_SCORE, l_freq=low, h_freq=high, verbose="ERROR")
    return {int(k): ("muscle, score", float(scores[k] ** (1 / 3))) for k in found}  # MNE returns their product


def _labelled(ica: Any, raw: Any) -> tuple[dict[int, tuple[str, float]], str]:
    """Components that ICLabel is sure are eyes, heart or muscle, and whether it was asked."""
    if importlib.util.find_spec("mne_icalabel") is None:
        return {}, "not installed"
    import mne
    import mne_icalabel

    # it warns of recordings below 200 Hz, and of any decomposition that is not named infomax
    with warnings.catch_warnings(), mne.utils.use_log_level("ERROR"):
        warnings.simplefilter("ignore")
        said = mne_icalabel.label_components(raw, ica, method="iclabel")
    words = {"eye blink": "eyes", "heart beat": "heart", "muscle artifact": "muscle"}
    found = {
        k: (f"{words[label]}, ICLabel's probability", float(p))
        for k, (label, p) in enumerate(zip(said["labels"], said["y_pred_proba"], strict=True))
        if label in words and p > LABEL_P
    }
    return found, "asked"
