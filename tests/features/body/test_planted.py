"""What a simulated body does at known moments is found there, in its size: heart, sweat glands, breath, skin, brain."""

from dataclasses import replace

import numpy as np
import pytest

from mmme.features.body.ecg import ecg_features
from mmme.features.body.eda import eda_features
from mmme.features.body.ppg import ppg_features
from mmme.features.body.rsp import rsp_features
from mmme.features.body.skt import skt_features
from mmme.features.brain.eeg import eeg_features
from mmme.interval import Interval
from mmme.simulate.body import draw_body, ecg_mv, eda_us, ppg_v, rsp_v, skt_c
from mmme.simulate.brain import BIPOLAR, EEG_NAMES, eeg_uv
from mmme.simulate.responses import Response
from mmme.types import Sample, Stream

FS = 250.0
NOTHING = {"hr_bpm": 0.0, "scr_us": 0.0, "scr_latency_s": 2.0, "rsp_per_min": 0.0, "ppg_dip": 0.0, "skt_c_per_s": 0.0}
NOTHING |= {"theta_uv": 0.0, "alpha_left": 0.0, "alpha_right": 0.0, "beta": 0.0}


def planted(onset_s, **sizes):
    return Response(onset_s, onset_s + 0.15, onset_s + 0.4, **(NOTHING | sizes))


def moments(*apexes):
    return [Sample(f"S01-{i}", "S01", "sad-1", "sad", a, a, a, Interval(0.0, 1e4)) for i, a in enumerate(apexes)]


def column(table, name):
    return table.X[:, table.columns.index(name)].astype(float)


def recorded(name, values, unit, fs=FS):
    return Stream(name, "biopac", np.arange(len(values)) / fs, values, unit, fs)


def times(duration_s, fs=FS):
    return np.arange(int(duration_s * fs)) / fs


def with_rate(body, per_minute):
    """The body with another heart rate: beats where the turns of the given rate are whole."""
    turns = np.cumsum(per_minute / 60.0) * (body.grid[1] - body.grid[0])
    return replace(body, bpm=per_minute, beats=np.interp(np.arange(np.ceil(turns[0]), turns[-1]), turns, body.grid))


def test_a_step_of_the_heart_rate_is_found():
    """From 66 to 78 bpm at 60 s: level within 0.5 (PPG, which is later: 0.8), change within 1 bpm (one interval has both)."""
    body = draw_body(np.random.default_rng(1), 0.0, 120.0, [])
    body = with_rate(body, np.where(body.grid < 60.0, 66.0, 78.0))
    t = times(120.0)
    ecg = recorded("ecg", 1e-3 * ecg_mv(np.random.default_rng(2), body, t), "V")
    ppg = recorded("ppg", ppg_v(np.random.default_rng(3), body, t), "V")
    at = moments(40.0, 62.0, 90.0)

    heart, pulse = ecg_features(ecg, at), ppg_features(ppg, at)
    np.testing.assert_allclose(column(heart, "hr_bpm"), [66, 78, 78], atol=0.5)
    np.testing.assert_allclose(column(heart, "hr_change_bpm"), [0, 12, 0], atol=1.0)
    np.testing.assert_allclose(column(pulse, "ppg_rate_bpm"), [66, 78, 78], atol=0.8)
    np.testing.assert_allclose(column(pulse, "ppg_rate_change_bpm"), [0, 12, 0], atol=1.0)


def test_a_short_slowing_of_the_heart_is_found_with_its_size():
    """Eight slowings of 14 bpm, 2.5 s after their onsets: deceleration within 3 bpm on average; 0 planted gives less than 5."""
    onsets = 20.0 + 25.0 * np.arange(8)
    t = times(230.0)

    def found(size):
        body = draw_body(np.random.default_rng(4), 0.0, 230.0, [planted(o, hr_bpm=-size) for o in onsets])
        ecg = recorded("ecg", 1e-3 * ecg_mv(np.random.default_rng(2), body, t), "V")
        return column(ecg_features(ecg, moments(*(onsets + 0.15))), "hr_deceleration_bpm")

    slowed, still = found(14.0), found(0.0)
    assert still.mean() < 5.0
    assert (slowed - still).mean() == pytest.approx(14.0 * 0.9, abs=3.0)  # courses of whole intervals round off a tip


def test_responses_of_the_skin_are_found_with_latency_and_size():
    """Responses 1.2 to 3.4 s after the moment: each present, latency within 0.35 s, size within 15 %; none without."""
    latency = np.array([1.2, 1.8, 2.4, 3.0, 3.4])
    apexes = 20.0 + 25.0 * np.arange(6)
    answers = [planted(a, scr_us=0.5, scr_latency_s=s) for a, s in zip(apexes[:5], latency, strict=True)]
    body = draw_body(np.random.default_rng(5), 0.0, 180.0, answers)
    # neither slow swings nor spontaneous responses: only what is planted
    quiet = draw_body(np.random.default_rng(5), 0.0, 180.0, [])
    body = replace(body, conductance=5.0 + body.conductance - quiet.conductance)
    eda = recorded("eda", eda_us(np.random.default_rng(6), body, times(180.0)), "µS")

    table = eda_features(eda, moments(*apexes))
    assert column(table, "scr_present").tolist() == [1, 1, 1, 1, 1, 0]
    np.testing.assert_allclose(column(table, "scr_latency_s")[:5], latency, atol=0.35)
    np.testing.assert_allclose(column(table, "scr_amplitude_us")[:5], 0.5, rtol=0.15)


def test_a_change_of_breathing_is_found():
    """From 12 to 18 breaths a minute at 90 s: 30-s windows on either side within 0.5 per minute, the change within 0.7."""
    body = draw_body(np.random.default_rng(7), 0.0, 180.0, [])
    step_s = body.grid[1] - body.grid[0]
    per_minute = np.where(body.grid < 90.0, 12.0, 18.0)
    body = replace(body, breath=2 * np.pi * np.cumsum(per_minute) / 60.0 * step_s)
    rsp = recorded("rsp", rsp_v(np.random.default_rng(8), body, times(180.0)), "V")

    table = rsp_features(rsp, moments(50.0, 90.0, 140.0), before_s=0.0, after_s=30.0, baseline_s=30.0)
    np.testing.assert_allclose(column(table, "rsp_rate_per_min"), [12, 18, 18], atol=0.5)
    np.testing.assert_allclose(column(table, "rsp_rate_change_per_min"), [0, 6, 0], atol=0.7)


def test_a_warming_skin_is_found():
    """Cooling by 0.1, from 60 s on warming by 0.3 °C a minute: slope within 0.01 °C/min, level and change within 0.01 °C."""
    body = draw_body(np.random.default_rng(9), 0.0, 150.0, [])
    body = replace(body, temperature=33.0 + np.maximum((60.0 - body.grid) * 0.1, (body.grid - 60.0) * 0.3) / 60.0)
    skt = recorded("skt", skt_c(np.random.default_rng(10), body, times(150.0)), "°C")

    table = skt_features(skt, moments(60.0, 100.0))
    np.testing.assert_allclose(column(table, "skt_slope_c_per_min"), 0.3, atol=0.01)
    np.testing.assert_allclose(column(table, "skt_c"), [33.075, 33.275], atol=0.01)
    np.testing.assert_allclose(column(table, "skt_change_c"), [0.075 - 0.1 / 12, 0.1], atol=0.01)


def test_a_narrowing_of_vessels_is_found():
    """Pulses that lose 40 % in the 7 s after a moment: the amplitude's change is clearly negative, without it near 0."""
    onsets = 20.0 + 25.0 * np.arange(6)
    t = times(180.0)

    def found(dip):
        body = draw_body(np.random.default_rng(11), 0.0, 180.0, [planted(o, ppg_dip=dip) for o in onsets])
        ppg = recorded("ppg", ppg_v(np.random.default_rng(12), body, t), "V")
        return column(ppg_features(ppg, moments(*(onsets + 0.15))), "ppg_amplitude_change")

    # 40 % at 3 s, back at 7 s: over the window from 2 s before to 5 s after, a fifth is missing on average
    assert found(0.4).mean() - found(0.0).mean() == pytest.approx(np.log(1 - 0.2), abs=0.06)


@pytest.fixture(scope="module")
def brain():
    """EEG of 100 s with theta after each of 12 onsets, and twice as large alpha over the left frontal cortex only."""
    onsets = 6.0 + 7.5 * np.arange(12)
    t = times(100.0)

    def made(**sizes):
        responses = [planted(o, **sizes) for o in onsets]
        uv = eeg_uv(np.random.default_rng(13), t, FS, expressions=[], responses=responses, blinks=[], ecg=0.0 * t)
        return Stream("eeg", "eeg", t, 1e-6 * uv.T, "V", FS, (*EEG_NAMES, *BIPOLAR))

    return onsets, made


def changes(table, band):
    """Mean change over the events, by channel."""
    names = [c for c in table.columns if c.startswith(f"eeg_{band}_") and c.endswith("_change")]
    return {c.split("_")[2].upper(): column(table, c).mean() for c in names}


def test_theta_is_found_where_it_was_planted(brain):
    """Frontal midline theta of 20 µV: the two channels of the largest change are midline, change above 1; far away below."""
    onsets, made = brain
    table = eeg_features(
        made(theta_uv=20.0), moments(*(onsets + 0.25)), before_s=0.5, after_s=0.5, baseline_s=1.0, by="channel"
    )
    theta = changes(table, "theta")

    assert set(sorted(theta, key=theta.get)[-2:]) <= {"FZ", "FCZ", "F1", "F2"}
    assert theta["FZ"] > 1.0
    assert abs(theta["OZ"]) < 0.5 * theta["FZ"]


def test_alpha_is_found_where_it_was_planted(brain):
    """Left frontal alpha of e times the amplitude around the apex: power rises by 1 to 2 at F5, by less than 0.4 at F6."""
    onsets, made = brain
    stream = made(alpha_left=1.0)
    apexes = onsets + 0.15
    table = eeg_features(stream, moments(*apexes), before_s=0.5, after_s=0.5, baseline_s=1.0, by="both")
    rest = eeg_features(made(), moments(*apexes), before_s=0.5, after_s=0.5, baseline_s=1.0, by="both")
    alpha = {name: value - changes(rest, "alpha")[name] for name, value in changes(table, "alpha").items()}

    assert 1.0 < alpha["F5"] < 2.0
    assert abs(alpha["F6"]) < 0.4
    assert abs(alpha["OZ"]) < 0.4
    asymmetry = column(table, "eeg_faa_F4F3_change").mean() - column(rest, "eeg_faa_F4F3_change").mean()
    assert asymmetry < -0.5  # more alpha on the left
