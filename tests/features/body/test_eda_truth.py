"""Responses of whole sessions against planted ones and NeuroKit2's; counts, recovery, overlap, doubts, both splits."""

import pickle
from importlib.util import find_spec
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.signal import resample_poly

from mmme.errors import ConfigError
from mmme.features.body import skin_detection
from mmme.features.body.eda import COLUMNS, eda_columns, read_eda
from mmme.features.windows import Occasions, Windows
from mmme.types import Stream

PHYSIO = Path(__file__).parents[4] / "shared" / "data" / "physio"
FALL_S = np.arange(0, 9, 0.01)
PEAK_S = np.log(3.0 / 0.7) * 0.7 * 3.0 / (3.0 - 0.7)


def shape(since):
    """A response of height 1: rise 0.7 s, fall 3 s."""
    since = np.maximum(since, 0.0)
    return (np.exp(-since / 3.0) - np.exp(-since / 0.7)) / (np.exp(-PEAK_S / 3.0) - np.exp(-PEAK_S / 0.7))


HALF_S = float(np.interp(-0.5, -shape(PEAK_S + FALL_S), FALL_S))


def skin(onsets, heights, seconds, fs=50.0, *, slow_us=0.0, noise_us=0.001, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * fs)) / fs
    wave = gaussian_filter1d(rng.standard_normal(int(seconds * 4) + 4), 15 * 4, mode="reflect")
    wave = np.interp(t, np.arange(wave.size) / 4, (wave - wave.mean()) / wave.std())
    x = 6.0 + slow_us * wave + rng.normal(0, noise_us, t.size)
    for onset, height in zip(onsets, heights, strict=True):
        part = slice(int(onset * fs), int((onset + 40) * fs))
        x[part] += height * shape(t[part] - onset)
    return Stream("eda", "b", t, x, "µS", fs)


def at(events, before=0.0, seconds=5.0, baseline=2.0):
    events = np.atleast_1d(np.asarray(events, dtype=float))
    windows = Windows(events - before, seconds)
    return Occasions(windows, windows.before(baseline) if baseline else None, events)


def near(ours, theirs, within_s):
    i = np.clip(np.searchsorted(ours, theirs), 1, ours.size - 1)
    return np.minimum(abs(ours[i] - theirs), abs(ours[i - 1] - theirs)) <= within_s


def neurokit(x, fs, at_least_us):
    phasic = nk.eda_phasic(nk.eda_clean(x, sampling_rate=fs), sampling_rate=fs, method="highpass")["EDA_Phasic"]
    found = nk.eda_peaks(phasic.to_numpy(), sampling_rate=fs, amplitude_min=0.1)[1]
    return found["SCR_Peaks"][found["SCR_Amplitude"] >= at_least_us] / fs


def test_separate_responses_on_a_wandering_level():
    """150 of 0.03 to 0.5 µS on waves of 0.25 µS: 97 % found, 3 % false; sizes within 2 %, onsets 0.05 s, in the middle."""
    rng = np.random.default_rng(1)
    onsets = 20.0 + np.cumsum(rng.uniform(8, 22, 150))
    heights = rng.uniform(0.03, 0.5, 150)
    found = read_eda(skin(onsets, heights, onsets[-1] + 60, slow_us=0.25)).responses

    hit = near(found.peak_s, onsets + PEAK_S, 0.6)
    assert hit.mean() >= 0.97
    assert (~near(onsets + PEAK_S, found.peak_s, 0.6)).sum() <= 4
    nearest = np.abs(found.peak_s[:, None] - onsets - PEAK_S).argmin(axis=0)[hit]
    assert np.median(found.amplitude_us[nearest] / heights[hit]) == pytest.approx(1, abs=0.02)
    assert np.median(np.abs(found.onset_s[nearest] - onsets[hit])) < 0.05
    assert np.nanmedian(found.half_recovery_s[nearest]) == pytest.approx(HALF_S, rel=0.05)


@pytest.mark.parametrize("seed", [1, 2])
def test_responses_are_those_of_neurokit_at_the_full_rate(seed):
    """15 minutes at 1000 Hz, all responses of one size: at least 98 % of NeuroKit2's, and no others."""
    x = nk.eda_simulate(duration=900, sampling_rate=1000, scr_number=60, noise=0.002, drift=-0.001, random_state=seed)
    ours = read_eda(Stream("eda", "b", np.arange(x.size) / 1000, x, "µS", 1000.0)).responses.peak_s
    theirs = neurokit(x, 1000, 0.025)

    assert near(ours, theirs, 0.5).mean() >= 0.98
    assert near(theirs, ours, 0.5).mean() >= 0.98


@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_samples_a_second_are_enough(seed):
    """The same rule at 1000 Hz and at 50: the same responses, peaks within 20 ms, sizes within 1 %."""
    rng = np.random.default_rng(seed)
    onsets = 10.0 + np.cumsum(rng.uniform(3, 20, 25))
    stream = skin(onsets, rng.uniform(0.05, 0.5, 25), onsets[-1] + 40, 1000.0, slow_us=0.1)
    ours = read_eda(stream).responses
    full = skin_detection.cleaned(skin_detection.Regular(stream.t, stream.x, np.zeros(stream.t.size, dtype=bool), 1000.0))
    finest = skin_detection.find_responses(full, full.bad, threshold_us=0.02)

    assert ours.peak_s.size == finest.peak_s.size
    np.testing.assert_allclose(ours.peak_s, finest.peak_s, atol=0.02)
    np.testing.assert_allclose(ours.amplitude_us, finest.amplitude_us, rtol=0.01, atol=0.001)


@pytest.mark.skipif(not PHYSIO.exists(), reason="real recordings are not next to the project")
def test_real_responses_are_those_of_neurokit():
    """150 s of pictures at 100 Hz: all of NeuroKit2's of at least 0.025 µS."""
    x = pd.read_csv(PHYSIO / "bio_eventrelated_100hz.csv")["EDA"].to_numpy()
    ours = read_eda(Stream("eda", "b", np.arange(x.size) / 100, x, "µS", 100.0))

    assert near(ours.responses.peak_s, neurokit(x, 100, 0.025), 0.5).all()
    assert ours.verdict.over_all() == (1.0, "")


def test_timing_size_and_count():
    """Two responses, 2 s after events: latency, rise, half recovery, size; two a minute, 0.3 µS on average."""
    read = read_eda(skin([42.0, 72.0], [0.4, 0.2], 140))
    columns = eda_columns(read, at([40.0, 100.0], seconds=60.0))

    assert columns["scr_latency_s"][0][0] == pytest.approx(2.0, abs=0.08)
    assert columns["scr_rise_s"][0][0] == pytest.approx(PEAK_S, abs=0.12)
    assert columns["scr_half_recovery_s"][0][0] == pytest.approx(HALF_S, abs=0.15)
    assert columns["scr_amplitude_us"][0][0] == pytest.approx(0.4, rel=0.03)
    assert columns["scr_magnitude_us"][0].tolist()[1] == columns["scr_present"][0][1] == 0
    assert columns["scr_amplitude_us"][1][1] == "no response in the latency window"
    assert columns["scr_per_min"][0][0] == pytest.approx(2.0)
    assert columns["scr_mean_amplitude_us"][0][0] == pytest.approx(0.3, rel=0.04)


def test_recovery_cut_short_is_not_guessed():
    """The next response begins 1.5 s after the peak: half recovery was not seen."""
    read = read_eda(skin([42.0, 45.0], [0.4, 0.5], 100))
    columns = eda_columns(read, at(40.0))

    assert columns["scr_half_recovery_s"][1].tolist() == ["half recovery not seen before the next response"]
    assert columns["scr_rise_s"][1].tolist() == [""]


def test_counts_need_half_a_minute():
    """Five seconds hold no rate; a window without responses holds no mean of them."""
    read = read_eda(skin([30.0], [0.4], 140))

    assert eda_columns(read, at(40.0))["scr_per_min"][1].tolist() == ["window 5 s, needs 30 s"]
    empty = eda_columns(read, at(60.0, seconds=40.0))
    assert empty["scr_per_min"][0].tolist() == [0.0]
    assert empty["scr_mean_amplitude_us"][1].tolist() == ["no response in the window"]


def test_overlap_counts_other_events_within_four_seconds():
    """Bursts: at 20, 22 and 25.9 s, twice at 60 s, alone at 100 s; a baseline has no event."""
    read = read_eda(skin([], [], 140))
    columns = eda_columns(read, at([60.0, 20.0, 25.9, 100.0, 22.0, 60.0]))

    assert columns["scr_overlap"][0].tolist() == [1, 1, 1, 0, 2, 1]
    nothing = eda_columns(read, Occasions(Windows(np.array([30.0]), 40.0), None, np.array([np.nan])))
    assert tuple(nothing) == COLUMNS
    assert nothing["scr_overlap"][1].tolist() == nothing["scr_present"][1].tolist() == ["no event in the window"]
    assert nothing["scl_change_us"][1].tolist() == ["no baseline to compare with"]
    assert nothing["scr_per_min"][0].tolist() == [0.0]


def test_levels_are_those_of_numpy():
    """Mean, SD and slope of the tonic part in windows, against NumPy on the same samples."""
    read = read_eda(skin([30.0, 50.0], [0.4, 0.6], 140, slow_us=0.2))
    columns = eda_columns(read, at([30.0, 61.3], seconds=7.0))
    for i, start in enumerate((30.0, 61.3)):
        first = round(start * 50)
        part = read.tonic.x[first : first + 350]
        assert columns["scl_us"][0][i] == pytest.approx(part.mean(), rel=1e-9)
        assert columns["scl_sd_us"][0][i] == pytest.approx(part.std(ddof=1), rel=1e-6)
        slope = np.polyfit(np.arange(350) / 50, part, 1)[0]
        assert columns["scl_slope_us_per_s"][0][i] == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_what_speaks_against_a_recording():
    """Electrode off, another unit, cut off, a step: each where it was planted, each by its name."""
    stream = skin([80.0], [0.4], 200)
    stream.x[1000:1500] = 0.01 + 1e-4 * np.sin(np.arange(500))
    stream.x[2500:3000] += 80.0
    stream.x[8000:] -= 1.0
    read = read_eda(stream)
    causes = read.verdict.index(Windows(np.array([24.0, 54.0, 80.0, 159.0]), 3.0))[1].tolist()

    assert causes == ["below 0.05 µS; electrode off?", "above 60 µS; other unit?", "", "faster than 10 µS/s"]
    why = eda_columns(read, at([24.0, 54.0, 78.0, 158.0], baseline=None))["scl_us"][1].tolist()
    assert why == [
        "below 0.05 µS in the window; electrode off?",
        "above 60 µS in the window; other unit?",
        "",
        "artefact in the window: faster than 10 µS/s",
    ]
    tops = skin([80.0], [3.0], 200)
    tops = read_eda(Stream("eda", "b", tops.t, np.minimum(tops.x, 7.0), "µS", 50.0))
    assert tops.verdict.index(Windows(np.array([40.0, 81.0]), 4.0))[1].tolist() == ["", "signal is clipped"]
    assert eda_columns(tops, at([40.0, 79.0]))["scr_present"][1].tolist() == [
        "",
        "signal is clipped in the response window",
    ]


def test_coarse_steps_are_not_flat():
    """10 bits over 25 µS: a level within one step for 2 s is a level."""
    stream = skin([30.0], [0.5], 140, slow_us=0.2)
    coarse = Stream("eda", "b", stream.t, np.round(stream.x / 25 * 1024) * 25 / 1024, "µS", 50.0)

    assert eda_columns(read_eda(coarse), at(100.0))["scl_us"][1].tolist() == [""]


@pytest.mark.skipif(find_spec("cvxopt") is None, reason="cvxopt is not installed")
def test_the_convex_split_has_one_rate():
    """cvxEDA of a recording at 100 Hz and of the same at 10: phasic parts agree twice as well as where the rate is left."""
    fine = skin([20.0, 35.0, 50.0], [0.4, 0.3, 0.5], 80, 100.0, slow_us=0.1)
    low = Stream("eda", "b", fine.t[::10], resample_poly(fine.x, 1, 10, padtype="line"), "µS", 10.0)
    a, b = read_eda(fine, method="cvxeda"), read_eda(low, method="cvxeda")
    theirs = [nk.eda_phasic(s.x, sampling_rate=int(s.fs), method="cvxeda")["EDA_Phasic"].to_numpy() for s in (fine, low)]

    assert a.method == b.method == "cvxeda at 25 Hz"
    ours = (a.phasic.x[::5] - b.phasic.x).std() / a.phasic.x.std()
    assert ours < 0.005
    assert ours < (theirs[0][::10] - theirs[1]).std() / theirs[0].std() / 2
    np.testing.assert_array_equal(a.responses.onset_s, read_eda(fine).responses.onset_s)


def test_the_convex_split_says_what_it_needs(monkeypatch):
    """Without its package, and with another name."""
    monkeypatch.setattr(skin_detection, "find_spec", lambda _: None)
    stream = skin([], [], 60)
    with pytest.raises(ConfigError, match="method 'cvxeda' needs the package cvxopt, which is not installed; install mmme"):
        read_eda(stream, method="cvxeda")
    with pytest.raises(ConfigError, match="no method of splitting EDA 'cvxEda'; did you mean 'cvxeda'"):
        read_eda(stream, method="cvxEda")


def test_what_is_kept_is_small_and_travels():
    """75 minutes keep less than 15 MB; workers get it by pickle."""
    kept = pickle.dumps(read_eda(skin([30.0], [0.4], 100, 1000.0)))

    assert len(kept) * 4500 / 100 < 15e6
    assert pickle.loads(kept).responses.onset_s.size == 1
