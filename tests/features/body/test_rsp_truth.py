"""Breaths of whole sessions against planted ones and NeuroKit2's; timing, phase, variability, sinus arrhythmia, doubts."""

import pickle
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest

from mmme.errors import DataError
from mmme.features.body.beats import Beats
from mmme.features.body.rsp import COLUMNS, read_rsp, rsp_columns
from mmme.features.windows import Occasions, Windows
from mmme.types import Stream

PHYSIO = Path(__file__).parents[4] / "shared" / "data" / "physio"


def belt(x, fs=100.0, unit="V"):
    return Stream("rsp", "b", np.arange(len(x)) / fs, np.asarray(x, dtype=float), unit, fs)


def over(start, seconds, at=np.nan, baseline=None):
    start = np.atleast_1d(np.asarray(start, dtype=float))
    before = None if baseline is None else Windows(start - baseline, baseline)
    return Occasions(Windows(start, seconds), before, np.broadcast_to(np.asarray(at, dtype=float), start.shape))


def breaths(lengths, share_in=0.4, depth=1.0, fs=100.0):
    """Cycles of given lengths [s], each rising by half a cosine for a share of it and falling for the rest."""
    edges = np.concatenate([[0.0], np.cumsum(lengths)])
    t = np.arange(int(edges[-1] * fs)) / fs
    k = np.searchsorted(edges, t, side="right") - 1
    part = (t - edges[k]) / np.asarray(lengths)[k]
    turn = np.where(part < share_in, part / share_in, 1 + (part - share_in) / (1 - share_in))
    return 2.0 - depth / 2 * np.cos(np.pi * turn), edges


def matched(ours, theirs, within_s):
    i = np.clip(np.searchsorted(ours, theirs), 1, ours.size - 1)
    return (np.minimum(abs(ours[i] - theirs), abs(ours[i - 1] - theirs)) <= within_s).mean()


def one(columns, name):
    return columns[name][0][0]


def theirs_of(x, fs):
    """Inspiration ends and starts that NeuroKit2 finds at the full rate [s]."""
    found = nk.rsp_findpeaks(nk.rsp_clean(x, sampling_rate=fs), sampling_rate=fs)
    return found["RSP_Peaks"] / fs, found["RSP_Troughs"] / fs


@pytest.mark.parametrize("method", ["sinusoidal", "breathmetrics"])
def test_breaths_are_those_of_neurokit_at_the_full_rate(method):
    """1000 Hz, 20 minutes in four recordings: as many breaths, 99.5 % of both extrema within 10 ms."""
    shares = []
    for seed in range(4):
        x = nk.rsp_simulate(
            duration=300, sampling_rate=1000, respiratory_rate=15, method=method, noise=0.05, random_state=seed
        )
        ours = read_rsp(belt(x, 1000.0))
        peaks, troughs = theirs_of(x, 1000)
        assert ours.peak_s.size == peaks.size
        shares.append((matched(ours.peak_s, peaks, 0.010), matched(ours.trough_s, troughs, 0.010)))

    assert np.mean(shares, axis=0).min() >= 0.995


@pytest.mark.skipif(not PHYSIO.exists(), reason="real recordings are not next to the project")
@pytest.mark.parametrize("name", ["bio_resting_5min_100hz", "bio_eventrelated_100hz"])
def test_real_breaths_are_those_of_neurokit(name):
    """100 Hz: within 10 ms, the step of its samples; and nothing is held against them for more than a tenth of the time."""
    x = pd.read_csv(PHYSIO / f"{name}.csv")["RSP"].to_numpy()
    ours = read_rsp(belt(x))
    peaks, troughs = theirs_of(x, 100)

    assert ours.peak_s.size == peaks.size
    assert matched(ours.peak_s, peaks, 0.0101) == 1
    assert matched(ours.trough_s, troughs, 0.0101) == 1
    assert ours.verdict.over_all()[0] > 0.9


def test_a_belt_that_slips_costs_no_breaths():
    """Depth falls to a sixth for the second half: a threshold of 0.3 of the recording's median depth would lose that half."""
    lengths = np.full(150, 4.0)
    x, edges = breaths(lengths)
    x = np.where(np.arange(x.size) < x.size // 2, x, 2.0 + (x - 2.0) / 6)
    ours = read_rsp(belt(x))

    assert nk.rsp_findpeaks(nk.rsp_clean(x, sampling_rate=100), sampling_rate=100)["RSP_Peaks"].size < 80
    assert matched(ours.peak_s, edges[2:-2] + 1.6, 0.1) == 1


def test_timing_of_inspiration_and_expiration():
    """Cycles of 4 s, 40 % of it inspiration: 1.6 s, 2.4 s, 0.4; RVT is depth over 4 s; the belt's filter may cost 4 %."""
    x, _ = breaths(np.full(30, 4.0))
    columns = rsp_columns(read_rsp(belt(x)), over(30.0, 60.0))

    assert one(columns, "rsp_inspiration_s") == pytest.approx(1.6, abs=0.04)
    assert one(columns, "rsp_expiration_s") == pytest.approx(2.4, abs=0.04)
    assert one(columns, "rsp_duty_cycle") == pytest.approx(0.4, abs=0.01)
    assert one(columns, "rsp_rvt_v_per_s") == pytest.approx(0.25, rel=0.04)
    assert one(columns, "rsp_cycle_sd_s") == pytest.approx(0.0, abs=0.01)


def test_variability_of_cycles_is_that_of_their_lengths():
    """From end to end of inspiration, as planted, within 4 %."""
    lengths = np.random.default_rng(5).uniform(3, 5, 40)
    x, edges = breaths(lengths)
    peaks = edges[:-1] + 0.4 * lengths
    planted = np.diff(peaks[(peaks >= 20) & (peaks < 120)])
    columns = rsp_columns(read_rsp(belt(x)), over(20.0, 100.0))

    assert one(columns, "rsp_cycle_rmssd_s") == pytest.approx(np.sqrt(np.mean(np.diff(planted) ** 2)), rel=0.04)
    assert one(columns, "rsp_cycle_sd_s") == pytest.approx(planted.std(ddof=1), rel=0.04)


def test_the_phase_of_an_event():
    """Starts of inspiration (1, 0), its middle (0, 1), its end (-1, 0), the middle of expiration (0, -1)."""
    x, edges = breaths(np.full(20, 5.0))
    at = edges[8] + np.array([0.02, 1.0, 2.0, 3.5])
    columns = rsp_columns(read_rsp(belt(x)), over(at - 1, 2.0, at))

    np.testing.assert_allclose(columns["rsp_phase_cos"][0], [1, 0, -1, 0], atol=0.08)
    np.testing.assert_allclose(columns["rsp_phase_sin"][0], [0, 1, 0, -1], atol=0.08)
    nowhere = rsp_columns(read_rsp(belt(x)), over(at - 1, 2.0))
    assert set(nowhere["rsp_phase_cos"][1]) == {"no event in the window"}
    edge = rsp_columns(read_rsp(belt(x)), over(10.0, 2.0, 0.5))
    assert edge["rsp_phase_cos"][1][0] == "no whole breath around the event"


def test_rvt_is_that_of_neurokit():
    """Depth over the time since the last peak, against depth times instantaneous rate (Harrison 2021): within 2 %."""
    x = nk.rsp_simulate(duration=120, sampling_rate=50, respiratory_rate=14, method="sinusoidal", noise=0, random_state=0)
    theirs = nk.rsp_rvt(x, sampling_rate=50, method="harrison2021", silent=True)
    ours = rsp_columns(read_rsp(belt(x, 50.0)), over(30.0, 60.0))

    assert one(ours, "rsp_rvt_v_per_s") == pytest.approx(np.mean(theirs[1500:4500]), rel=0.02)


def heart(t_breath, swing_ms=60.0):
    """Beats about every 0.85 s, shorter while breathing in."""
    at = [0.3]
    while at[-1] < t_breath[-1]:
        phase = (at[-1] - t_breath[0]) / 4.0 * 2 * np.pi
        at.append(at[-1] + 0.85 - swing_ms / 2e3 * np.sin(phase))
    at = np.array(at)
    return Beats(at, np.ones(at.size - 1, dtype=bool))


def test_sinus_arrhythmia_is_that_of_neurokit_on_the_same_peaks():
    """Peak to trough of the same breaths and beats: the mean over all cycles within 1 ms."""
    x, _ = breaths(np.full(40, 4.0), share_in=0.5)
    breathing = read_rsp(belt(x))
    beats = heart(np.array([0.0, 158.0]))
    beats = Beats(np.round(beats.t_s, 2), beats.accepted)
    n = x.size
    marks = np.zeros((2, n), dtype=int)
    marks[0, np.round(breathing.peak_s * 100).astype(int)] = 1
    marks[1, np.round(breathing.trough_s * 100).astype(int)] = 1
    rpeaks = np.round(beats.t_s * 100).astype(int)
    rpeaks = rpeaks[rpeaks < n]
    phase = nk.rsp_phase({"RSP_Peaks": np.flatnonzero(marks[0]), "RSP_Troughs": np.flatnonzero(marks[1])}, desired_length=n)
    rsp = pd.DataFrame({"RSP_Peaks": marks[0], "RSP_Troughs": marks[1], "RSP_Clean": x}).join(phase)
    rate = nk.signal_rate(rpeaks, sampling_rate=100, desired_length=n)
    theirs = nk.hrv_rsa(pd.DataFrame({"ECG_Rate": rate}), rsp, {"ECG_R_Peaks": rpeaks}, sampling_rate=100)
    ours = rsp_columns(breathing, over(0.0, 160.0), beats)

    assert one(ours, "rsp_rsa_ms") == pytest.approx(theirs["RSA_P2T_Mean"], abs=1.0)
    assert 40 < one(ours, "rsp_rsa_ms") < 75


def test_sinus_arrhythmia_and_variability_need_half_a_minute_three_breaths_and_a_heart():
    """20 s, a missing ECG, and beats that are not accepted have their reasons."""
    x, _ = breaths(np.full(40, 4.0))
    breathing, beats = read_rsp(belt(x)), heart(np.array([0.0, 158.0]))
    short = rsp_columns(breathing, over(40.0, 20.0), beats)
    assert short["rsp_rsa_ms"][1].tolist() == short["rsp_cycle_sd_s"][1].tolist() == ["window 20 s, needs 30 s"]
    assert rsp_columns(breathing, over(40.0, 60.0))["rsp_rsa_ms"][1].tolist() == ["no stream 'ecg'"]
    refused = Beats(beats.t_s, np.zeros(beats.t_s.size - 1, dtype=bool))
    assert rsp_columns(breathing, over(40.0, 60.0), refused)["rsp_rsa_ms"][1].tolist() == [
        "fewer than 3 breaths with accepted beats"
    ]
    slow, _ = breaths(np.full(12, 11.0))
    few = rsp_columns(read_rsp(belt(slow)), over(40.0, 31.0))
    assert few["rsp_cycle_sd_s"][1].tolist() == ["fewer than 3 whole breathing cycles in the window"]


def test_a_baseline_itself_has_levels_but_no_changes():
    """Without a baseline, changes say so; rates do not need one."""
    x, _ = breaths(np.full(40, 4.0))
    columns = rsp_columns(read_rsp(belt(x)), over(40.0, 40.0))

    assert tuple(columns) == COLUMNS
    assert one(columns, "rsp_rate_per_min") == pytest.approx(15, abs=0.1)
    assert {columns[c][1][0] for c in COLUMNS if "change" in c} == {"no baseline to compare with"}


def test_without_a_unit_everything_but_volts():
    """A belt in arbitrary units has rates, ratios and phases."""
    x, _ = breaths(np.full(40, 4.0))
    columns = rsp_columns(read_rsp(belt(x * 1e-9, unit="a.u.")), over(60.0, 40.0, baseline=40.0))

    assert columns["rsp_amplitude_v"][1].tolist() == ["unit a.u., needs V"]
    assert columns["rsp_rvt_v_per_s"][1].tolist() == ["unit a.u., needs V"]
    assert one(columns, "rsp_rate_per_min") == pytest.approx(15, abs=0.1)
    assert one(columns, "rsp_amplitude_change") == pytest.approx(0, abs=0.01)
    with pytest.raises(DataError, match="expected unit V, got L"):
        read_rsp(belt(x, unit="L"))


def test_what_speaks_against_a_belt():
    """Still for 20 s, cut off for four breaths, drowned in noise for 30 s: each where it was planted, each by its name."""
    x, _ = breaths(np.full(60, 4.0))
    x[6000:8000] = 2.0
    x[16000:19000] += np.random.default_rng(0).normal(0, 3, 3000)
    ours = read_rsp(belt(x))
    index, cause = ours.verdict.index(Windows(np.array([20.0, 62.0, 165.0]), 16.0))

    assert index[0] == 1
    assert cause.tolist() == ["", "belt is still", "noise exceeds breathing"]
    assert rsp_columns(ours, over(62.0, 16.0))["rsp_rate_per_min"][1].tolist() == ["belt is still in the window"]
    x, _ = breaths(np.full(60, 4.0))
    x[10000:11600] *= 1.5
    cut_off = read_rsp(belt(np.minimum(x, 2.6))).verdict.index(Windows(np.array([20.0, 100.0]), 16.0))
    assert cut_off[1].tolist() == ["", "signal is clipped"]


def test_coarse_steps_are_not_clipping():
    """12 bits over 20 V: the top of a breath of 1 V stays in one step for a while, and is whole."""
    x, _ = breaths(np.full(30, 4.0), fs=1000.0)
    coarse = np.round(x / 20 * 4096) * 20 / 4096

    assert "signal is clipped" not in set(read_rsp(belt(coarse, 1000.0)).verdict.index(over(20.0, 60.0).windows)[1])


def test_what_is_kept_is_small_and_travels():
    """75 minutes at 1000 Hz keep less than 15 MB; workers get it by pickle."""
    x, _ = breaths(np.full(30, 4.0))
    kept = pickle.dumps(read_rsp(belt(x)))

    assert len(kept) * 4500 / 120 < 15e6
    assert pickle.loads(kept).peak_s.size == read_rsp(belt(x)).peak_s.size


def test_thousands_of_windows_are_those_of_one():
    """Every window alone gives what it gives among 400."""
    rng = np.random.default_rng(0)
    x, _ = breaths(rng.uniform(3, 5, 60))
    breathing, beats = read_rsp(belt(x)), heart(np.array([0.0, 200.0]))
    start = rng.uniform(40, 150, 400)
    many = rsp_columns(breathing, over(start, 35.0, start + 3, 35.0), beats)
    for i in (0, 200, 399):
        alone = rsp_columns(breathing, over(start[i], 35.0, start[i] + 3, 35.0), beats)
        for name in COLUMNS:
            np.testing.assert_allclose(many[name][0][i], alone[name][0][0], rtol=1e-9, err_msg=name)
            assert many[name][1][i] == alone[name][1][0]
