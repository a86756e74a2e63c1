"""Potentials and power after events, against MNE and planted responses."""

from pathlib import Path

import numpy as np
import pytest

from mmme.errors import ConfigError
from mmme.features.brain.epochs import event_samples, lags
from mmme.features.brain.evoked import COMPONENTS, Component, evoked_columns, evoked_names
from mmme.features.brain.time_frequency import (
    BASELINE_S,
    FREQUENCIES_HZ,
    INTERVALS_S,
    morlet_power,
    n_cycles,
    time_frequency_columns,
)

EEG = Path(__file__).parents[4] / "shared" / "data" / "eeg"
FS = 250.0
NAMES = ("F3", "Fz", "F4", "P7", "P8", "O1", "O2")


def noise(seconds=60.0, uv=5.0, seed=0):
    return np.random.default_rng(seed).normal(0, uv, (len(NAMES), int(seconds * FS)))


def bump(x, name, at_s, latency_s, uv, width_s=0.02):
    """Add a Gaussian deflection after an event, in place."""
    t = np.arange(x.shape[1]) / FS
    x[NAMES.index(name)] += uv * np.exp(-0.5 * ((t - at_s - latency_s) / width_s) ** 2)


def test_events_go_to_the_nearest_sample(cleaned):
    """At most half a step away; before the first and after the last sample there is none, and none for NaN."""
    clean = cleaned(noise(2.0), NAMES)
    at = event_samples(clean, np.array([0.0, 0.0019, 0.0021, 1.0, 1.9975, -0.01, 2.01, np.nan]))

    assert at.tolist() == [0, 0, 1, 250, 499, -1, -1, -1]
    assert lags(128.0, -0.2, 0.0)[[0, -1]].tolist() == [-25, -1]


@pytest.mark.skipif(not EEG.exists(), reason="real recordings are not next to the project")
def test_averages_of_real_events_equal_mne(cleaned, occasions):
    """
    Events 'square' of a real recording: the mean over events of every channel and component equals that of MNE's evoked of
    the same filtered data, the same samples and baseline, within 1e-6 of its size (float32 aside: 1e-5 µV).
    """
    import mne

    raw = mne.io.read_raw_eeglab(EEG / "eeglab_data.set", preload=True, verbose="error").filter(0.5, 45.0, verbose="error")
    events, ids = mne.events_from_annotations(raw, verbose="error")
    x = (raw.get_data() * 1e6).astype(np.float32)
    raw = mne.io.RawArray(x.astype(np.float64) * 1e-6, raw.info, verbose="error")
    before, after = lags(128.0, -0.2, 0.0), lags(128.0, 0.0, 1.0)
    square = events[events[:, 2] == ids["square"]]
    mnes = mne.Epochs(
        raw, square, tmin=before[0] / 128, tmax=(after[-1] + 1) / 128, baseline=(None, -1 / 128), preload=True,
        reject_by_annotation=False, verbose="error",
    )  # fmt: skip
    evoked = mnes.average("all")
    at = square[mnes.selection, 0] / 128.0
    columns = evoked_columns(cleaned(x, tuple(raw.ch_names), 128.0), occasions(*at, at=at.tolist()), by="channel")
    assert len(at) >= 79
    for name, component in COMPONENTS.items():
        inside = np.isin(np.rint(evoked.times * 128), lags(128.0, component.from_s, component.to_s))
        theirs = 1e6 * evoked.data[:, inside].mean(axis=1)
        ours = [columns[f"eeg_{name}_uv_{c}"][0].mean() for c in raw.ch_names]
        np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max())


def test_a_planted_potential_is_found_with_its_size_and_time(cleaned, occasions):
    """
    A negative deflection of 40 µV, 165 ms after each of ten events, at P8: N170 there peaks at -40 µV within 3 µV and
    165 ms within 6 ms on average in noise of 1 µV, and not at O1; other components stay small.
    """
    x = noise(uv=1.0)
    at = (np.arange(10) * 5 + 3.0011).tolist()
    for a in at:
        bump(x, "P8", a, 0.165, -40.0)
    columns = evoked_columns(cleaned(x, NAMES), occasions(*at, at=at), by="channel")

    assert np.mean(columns["eeg_n170_peak_uv_P8"][0]) == pytest.approx(-40.0, abs=3.0)
    assert np.mean(columns["eeg_n170_latency_s_P8"][0]) == pytest.approx(0.165, abs=0.006)
    assert np.mean(columns["eeg_n170_uv_P8"][0]) < -20
    assert abs(np.mean(columns["eeg_n170_uv_O1"][0])) < 0.5
    assert abs(np.mean(columns["eeg_lpp_uv_P8"][0])) < 0.5


def test_a_level_before_the_event_is_taken_away(cleaned, occasions):
    """A step of 10 µV a second before the event changes nothing; one at the event adds 10 µV to every component."""
    quiet, early, late = noise(), noise(), noise()
    early[:, int(9 * FS) :] += 10
    late[:, int(10 * FS) :] += 10
    a, b, c = (
        evoked_columns(cleaned(x, NAMES), occasions(9.5, at=[10.0]), by="channel")["eeg_p3_uv_O1"][0][0]
        for x in (quiet, early, late)
    )

    assert b == pytest.approx(a, abs=1e-4)
    assert c == pytest.approx(a + 10, abs=1e-4)


def test_a_region_has_the_potential_of_the_mean_of_its_channels(cleaned, occasions):
    """Means and peaks of a region are those of the averaged channels, without the bad one."""
    x = noise()
    clean = cleaned(x, NAMES, bad={"F4": "noisy"})
    where = occasions(9.5, 19.5)
    columns = evoked_columns(clean, where, by="both")
    average = x.copy()
    average[0] = x[:2].mean(axis=0)
    alone = evoked_columns(cleaned(average, NAMES), where, by="channel")

    for kind in ("n170_uv", "n170_peak_uv", "n170_latency_s"):
        np.testing.assert_allclose(columns[f"eeg_{kind}_frontal"][0], alone[f"eeg_{kind}_F3"][0], atol=1e-4)
    assert columns["eeg_p1_uv_F4"][1].tolist() == ["bad channel F4: noisy"] * 2
    assert columns["eeg_p1_peak_uv_central"][1].tolist() == ["no channel of region central"] * 2


def test_a_stretch_without_a_peak_has_none(cleaned, occasions):
    """A straight line has a mean in every stretch and no local maximum."""
    ramp = np.tile(np.arange(5000) / 100, (len(NAMES), 1))
    columns = evoked_columns(cleaned(ramp, NAMES), occasions(9.5), by="region")

    assert columns["eeg_p1_uv_frontal"][1][0] == ""
    assert columns["eeg_p1_peak_uv_frontal"][1][0] == "no local maximum from 0.08 to 0.13 s"
    assert columns["eeg_n170_latency_s_frontal"][1][0] == "no local minimum from 0.13 to 0.2 s"


def test_events_without_support_have_reasons(cleaned, occasions):
    """No event, near the ends, on missing samples; an event at 0.2 s has exactly its baseline."""
    clean = cleaned(noise(30.0), NAMES, missing=slice(5000, 5001))
    where = occasions(0.0, 0.0, 0.0, 19.0, 19.8, 28.0, at=[float("nan"), 0.196, 0.2, 19.1, 20.0, 29.0])
    potential = evoked_columns(clean, where)["eeg_lpp_uv_frontal"][1].tolist()
    power = time_frequency_columns(clean, where)["eeg_ersp_theta_0-200_db_frontal"][1].tolist()

    missing, outside = "epoch touches missing samples", "epoch leaves the recording"
    assert potential == ["no event in the window", outside, "", missing, missing, outside]
    reach = "reach of theta wavelets"
    assert power == [
        "no event in the window", f"{reach} leaves the recording", f"{reach} leaves the recording",
        f"{reach} touches missing samples", f"{reach} touches missing samples", f"{reach} leaves the recording",
    ]  # fmt: skip
    short = time_frequency_columns(cleaned(noise(2.0), NAMES), occasions(0.5))["eeg_ersp_theta_0-200_db_frontal"][1][0]
    assert short == f"{reach} leaves the recording"
    assert evoked_columns(cleaned(noise(1.0), NAMES), occasions(0.5))["eeg_p1_uv_frontal"][1][0] == outside


def test_components_can_be_chosen_and_must_make_sense(cleaned, occasions):
    """Own stretches make own columns; an empty one is refused."""
    clean = cleaned(noise(20.0), NAMES)
    own = {"late": Component(0.6, 0.8, -1)}
    assert tuple(evoked_columns(clean, occasions(9.0), components=own)) == evoked_names(components=own)
    with pytest.raises(ConfigError, match="component late: expected 0 <= from_s < to_s, a sample between them at 250 Hz"):
        evoked_columns(clean, occasions(9.0), components={"late": Component(0.8, 0.6)})
    with pytest.raises(ConfigError, match="baseline_s: expected at least one sample at 250 Hz, got 0 s"):
        evoked_columns(clean, occasions(9.0), baseline_s=0)


def test_wavelet_power_equals_mne():
    """Power of all wavelets used here at every sample of 8 s within 1e-5 of the largest of MNE's."""
    from mne.time_frequency import tfr_array_morlet

    x = noise(8.0)
    hz = [f for band in FREQUENCIES_HZ.values() for f in band]
    cycles = [n_cycles(f) for f in hz]
    theirs = tfr_array_morlet(x[None], FS, hz, n_cycles=cycles, output="power", verbose="error")[0]
    ours = morlet_power(x, FS, hz, cycles)

    assert np.abs(ours - theirs).max() < 1e-5 * theirs.max()
    np.testing.assert_allclose(ours.mean(axis=2), theirs.mean(axis=2), rtol=1e-5)


def test_decibels_equal_those_from_mne(cleaned, occasions):
    """Every band, interval and channel: dB of interval over baseline from MNE's power of the whole recording, within 1e-4 dB."""
    from mne.time_frequency import tfr_array_morlet

    x = noise(30.0)
    ours = time_frequency_columns(cleaned(x, NAMES), occasions(9.5, 19.5), by="channel")
    for band, hz in FREQUENCIES_HZ.items():
        cycles = [n_cycles(f) for f in hz]
        power = tfr_array_morlet(x[None], FS, list(hz), n_cycles=cycles, output="power", verbose="error")[0]
        for row, at in enumerate((2500, 5000)):
            baseline = power[..., at + lags(FS, *BASELINE_S)].mean(axis=2)
            for a, b in INTERVALS_S:
                theirs = 10 * np.log10(power[..., at + lags(FS, a, b)].mean(axis=2) / baseline).mean(axis=1)
                got = [ours[f"eeg_ersp_{band}_{1000 * a:.0f}-{1000 * b:.0f}_db_{c}"][0][row] for c in NAMES]
                np.testing.assert_allclose(got, theirs, atol=1e-4)


def test_a_planted_burst_is_found_in_its_band_interval_and_channel(cleaned, occasions):
    """Alpha at O1 from 0.5 to 1 s after each of ten events: that column leads all others by 3 dB on average."""
    x = noise()
    t = np.arange(x.shape[1]) / FS
    at = (np.arange(10) * 5 + 3.0).tolist()
    for a in at:
        x[NAMES.index("O1")] += 15 * np.sin(2 * np.pi * 10 * t) * ((t >= a + 0.5) & (t < a + 1.0))
    columns = time_frequency_columns(cleaned(x, NAMES), occasions(*at, at=at), by="channel")
    mean = {name: float(v.mean()) for name, (v, _) in columns.items()}
    first, second = sorted(mean, key=mean.__getitem__, reverse=True)[:2]

    assert first == "eeg_ersp_alpha_500-1000_db_O1"
    assert mean[first] > mean[second] + 3
    assert mean["eeg_ersp_alpha_500-1000_db_O2"] < 1


def test_a_slow_rate_refuses_the_bands_it_does_not_reach(cleaned, occasions):
    """At 64 Hz gamma, up to 45 Hz, would be folded down."""
    columns = time_frequency_columns(cleaned(noise()[:, :3000], NAMES, 64.0), occasions(20.0))

    assert columns["eeg_ersp_gamma_0-200_db_frontal"][1][0] == "rate 64 Hz, gamma needs 90 Hz"
    assert columns["eeg_ersp_beta_0-200_db_frontal"][1][0] == ""
