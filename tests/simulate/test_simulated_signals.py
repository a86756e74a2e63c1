"""Planted responses can be found in the simulated body and brain."""

import numpy as np
import pytest
from scipy.signal import welch

from mmme.simulate import (
    EEG_NAMES,
    Response,
    TrueExpression,
    draw_blinks,
    draw_body,
    draw_clocks,
    draw_responses,
    eda_us,
    eeg_uv,
    ppg_v,
)
from mmme.simulate.brain import electrode_position

QUIET = {
    "hr_bpm": 0.0, "scr_us": 0.0, "scr_latency_s": 2.0, "rsp_per_min": 0.0, "ppg_dip": 0.0, "skt_c_per_s": 0.0,
    "theta_uv": 0.0, "alpha_left": 0.0, "alpha_right": 0.0, "beta": 0.0,
}  # fmt: skip


def _response(onset_s: float, **planted: float) -> Response:
    return Response(onset_s, onset_s + 0.2, onset_s + 0.4, **(QUIET | planted))


def test_planted_slowing_is_in_the_heart_beats():
    """A planted change of -8 bpm lowers the rate 2.5 s after the onset by 8 +- 0.01 bpm against the same body without."""
    with_it = draw_body(np.random.default_rng(1), 0.0, 30.0, [_response(15.0, hr_bpm=-8.0)])
    without = draw_body(np.random.default_rng(1), 0.0, 30.0, [_response(15.0)])
    difference = np.interp([10.0, 17.5, 25.0], with_it.grid, with_it.bpm - without.bpm)

    assert difference == pytest.approx([0.0, -8.0, 0.0], abs=0.01)
    gaps = [np.interp(17.5, body.beats[1:], np.diff(body.beats)) for body in (with_it, without)]
    assert gaps[0] > gaps[1] + 0.04


def test_planted_conductance_response_has_its_size_and_latency():
    """0.5 µS planted at a latency of 2 s: nothing before, 0.5 µS at its peak, up to the sensor noise of 0.002 µS."""
    t = np.arange(10.0, 25.0, 0.02)
    traces = [
        eda_us(np.random.default_rng(0), draw_body(np.random.default_rng(1), 0.0, 30.0, [_response(12.0, scr_us=size)]), t)
        for size in (0.5, 0.0)
    ]
    rise = traces[0] - traces[1]

    assert np.abs(rise[t < 13.9]).max() < 1e-9
    assert rise.max() == pytest.approx(0.5, abs=0.01)
    assert 14.5 < t[np.argmax(rise)] < 16.5


def test_planted_vasoconstriction_shrinks_the_pulse():
    """A dip of 0.4 shrinks the pulse wave three seconds later to 0.6 of its size within 0.08."""
    t = np.arange(0.0, 30.0, 0.005)
    body = [draw_body(np.random.default_rng(1), 0.0, 30.0, [_response(15.0, ppg_dip=dip)]) for dip in (0.4, 0.0)]
    waves = [ppg_v(np.random.default_rng(0), b, t) for b in body]
    near = (t > 17.3) & (t < 18.9)

    assert np.ptp(waves[0][near]) / np.ptp(waves[1][near]) == pytest.approx(0.6, abs=0.08)


def _band(x: np.ndarray, fs: float, low: float, high: float) -> float:
    hz, power = welch(x, fs, nperseg=min(len(x), int(fs)))
    return float(power[(hz >= low) & (hz <= high)].mean())


def test_brain_responses_are_where_they_were_planted():
    """Averaged over 40 events: theta rises at FZ after onset, alpha falls on the planted side only, beta rises."""
    fs = 250.0
    t = np.arange(0, 200, 1 / fs)
    onsets = np.arange(3.0, 195.0, 4.8)
    planted = [_response(o, theta_uv=9.0, alpha_left=-1.0, beta=0.8) for o in onsets]
    data = eeg_uv(np.random.default_rng(0), t, fs, expressions=[], responses=planted, blinks=[], ecg=np.zeros_like(t))

    def change(channel: str, low: float, high: float, after: tuple[float, float]) -> float:
        x = data[EEG_NAMES.index(channel)]
        piece = [
            [_band(x[int((o + a) * fs) : int((o + b) * fs)], fs, low, high) for o in onsets]
            for a, b in (after, (-2.2, -1.2))
        ]
        return float(np.log(np.mean(piece[0]) / np.mean(piece[1])))

    assert change("FZ", 4, 7, (0.0, 0.5)) > 0.4
    assert change("F5", 9, 11, (-0.3, 0.7)) < -0.3
    assert change("F5", 9, 11, (-0.3, 0.7)) < change("F6", 9, 11, (-0.3, 0.7)) - 0.3
    assert change("FCZ", 16, 24, (-0.3, 0.7)) > 0.3


def test_blinks_and_muscle_are_where_they_belong():
    """A blink lifts FP1 by tens of µV and bends VEO down; muscle noise grows at FT7, not at POZ."""
    fs = 500.0
    t = np.arange(0, 10, 1 / fs)
    smile = TrueExpression("macro", "happy", ("AU12",), 6.0, 7.0, 8.0, 2.0)
    blinked = eeg_uv(
        np.random.default_rng(0), t, fs, expressions=[smile], responses=[], blinks=[(2.0, 0.25)], ecg=np.zeros_like(t)
    )
    calm = eeg_uv(np.random.default_rng(0), t, fs, expressions=[], responses=[], blinks=[], ecg=np.zeros_like(t))
    change = blinked - calm
    fp1, ft7, poz = (EEG_NAMES.index(name) for name in ("FP1", "FT7", "POZ"))

    assert change[fp1][(t > 2) & (t < 2.25)].max() > 50
    assert change[65][(t > 2) & (t < 2.25)].min() < -250
    assert change[ft7][(t > 6.5) & (t < 7.5)].std() > 5 * change[poz][(t > 6.5) & (t < 7.5)].std()


def test_effect_zero_gives_the_same_responses_for_all_emotions():
    """With the effect off, equal random numbers give equal responses whatever the emotion; on, they differ."""
    drawn = {}
    for effect in (0.0, 1.0):
        for emotion in ("happy", "sad", "surprise"):
            event = TrueExpression("micro", emotion, ("AU4",), 1.0, 1.2, 1.4, 1.0)
            drawn[effect, emotion] = draw_responses(np.random.default_rng(3), [event], effect=effect, gain=1.2)

    assert drawn[0.0, "happy"] == drawn[0.0, "sad"] == drawn[0.0, "surprise"]
    assert drawn[1.0, "happy"][0].hr_bpm > drawn[1.0, "sad"][0].hr_bpm > drawn[1.0, "surprise"][0].hr_bpm


def test_clocks_drift_and_start_apart():
    """Every clock runs 20-150 ppm off, with both signs; EEG and BIOPAC start at least 10 s apart, either first."""
    clocks = [draw_clocks(np.random.default_rng(s), s) for s in range(8)]
    ppm = np.array([[(c[d].rate - 1) * 1e6 for d in ("eeg", "biopac", "camera")] for c in clocks])
    gap = np.array([c["eeg"].intercept_s - c["biopac"].intercept_s for c in clocks])

    assert np.all((np.abs(ppm) >= 20) & (np.abs(ppm) <= 150))
    assert np.all((ppm > 0).any(0) & (ppm < 0).any(0))
    assert np.all(np.abs(gap) > 10)
    assert (gap > 0).any()
    assert (gap < 0).any()


def test_blinks_are_of_human_length_and_rate():
    """150-300 ms, never overlapping, 8-24 a minute over ten minutes."""
    for seed in range(5):
        start, length = np.array(draw_blinks(np.random.default_rng(seed), 0.0, 600.0)).T

        assert np.all((length >= 0.15) & (length <= 0.3))
        assert np.all(np.diff(start) > 0.3)
        assert 8 <= len(start) / 10 <= 24


def test_electrodes_lie_on_their_side_and_row():
    """Odd numbers are left, even right, Z in the middle; frontal in front of occipital."""
    place = {name: electrode_position(name) for name in EEG_NAMES}

    assert len(set(EEG_NAMES)) == 64
    assert all(place[n][0] < 0 for n in EEG_NAMES if n[-1] in "13579")
    assert all(place[n][0] > 0 for n in EEG_NAMES if n[-1] in "2468")
    assert place["FPZ"][1] > place["FZ"][1] > place["CZ"][1] > place["OZ"][1]
