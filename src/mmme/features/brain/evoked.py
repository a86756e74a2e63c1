"""
Event-related potentials of single events: means, peaks and latencies in stated stretches after the event.

The event is that of the occasion (`Occasions.at_s`): an apex, an onset, or the start of a stimulus. A single event is one
potential in noise of several times its size. Its mean over a stretch is unbiased and can be averaged or put into a model;
the largest of many noisy samples is biased away from 0, and its latency towards the middle of the stretch. An expression
moves eyes and facial muscles, which act on frontal and temporal channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.epochs import epochs, event_reasons, event_samples, lags
from mmme.features.brain.places import By, column_of, counting, nothing, place_names, places, why_lacking
from mmme.features.tables import Column
from mmme.features.windows import Occasions, either, first_reason

__all__ = ["COMPONENTS", "Component", "evoked_columns", "evoked_names"]


@dataclass(frozen=True, slots=True)
class Component:
    """
    A stretch after the event.

    Parameters
    ----------
    from_s, to_s
        ``[from_s, to_s)`` after the event [s].
    sign
        1 for a positive peak, -1 for a negative one, 0 for none (a slow potential, or a difference between conditions).
    """

    from_s: float
    to_s: float
    sign: int = 0


#: Usual stretches for pictures and faces; the early posterior negativity and the late positive potential have no peak.
COMPONENTS: Mapping[str, Component] = MappingProxyType(
    {
        "p1": Component(0.08, 0.13, 1),
        "n170": Component(0.13, 0.2, -1),
        "epn": Component(0.2, 0.3),
        "p3": Component(0.3, 0.5, 1),
        "lpp": Component(0.5, 1.0),
    }
)
#: Length of the baseline, which ends at the event [s].
BASELINE_S = 0.2


def evoked_names(
    names: Sequence[str] = (), *, by: By = "region", components: Mapping[str, Component] = COMPONENTS
) -> tuple[str, ...]:
    """
    Columns of `evoked_columns`, in order.

    Examples
    --------
    >>> evoked_names()[:4]
    ('eeg_p1_uv_frontal', 'eeg_p1_peak_uv_frontal', 'eeg_p1_latency_s_frontal', 'eeg_n170_uv_frontal')
    """
    kinds = {name: ["uv", "peak_uv", "latency_s"] if c.sign else ["uv"] for name, c in components.items()}
    return tuple(
        f"eeg_{name}_{kind}_{place}" for place in place_names(names, by=by) for name in components for kind in kinds[name]
    )


def evoked_columns(
    clean: CleanEeg,
    occasions: Occasions,
    *,
    by: By = "region",
    components: Mapping[str, Component] = COMPONENTS,
    baseline_s: float = BASELINE_S,
) -> dict[str, Column]:
    """
    Mean, peak and latency of potentials after each event, less the mean of the baseline before it.

    Parameters
    ----------
    clean, occasions
        A recording, and the events in it. Only `Occasions.at_s` is used, not the windows.
    by
        Places; the potential of a region is the mean over its channels, of which the peak is then sought.
    components
        Stretches by name.
    baseline_s
        ``[-baseline_s, 0)`` before the event is subtracted [s].

    Returns
    -------
    dict
        `evoked_names`, in order: ``eeg_<component>_uv_<place>``, mean [µV]; ``..._peak_uv_...``, the largest of the local
        maxima of the component's sign inside the stretch [µV], refused where there is none; ``..._latency_s_...``, when,
        after the event [s].

    Raises
    ------
    ConfigError
        If a stretch or the baseline has no length.

    References
    ----------
    Luck (2014), An Introduction to the Event-Related Potential Technique, 2nd ed., chapter 9 (measuring amplitudes).
    """
    _check(components, baseline_s, clean.fs_hz)
    names = evoked_names(clean.channels, by=by, components=components)
    if clean.refused or not len(occasions):
        return nothing(names, len(occasions), clean.refused)
    # One sample to each side of the last stretch, because a local maximum has two neighbours.
    first = int(lags(clean.fs_hz, -baseline_s, 0.0)[0])
    last = int(lags(clean.fs_hz, 0.0, max(c.to_s for c in components.values()))[-1]) + 1
    if last - first + 1 > clean.t.size:
        return nothing(names, len(occasions), "epoch leaves the recording")
    reason = event_reasons(clean, occasions, first, last, what="epoch")
    found = _measured(clean, occasions, places(clean.channels, by=by), components, first, last)
    columns: dict[str, Column] = {}
    for place, members in places(clean.channels, by=by).items():
        lacking = why_lacking(clean, place, members)
        for name, c in components.items():
            mean = column_of(found[f"eeg_{name}_uv_{place}"], reason, lacking)
            columns[f"eeg_{name}_uv_{place}"] = mean
            none = f"no local {'maximum' if c.sign > 0 else 'minimum'} from {c.from_s:g} to {c.to_s:g} s"
            for kind in ("peak_uv", "latency_s") if c.sign else ():
                values = found[f"eeg_{name}_{kind}_{place}"]
                why = either(mean[1], first_reason(values.size, (np.isnan(values), none)))
                columns[f"eeg_{name}_{kind}_{place}"] = values, why
    return columns


def _measured(
    clean: CleanEeg,
    occasions: Occasions,
    where: Mapping[str, list[int]],
    components: Mapping[str, Component],
    first: int,
    last: int,
) -> dict[str, NDArray[np.float64]]:
    """Numbers of every column, of epochs from sample ``first`` to ``last``; NaN where no channel counts, or no peak is."""
    fs_hz = clean.fs_hz
    spans = {name: lags(fs_hz, c.from_s, c.to_s) for name, c in components.items()}
    kinds = {name: ("uv", "peak_uv", "latency_s") if c.sign else ("uv",) for name, c in components.items()}
    columns = [f"eeg_{name}_{kind}_{place}" for place in where for name in components for kind in kinds[name]]
    found = {column: np.full(len(occasions), np.nan) for column in columns}
    at = event_samples(clean, occasions.at_s)
    delay = clean.t[at] - occasions.at_s
    counts = counting(clean, occasions.around(-first / fs_hz, (last + 1) / fs_hz))
    for which, x in epochs(clean, at, first, last):
        rows = x - x[:, :, :-first].mean(axis=2, keepdims=True)
        for place, members in where.items():
            wave = _wave(rows, members, counts[which])
            for name, component in components.items():
                begin, end = int(spans[name][0]) - first, int(spans[name][-1]) + 1 - first
                found[f"eeg_{name}_uv_{place}"][which] = wave[:, begin:end].mean(axis=1)
                if component.sign:
                    peak, sample = _peak(component.sign * wave[:, begin - 1 : end + 1])
                    found[f"eeg_{name}_peak_uv_{place}"][which] = component.sign * peak
                    found[f"eeg_{name}_latency_s_{place}"][which] = (sample + spans[name][0]) / fs_hz + delay[which]
    return found


def _check(components: Mapping[str, Component], baseline_s: float, fs_hz: float) -> None:
    """Refuse stretches and baselines without a sample."""
    if not baseline_s > 0 or not lags(fs_hz, -baseline_s, 0.0).size:
        raise ConfigError(f"baseline_s: expected at least one sample at {fs_hz:g} Hz, got {baseline_s} s")
    for name, c in components.items():
        if not 0 <= c.from_s < c.to_s or c.sign not in (-1, 0, 1) or not lags(fs_hz, c.from_s, c.to_s).size:
            raise ConfigError(
                f"component {name}: expected 0 <= from_s < to_s, a sample between them at {fs_hz:g} Hz and a sign of -1, 0 "
                f"or 1, got {c.from_s} s, {c.to_s} s, {c.sign}"
            )


def _wave(rows: NDArray[np.float32], members: list[int], counts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over the channels of a place that count, ``(b, n)``; NaN where none does."""
    weight = counts[:, members].T.astype(np.float64)
    n = weight.sum(axis=0)
    wave = np.einsum("cb,cbn->bn", weight, rows[members])
    return np.asarray(wave / np.where(n > 0, n, np.nan)[:, None])


def _peak(wave: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest local maximum of each row without its ends, and its sample counted from the second; NaN without one."""
    inner = wave[:, 1:-1]
    is_peak = (inner > wave[:, :-2]) & (inner >= wave[:, 2:])
    candidates = np.where(is_peak, inner, -np.inf)
    sample = candidates.argmax(axis=1)
    has = is_peak.any(axis=1)
    return np.where(has, candidates[np.arange(sample.size), sample], np.nan), np.where(has, sample, np.nan)
