"""What the body and the brain do after an expression: one set of drawn numbers per expression, the planted truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmme.simulate.expressions import TrueExpression
from mmme.simulate.stimuli import affect_of

__all__ = ["Response", "draw_responses"]


@dataclass(frozen=True, slots=True)
class Response:
    """
    Planted reaction to one expression.

    Parameters
    ----------
    onset_s, apex_s, offset_s
        Of the expression [s of true time].
    hr_bpm
        Largest change of heart rate, about 2.5 s after the onset [beats/min].
    scr_us, scr_latency_s
        Size [µS] of the skin conductance response and its start after the onset [s].
    rsp_per_min
        Change of breathing rate in the 5 s after the onset [breaths/min].
    ppg_dip
        Relative loss of pulse amplitude, largest about 3 s after the onset.
    skt_c_per_s
        Slope added to skin temperature in the 6 s after the onset [°C/s].
    theta_uv
        Amplitude of the frontal midline theta burst in the 0.5 s after the onset [µV].
    alpha_left, alpha_right
        Natural logarithm of the change of alpha amplitude over the left and right frontal cortex during the second
        around the apex.
    beta
        The same for frontocentral beta.
    """

    onset_s: float
    apex_s: float
    offset_s: float
    hr_bpm: float
    scr_us: float
    scr_latency_s: float
    rsp_per_min: float
    ppg_dip: float
    skt_c_per_s: float
    theta_uv: float
    alpha_left: float
    alpha_right: float
    beta: float


# Mean after positive, surprise and negative expressions, and standard deviation from one expression to the next. Signs
# follow textbook patterns (orienting slows the heart; arousal drives skin conductance and vessels; left frontal alpha
# falls with approach, right with withdrawal); sizes are chosen so that no single signal tells the classes apart.
_EFFECTS: Mapping[str, tuple[float, float, float, float]] = {
    "hr_bpm": (3.2, -4.0, -0.5, 4.2),
    "scr_us": (0.20, 0.50, 0.35, 0.18),
    "rsp_per_min": (1.5, -2.0, 0.5, 2.5),
    "ppg_dip": (0.11, 0.20, 0.28, 0.11),
    "skt_c_per_s": (0.002, 0.0, -0.0025, 0.005),
    "alpha_left": (-0.55, 0.0, 0.0, 0.3),
    "alpha_right": (0.0, 0.0, -0.55, 0.3),
    "beta": (0.0, 0.5, 0.0, 0.3),
}


def draw_responses(
    rng: np.random.Generator, expressions: Sequence[TrueExpression], *, effect: float, gain: float
) -> tuple[Response, ...]:
    """
    Draw the reaction to each expression.

    Parameters
    ----------
    rng
        Source of chance.
    expressions
        In order of onset.
    effect
        Scale of the differences between emotions; 0 leaves the mean over emotions.
    gain
        How strongly this subject's body tells emotions apart, about 1.

    Returns
    -------
    tuple of Response
        One per expression.

    Examples
    --------
    >>> smile = TrueExpression("micro", "happy", ("AU12",), 1.0, 1.2, 1.4, 1.0)
    >>> draw_responses(np.random.default_rng(0), [smile], effect=1.0, gain=1.0)[0].hr_bpm > 0
    True
    """
    responses = []
    for expression in expressions:
        column = {"positive": 0, "surprise": 1, "negative": 2}[affect_of(expression.emotion)]
        strength = 1.15 if expression.kind == "macro" else 1.0
        drawn = {}
        for name, effects in _EFFECTS.items():
            mean = sum(effects[:3]) / 3
            drawn[name] = strength * (mean + effect * gain * (effects[column] - mean)) + float(rng.normal(0, effects[3]))
        drawn["scr_us"] = max(drawn["scr_us"], 0.02)
        drawn["ppg_dip"] = float(np.clip(drawn["ppg_dip"], 0.0, 0.6))
        responses.append(
            Response(
                expression.onset_s,
                expression.apex_s,
                expression.offset_s,
                scr_latency_s=float(rng.uniform(1.5, 2.5)),
                theta_uv=float(max(rng.normal(9.0, 2.0), 3.0)),
                **drawn,
            )
        )
    return tuple(responses)
