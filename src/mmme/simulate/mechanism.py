"""One subject's brain, body and moving face in session time, with effects of known place, time, sign and size, or none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mmme.errors import ConfigError
from mmme.interval import Interval
from mmme.simulate.body import draw_body, ecg_mv, eda_us, ppg_v, rsp_v, skt_c
from mmme.simulate.brain import BIPOLAR, EEG_NAMES, eeg_uv
from mmme.simulate.expressions import TrueExpression
from mmme.simulate.responses import Response
from mmme.simulate.session import draw_blinks
from mmme.types import Expression, Markers, Stream, Timeline, Trial

__all__ = ["MechanismSession", "PlantedEffects", "mechanism_session"]

EEG_HZ, BODY_HZ, FACE_HZ = 250.0, 100.0, 20.0
#: Expressions of a trial begin at least so far apart, and so far from its ends [s].
APART_S = 12.0
EMOTIONS = ("happy", "sad", "surprise", "disgust")
UNITS = {"happy": ("AU12",), "sad": ("AU15", "AU4"), "surprise": ("AU1", "AU2"), "disgust": ("AU9",)}


@dataclass(frozen=True, slots=True)
class PlantedEffects:
    """
    What follows expressions; zeros plant nothing.

    Parameters
    ----------
    theta_uv
        Burst at the frontal midline in the half second after the onset of micro-expressions only [µV].
    alpha
        Natural logarithm of the change of frontal alpha amplitude around the apex of both kinds; negative: a drop.
    coupled_uv
        20 Hz in C5 and P6, the second a quarter of a cycle later, in the second after the onset of micro-expressions [µV].
    hr_bpm
        Largest change of heart rate, 2.5 s after the onset of both kinds [beats/min].
    scr_us, scr_latency_s
        Skin conductance response to both kinds [µS], and when it starts [s].
    face_eda_us, face_eda_lag_s
        How far conductance follows the face's motion at all times [µS per unit], and how late [s].
    muscle_px
        Size of expressions as the muscles' part in the EEG has it.

    Examples
    --------
    >>> PlantedEffects().theta_uv
    0.0
    """

    theta_uv: float = 0.0
    alpha: float = 0.0
    coupled_uv: float = 0.0
    hr_bpm: float = 0.0
    scr_us: float = 0.0
    scr_latency_s: float = 2.0
    face_eda_us: float = 0.0
    face_eda_lag_s: float = 1.2
    muscle_px: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class MechanismSession:
    """
    A simulated subject.

    Parameters
    ----------
    timeline
        Streams ``eeg, ecg, ppg, eda, rsp, skt``.
    trials
        With expressions of both kinds.
    face_t_s : (n,)
        Times of the face's motion [s].
    face : (n, n_regions)
        Motion by region, of unit standard deviation.
    """

    timeline: Timeline
    trials: tuple[Trial, ...]
    face_t_s: NDArray[np.float64]
    face: NDArray[np.float64]


def mechanism_session(
    subject: int,
    *,
    effects: PlantedEffects | None = None,
    trials: int = 8,
    trial_s: float = 60.0,
    channels: int = 64,
    seed: int = 0,
) -> MechanismSession:
    """
    Simulate one subject from seed and number.

    Each trial holds two micro- and one macro-expression, or one and two, in random order. Background activity, rhythms,
    blinks, heart, breath and spontaneous responses are those of `simulate_study`; nothing of them knows the expressions
    but for the planted effects.

    Parameters
    ----------
    subject
        Number; subjects of one seed are independent.
    effects
        Planted; none by default.
    trials, trial_s
        Number and length [s], at least 48.
    channels
        Of the EEG: every n-th of the cap, with Fz, F3, F4, C5 and P6 always.
    seed
        Of the study.

    Returns
    -------
    MechanismSession

    Raises
    ------
    ConfigError
        If a trial is too short for three expressions.

    Examples
    --------
    >>> made = mechanism_session(0, trials=1, channels=16)
    >>> sorted(made.timeline.streams), len(made.trials[0].expressions)
    (['ecg', 'eda', 'eeg', 'ppg', 'rsp', 'skt'], 3)
    """
    if trial_s < 4 * APART_S:
        raise ConfigError(f"simulated session: expected trials of at least {4 * APART_S:g} s, got {trial_s:g} s")
    effects = effects or PlantedEffects()
    rng = np.random.default_rng([seed, subject])
    name, pause = f"S{subject:02d}", 4.0
    stop = pause + trials * (trial_s + pause)
    made = tuple(_trial(rng, name, k, pause + k * (trial_s + pause), trial_s) for k in range(trials))
    shown = [(e, _true(e, effects)) for trial in made for e in trial.expressions]
    responses = [_response(e, effects, rng) for e, _ in shown]
    body = draw_body(rng, 0.0, stop, responses)
    t, fast = np.arange(0, stop, 1 / BODY_HZ), np.arange(0, stop, 1 / EEG_HZ)
    face_t = np.arange(0, stop, 1 / FACE_HZ)
    face = gaussian_filter1d(rng.standard_normal((face_t.size, 4)), 0.25 * FACE_HZ, axis=0)
    face /= face.std(axis=0)
    moved = face.mean(axis=1) / face.mean(axis=1).std()
    eda = eda_us(rng, body, t) + effects.face_eda_us * np.interp(t - effects.face_eda_lag_s, face_t, moved)
    blinks = draw_blinks(rng, 0.0, stop)
    eeg = eeg_uv(
        rng, fast, EEG_HZ, expressions=[true for _, true in shown] if effects.muscle_px else [], responses=responses,
        blinks=blinks, ecg=ecg_mv(rng, body, fast),
    )  # fmt: skip
    _couple(rng, eeg, fast, [e for e, _ in shown], effects.coupled_uv)
    kept = _kept(channels)
    names = tuple((EEG_NAMES + BIPOLAR)[i] for i in kept)
    types = tuple({"HEO": "HEOG", "VEO": "VEOG", "EKG": "ECG", "EMG": "EMG"}.get(n, "EEG") for n in names)
    streams = {
        "eeg": Stream("eeg", "eeg", fast, eeg[kept].T * np.float32(1e-6), "V", EEG_HZ, names, types),
        "ecg": Stream("ecg", "biopac", fast, ecg_mv(rng, body, fast) * 1e-3, "V", EEG_HZ),
        "ppg": Stream("ppg", "biopac", t, ppg_v(rng, body, t), "V", BODY_HZ),
        "eda": Stream("eda", "biopac", t, eda, "µS", BODY_HZ),
        "rsp": Stream("rsp", "biopac", t, rsp_v(rng, body, t), "V", BODY_HZ),
        "skt": Stream("skt", "biopac", t, skt_c(rng, body, t), "°C", BODY_HZ),
    }
    markers = Markers("eeg", np.array([tr.span.start for tr in made]), np.arange(101, 101 + trials))
    timeline = Timeline(name, "01", streams, markers, {}, {k: s.span for k, s in streams.items()})
    return MechanismSession(timeline, made, face_t, face)


def _trial(rng: np.random.Generator, subject: str, k: int, start: float, length: float) -> Trial:
    kinds = rng.permutation(["micro", "micro", "macro"] if k % 2 == 0 else ["micro", "macro", "macro"])
    room = length - 4 * APART_S
    onsets = start + APART_S * np.arange(1, 4) + np.sort(rng.uniform(0, room, 3))
    emotion = EMOTIONS[k % len(EMOTIONS)]
    name = f"{subject}-{101 + k}"
    expressions = []
    for kind, onset in zip(kinds, onsets, strict=True):
        duration = float(rng.uniform(0.25, 0.5) if kind == "micro" else rng.uniform(0.8, 2.0))
        expressions.append(
            Expression(
                subject,
                "A",
                kind,
                float(onset),
                float(onset) + 0.4 * duration,
                float(onset) + duration,
                UNITS[emotion],
                emotion,
                f"simulated:{name}",
            )
        )
    return Trial(name, subject, f"film-{k + 1}", Interval(start, start + length), emotion, tuple(expressions))


def _true(e: Expression, effects: PlantedEffects) -> TrueExpression:
    return TrueExpression(e.kind, e.emotion, e.aus, e.onset, e.apex, e.offset, effects.muscle_px)


def _response(e: Expression, effects: PlantedEffects, rng: np.random.Generator) -> Response:
    """One expression's reaction; sizes vary by a fifth from one to the next."""

    def about(value: float) -> float:
        return float(value * rng.normal(1.0, 0.2))

    return Response(
        e.onset, e.apex, e.offset, hr_bpm=about(effects.hr_bpm), scr_us=about(effects.scr_us),
        scr_latency_s=effects.scr_latency_s, rsp_per_min=0.0, ppg_dip=0.0, skt_c_per_s=0.0,
        theta_uv=about(effects.theta_uv) if e.kind == "micro" else 0.0,
        alpha_left=about(effects.alpha), alpha_right=about(effects.alpha), beta=0.0,
    )  # fmt: skip


def _couple(
    rng: np.random.Generator, eeg: NDArray[np.float32], t: NDArray[np.float64], shown: list[Expression], size_uv: float
) -> None:
    """Add the coupled pair in place."""
    for e in shown:
        if e.kind != "micro" or size_uv == 0:
            continue
        first, last = np.searchsorted(t, [e.onset, e.onset + 1.0])
        since = t[first:last] - e.onset
        phase, hz = rng.uniform(0, 2 * np.pi), rng.uniform(19.0, 21.0)
        envelope = np.sin(np.pi * np.clip(since, 0, 1)) ** 2
        for channel, lag in (("C5", 0.0), ("P6", np.pi / 2)):
            eeg[EEG_NAMES.index(channel), first:last] += (
                size_uv * envelope * np.sin(2 * np.pi * hz * since + phase - lag)
            ).astype(np.float32)


def _kept(channels: int) -> list[int]:
    """Rows of the cap that are recorded, with the bipolar channels."""
    always = {EEG_NAMES.index(name) for name in ("FZ", "F3", "F4", "C5", "P6")}
    spread = {int(i) for i in np.linspace(0, len(EEG_NAMES) - 1, max(1, channels - len(always)))}
    chosen = sorted(always | spread) if channels < len(EEG_NAMES) else list(range(len(EEG_NAMES)))
    return [*chosen, *range(len(EEG_NAMES), len(EEG_NAMES) + len(BIPOLAR))]
