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

from mmme.features.brain.interpolation import electrode_places

__all__ = ["Rejected", "without_artefacts"]

#: The decomposition is fitted on this many samples per squared channel, spread over the recording: more changes nothing.
SAMPLES_PER_WEIGHT = 30
#: Slow drifts spoil a decomposition [Hz].
FIT_FROM_HZ = 1.0
#: Correlation with a channel of the eyes, or the heart, beyond which a component is theirs.
EYE_R, HEART_R = 0.5, 0.5
#: MNE's muscle score (slope of the spectrum, focus, roughness) beyond which a component is muscle.
MUSCLE_SCORE = 0.8
#: Probability that ICLabel must give.
LABEL_P = 0.8


@dataclass(frozen=True, slots=True)
class Rejected:
    """A component that was taken out: its number, why, and the figure that decided."""

    component: int
    why: str
    figure: float


def without_artefacts(
    x: NDArray[np.float32],
    fs_hz: float,
    names: Sequence[str],
    usable: NDArray[np.bool_],
    *,
    aside: Mapping[str, NDArray[np.float32]],
    seed: int = 0,
) -> tuple[NDArray[np.float32], tuple[Rejected, ...], str]:
    """
    Take out components of eyes, heart and muscles (Picard, extended and orthogonal).

    Parameters
    ----------
    x : (n_channels, n)
        Referenced and band-passed [µV].
    fs_hz
        Rate [Hz].
    names
        Of the channels.
    usable : (n_channels,) bool
        Channels that are decomposed; the others stay as they are.
    aside : (n,) each
        By name, channels of the eyes (``HEO``, ``VEO``, ``EOG``), the heart (``EKG``, ``ECG``) and muscles.
    seed
        Of the decomposition.

    Returns
    -------
    x : (n_channels, n) float32
        What is left.
    rejected
        Components that were taken out, in order.
    text
        How it was decomposed.

    References
    ----------
    Ablin et al. (2018), Picard, doi:10.1109/TSP.2018.2844203.
    Dharmaprani et al. (2016), muscle components, doi:10.1109/EMBC.2016.7590921.
    Pion-Tonachini et al. (2019), ICLabel, doi:10.1016/j.neuroimage.2019.05.026.
    """
    import mne

    rows = np.flatnonzero(usable)
    if rows.size < 4:
        return x, (), "not decomposed: fewer than 4 usable channels"
    own = [names[i] for i in rows]
    every = max(1, x.shape[1] // (SAMPLES_PER_WEIGHT * rows.size**2))
    raw = _as_raw(x[rows], fs_hz, own)
    slow_free = raw.copy().filter(FIT_FROM_HZ, None, verbose="ERROR")
    n_components = int(np.linalg.matrix_rank(np.cov(slow_free.get_data()[:, ::50]), hermitian=True))
    ica: Any = mne.preprocessing.ICA(
        min(n_components, rows.size - 1),
        method="picard",
        fit_params={"ortho": True, "extended": True},
        random_state=seed,
        max_iter=500,
        verbose="ERROR",
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ica.fit(slow_free, decim=every, verbose="ERROR")
    sources = ica.get_sources(slow_free).get_data()
    found = _like_aside(sources, aside)
    found |= {k: v for k, v in _muscular(ica, slow_free).items() if k not in found}
    found |= {k: v for k, v in _labelled(ica, slow_free).items() if k not in found}
    rejected = tuple(Rejected(k, *found[k]) for k in sorted(found))
    unfinished = ", not converged" if any("converge" in str(w.message) for w in said) else ""
    text = f"picard, {ica.n_components_} components of {rows.size} channels, fitted on every {every}. sample{unfinished}"
    if not rejected:
        return x, (), text
    x = x.copy()
    x[rows] = _projection(ica, own, fs_hz, [r.component for r in rejected]).astype(np.float32) @ x[rows]
    return x, rejected, text


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


def _like_aside(sources: NDArray[np.float64], aside: Mapping[str, NDArray[np.float32]]) -> dict[int, tuple[str, float]]:
    """Components that go with a channel of the eyes or the heart."""
    found: dict[int, tuple[str, float]] = {}
    for name, channel in aside.items():
        eye = name.startswith(("HEO", "VEO", "EOG"))
        if np.ptp(channel) == 0 or not (eye or name.startswith(("EKG", "ECG"))):
            continue
        r = np.corrcoef(np.vstack([sources, channel[None]]))[-1, :-1]
        for k in np.flatnonzero(np.abs(r) > (EYE_R if eye else HEART_R)):
            if abs(r[k]) > abs(found.get(int(k), ("", 0.0))[1]):
                found[int(k)] = (f"{'eyes' if eye else 'heart'}, correlation with {name}", float(abs(r[k])))
    return found


def _muscular(ica: Any, raw: Any) -> dict[int, tuple[str, float]]:
    """Components that look like muscle: a spectrum that does not fall, in one place."""
    if not all(np.isfinite(c["loc"][:3]).all() for c in raw.info["chs"]):
        return {}
    low, high = 7.0, min(45.0, 0.4 * raw.info["sfreq"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, scores = ica.find_bads_muscle(raw, threshold=MUSCLE_SCORE, l_freq=low, h_freq=high, verbose="ERROR")
    return {int(k): ("muscle, score", float(scores[k])) for k in found}


def _labelled(ica: Any, raw: Any) -> dict[int, tuple[str, float]]:
    """Components that ICLabel, where it is installed, is sure are eyes, heart or muscle."""
    if importlib.util.find_spec("mne_icalabel") is None:
        return {}
    if not all(np.isfinite(c["loc"][:3]).all() for c in raw.info["chs"]):
        return {}
    import mne_icalabel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it expects 1 to 100 Hz and an average reference, and says so
        said = mne_icalabel.label_components(raw, ica, method="iclabel")
    words = {"eye blink": "eyes", "heart beat": "heart", "muscle artifact": "muscle"}
    return {
        k: (f"{words[label]}, ICLabel's probability", float(p))
        for k, (label, p) in enumerate(zip(said["labels"], said["y_pred_proba"], strict=True))
        if label in words and p > LABEL_P
    }
