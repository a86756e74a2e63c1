"""What the body does after an expression, against a neutral moment of the same trial."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mmme.errors import DataError
from mmme.features.body.beats import course_at
from mmme.features.body.signals import Around, Body, columns_of_signal
from mmme.features.tables import Column
from mmme.features.windows import occasions_around
from mmme.neuro.families import sign_flips
from mmme.neuro.moments import onsets_as_events
from mmme.types import Sample

__all__ = [
    "COURSES",
    "RESPONSES",
    "SIGNALS",
    "MixedEffect",
    "Response",
    "course",
    "mixed_effect",
    "paired_response",
    "response_columns",
    "response_courses",
]

#: Signals that are read.
SIGNALS = ("ecg", "ppg", "eda", "rsp", "skt")
_HEART, _VARIABILITY, _SKIN = Around(0.0, 5.0, 4.0), Around(15.0, 15.0, 4.0), Around(0.0, 5.0, 2.0)
_BREATH, _WARMTH = Around(0.0, 8.0, 8.0), Around(0.0, 8.0, 4.0)
#: The confirmatory measures: by column, signal, what it is, and the window around the onset with its baseline [s].
RESPONSES: Mapping[str, tuple[str, str, Around]] = {
    "hr_change_bpm": ("ecg", "heart rate [beats/min]", _HEART),
    "hr_slope_bpm_per_s": ("ecg", "slope of heart rate [beats/min per s]", _HEART),
    "hrv_rmssd_ms": ("ecg", "RMSSD [ms]", _VARIABILITY),
    "ppg_amplitude_change": ("ppg", "pulse amplitude [log ratio]", _HEART),
    "scr_magnitude_us": ("eda", "skin conductance response, 0 where there is none [µS]", _SKIN),
    "scr_present": ("eda", "share with a skin conductance response", _SKIN),
    "rsp_rate_change_per_min": ("rsp", "breathing rate [1/min]", _BREATH),
    "rsp_amplitude_change": ("rsp", "depth of breath [log ratio]", _BREATH),
    "skt_change_c": ("skt", "skin temperature [°C]", _WARMTH),
}
#: Courses that are drawn: by name, signal and unit.
COURSES: Mapping[str, tuple[str, str]] = {
    "heart rate": ("ecg", "beats/min"),
    "pulse amplitude": ("ppg", "%"),
    "phasic conductance": ("eda", "µS"),
    "breathing rate": ("rsp", "1/min"),
    "skin temperature": ("skt", "°C"),
}
LEAST_SUBJECTS = 6


def response_columns(body: Body, samples: Sequence[Sample]) -> dict[str, NDArray[np.float64]]:
    """
    Measure the body after each onset.

    Parameters
    ----------
    body
        Signals of one recording, as read.
    samples
        Expressions or neutral moments of it.

    Returns
    -------
    dict
        By column of `RESPONSES`, ``(n_samples,)``; NaN where a signal is missing or not to be trusted there.
    """
    events = onsets_as_events(samples)
    found = {name: np.full(len(samples), np.nan) for name in RESPONSES}
    if not events:
        return found
    described: dict[tuple[str, Around], Mapping[str, Column]] = {}
    for name, (signal, _, around) in RESPONSES.items():
        if signal not in body.signals:
            continue
        if (signal, around) not in described:
            occasions = occasions_around(
                events, before_s=around.before_s, after_s=around.after_s, baseline_s=around.baseline_s
            )
            described[signal, around] = columns_of_signal(body, signal, occasions)
        found[name] = np.asarray(described[signal, around][name][0], dtype=np.float64)
    return found


def response_courses(
    body: Body, at_s: Sequence[float], *, before_s: float = 2.0, after_s: float = 8.0, step_s: float = 0.1
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """
    Cut the courses of the body around events, each against its mean before the event.

    Parameters
    ----------
    body
        Signals of one recording.
    at_s
        Events [s].
    before_s, after_s, step_s
        Times of the courses [s].

    Returns
    -------
    t_s : (n_times,)
        From the event [s].
    courses
        By name of `COURSES`, ``(n_events, n_times)``; NaN where there is no signal.
    """
    t_s = np.arange(-round(before_s / step_s), round(after_s / step_s) + 1) * step_s
    at = np.asarray(at_s, dtype=np.float64)[:, None] + t_s
    found = {}
    for name, (signal, _) in COURSES.items():
        values = course(body, signal, at)
        if values is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # rows without any value stay NaN
            level = np.nanmean(values[:, t_s < 0], axis=1, keepdims=True)
        found[name] = 100.0 * (values / level - 1.0) if name == "pulse amplitude" else values - level
    return t_s, found


def course(body: Body, signal: str, at: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """
    Read one signal's course at times of any shape [s]; None where it was not recorded or cannot be used.

    Heart and breathing rate, pulse amplitude, phasic conductance, smoothed temperature: one per signal of `COURSES`.
    """
    read = body.signals.get(signal)
    if read is None or read.refused:
        return None
    if signal == "ecg":
        return course_at(read.corrected, at)
    if signal == "rsp":
        return course_at(read.cycles, at)
    if signal == "ppg":
        known = np.isfinite(read.amplitude)
        if known.sum() < 2:
            return None
        return np.asarray(np.interp(at, read.beats.t_s[known], read.amplitude[known]))
    regular = read.phasic if signal == "eda" else read.smooth
    values = np.interp(at, regular.t, regular.x, left=np.nan, right=np.nan)
    spoiled = np.interp(at, regular.t, regular.bad.astype(np.float64)) > 0
    return np.asarray(np.where(spoiled, np.nan, values))


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """
    Difference of subjects from their own neutral moments.

    Parameters
    ----------
    n_subjects, n_events
        With a value in both.
    difference, low, high
        Mean over subjects with its 95 % interval (Student).
    dz, dz_low, dz_high
        Cohen's d of paired differences with an approximate 95 % interval.
    t
        Of the difference.
    observed
        |mean| over the root mean square, which orders data as |t| does and does not run away with few subjects.
    null : (n_draws,)
        The same under flips of signs.
    """

    n_subjects: int
    n_events: int
    difference: float
    low: float
    high: float
    dz: float
    dz_low: float
    dz_high: float
    t: float
    observed: float
    null: NDArray[np.float64]


def paired_response(differences: NDArray[Any], subjects: Sequence[str], *, n_draws: int = 1000, seed: int = 0) -> Response:
    """
    Test whether subjects respond: one mean per subject, signs flipped.

    Parameters
    ----------
    differences : (n_events,)
        Expression minus its neutral moment; NaN where either is missing.
    subjects
        Of each event.
    n_draws, seed
        Of the flips.

    Raises
    ------
    DataError
        With fewer than six subjects that have a value.

    References
    ----------
    Interval of dz: Lakens (2013), doi:10.3389/fpsyg.2013.00863, with the large-sample standard error
    ``sqrt(1 / n + dz**2 / (2 n))``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = paired_response(rng.normal(1.0, 1.0, 80), np.repeat([f"S{k}" for k in range(16)], 5).tolist())
    >>> found.n_subjects, 0.5 < found.difference < 1.5, bool(found.observed > found.null.max())
    (16, True, True)
    """
    x = np.asarray(differences, dtype=np.float64)
    known = np.isfinite(x)
    names, own = np.unique(np.asarray(subjects)[known], return_inverse=True)
    if names.size < LEAST_SUBJECTS:
        raise DataError(f"response: expected values of at least {LEAST_SUBJECTS} subjects, got {names.size}")
    mean = np.bincount(own, weights=x[known]) / np.bincount(own)
    n, sd = names.size, float(mean.std(ddof=1))
    centre, half = float(mean.mean()), float(stats.t.isf(0.025, n - 1)) * sd / np.sqrt(n)
    dz = centre / sd if sd > 0 else float("nan")
    error = float(np.sqrt(1.0 / n + dz**2 / (2.0 * n)))
    size = float(np.sqrt((mean**2).mean()))
    flipped = sign_flips(n, n_draws, seed=seed) @ mean / n
    return Response(
        n_subjects=n,
        n_events=int(known.sum()),
        difference=centre,
        low=centre - half,
        high=centre + half,
        dz=dz,
        dz_low=dz - 1.96 * error,
        dz_high=dz + 1.96 * error,
        t=dz * float(np.sqrt(n)) if sd > 0 else 0.0,
        observed=abs(centre) / size if size > 0 else 0.0,
        null=np.abs(flipped) / size if size > 0 else np.zeros(n_draws),
    )


@dataclass(frozen=True, slots=True)
class MixedEffect:
    """
    A difference estimated with subjects and stimuli as random effects.

    Parameters
    ----------
    estimate, low, high, p
        Of the fixed effect (Wald).
    sd_subject, sd_stimulus, sd_rest
        Standard deviations of the random effects and of the remainder.
    n_events, n_subjects, n_stimuli
        Behind it.
    note
        What did not go as it should, for example an effect at the border of 0; empty otherwise.
    """

    estimate: float
    low: float
    high: float
    p: float
    sd_subject: float
    sd_stimulus: float
    sd_rest: float
    n_events: int
    n_subjects: int
    n_stimuli: int
    note: str


def mixed_effect(differences: NDArray[Any], subjects: Sequence[str], stimuli: Sequence[str]) -> MixedEffect:
    """
    Estimate the mean difference by a mixed model: ``difference ~ 1 + (1 | subject) + (1 | stimulus)``.

    Each difference is an expression minus its neutral moment, so the random effect of a subject is a random slope of the
    condition; without one the error of the fixed effect would be too small.

    Parameters
    ----------
    differences : (n_events,)
        NaN where missing.
    subjects, stimuli
        Of each event.

    Raises
    ------
    DataError
        With fewer than six subjects.

    References
    ----------
    Baayen, Davidson, Bates (2008), doi:10.1016/j.jml.2007.12.005. Barr et al. (2013), doi:10.1016/j.jml.2012.11.001.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> who = np.repeat([f"S{k}" for k in range(10)], 12)
    >>> film = np.tile([f"film-{k}" for k in range(12)], 10)
    >>> shift = np.repeat(rng.normal(0, 0.5, 10), 12)
    >>> found = mixed_effect(1.0 + shift + rng.normal(size=120), who.tolist(), film.tolist())
    >>> found.low < 1.0 < found.high, found.n_subjects
    (True, 10)
    """
    import pandas as pd
    import statsmodels.formula.api as smf

    x = np.asarray(differences, dtype=np.float64)
    known = np.isfinite(x)
    frame = pd.DataFrame({"y": x, "subject": list(subjects), "stimulus": list(stimuli), "all": 1})[known]
    n_subjects, n_stimuli = frame["subject"].nunique(), frame["stimulus"].nunique()
    if n_subjects < LEAST_SUBJECTS:
        raise DataError(f"mixed model: expected values of at least {LEAST_SUBJECTS} subjects, got {n_subjects}")
    scale = float(frame["y"].std(ddof=1))
    if not scale > 0:
        raise DataError("mixed model: expected values that vary, got one value only")
    frame["y"] /= scale  # the optimiser stops by absolute steps
    parts = {"subject": "0 + C(subject)"}
    if 1 < n_stimuli < len(frame):
        parts["stimulus"] = "0 + C(stimulus)"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = smf.mixedlm("y ~ 1", frame, groups="all", vc_formula=parts, re_formula="0").fit(
            reml=True, method=["powell", "bfgs"]
        )
    spread = dict(zip(fit.model.exog_vc.names, np.sqrt(np.maximum(np.asarray(fit.vcomp), 0.0)) * scale, strict=True))
    low, high = (float(v) * scale for v in fit.conf_int().loc["Intercept"])
    note = "; ".join(dict.fromkeys(str(w.message).splitlines()[0].rstrip(".") for w in caught))
    return MixedEffect(
        estimate=float(fit.fe_params["Intercept"]) * scale,
        low=low,
        high=high,
        p=float(fit.pvalues["Intercept"]),
        sd_subject=float(spread["subject"]),
        sd_stimulus=float(spread.get("stimulus", float("nan"))),
        sd_rest=float(np.sqrt(fit.scale)) * scale,
        n_events=len(frame),
        n_subjects=n_subjects,
        n_stimuli=n_stimuli,
        note=note,
    )
