"""What networks read of a body: planted values at their place, and rows that are missing as a whole with their reason."""

from dataclasses import replace

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.body.network_inputs import BODY_INPUTS, POWER_BANDS, describe_input
from mmme.features.body.signals import Body, BodySettings, read_body
from mmme.features.tables import stack
from mmme.interval import Interval
from mmme.types import Markers, Sample, Stream, Timeline

NAMES = ("F3", "F4", "Cz", "Oz")
APEXES = (20.0, 30.004, 41.0)


def timeline(subject="S01", *, without=(), burst_hz=6.0):
    """Sixty seconds: a burst at Oz 0.2 to 1.2 s after each apex, a heart that beats 75 times, skin that steps at 22 s."""
    t = np.arange(60 * 250) / 250
    rng = np.random.default_rng(len(subject))
    x = rng.normal(0, 5e-6, (t.size, len(NAMES)))
    for apex in APEXES:
        during = (t >= apex + 0.2) & (t < apex + 1.2)
        x[during, 3] += 40e-6 * np.sin(2 * np.pi * burst_hz * (t[during] - apex - 0.2))
    beat = np.exp(-0.5 * (((t + 0.5) % 0.8 - 0.4) / 0.02) ** 2)
    made = {
        "eeg": Stream("eeg", "eeg", t, x, "V", 250.0, NAMES),
        "ecg": Stream("ecg", "biopac", t, 1e-3 * beat, "V", 250.0),
        "ppg": Stream("ppg", "biopac", t, np.sin(2 * np.pi * 1.25 * t), "V", 250.0),
        "eda": Stream("eda", "biopac", t, 5 + 0.5 / (1 + np.exp(-4 * (t - 22))) + rng.normal(0, 1e-4, t.size), "µS", 250.0),
        "rsp": Stream("rsp", "biopac", t, np.sin(2 * np.pi * t / 4), "V", 250.0),
        "skt": Stream("skt", "biopac", t, 33 + t / 60 + rng.normal(0, 1e-3, t.size), "°C", 250.0),
    }
    streams = {name: stream for name, stream in made.items() if name not in without}
    return Timeline(subject, "01", streams, Markers("eeg", np.empty(0), np.empty(0, dtype=np.int64)), {}, {})


def moments(subject="S01", apexes=APEXES):
    return [Sample(f"{subject}-{a:g}", subject, "sad-1", "sad", a, a, a, Interval(0.0, 60.0)) for a in apexes]


@pytest.fixture(scope="module")
def body():
    return read_body(timeline())


def test_epochs_hold_the_recording_around_the_apex(body):
    """The planted burst lies 0.2 to 1.2 s after the apex, which is 0.5 s after the first sample; nowhere else, at Oz only."""
    table = describe_input(body, moments(), "eeg")
    assert table.X.shape == (3, 4, 250)
    assert table.columns == ("F3", "F4", "Cz", "Oz")
    power = (table.X**2).mean(axis=0)
    inside, before = power[3, 90:210].mean(), power[3, :60].mean()
    assert inside > 5 * before
    assert inside > 5 * power[0, 90:210].mean()  # a quarter of the burst reaches every channel by the average reference
    clean = body.signals["eeg"]
    at = int(np.searchsorted(clean.t, 20.0 - 1e-6))
    np.testing.assert_array_equal(table.X[0], clean.x[:, at - 125 : at + 375 : 2])


def test_band_power_shows_the_burst_in_its_band_and_time(body):
    """Theta rises at Oz in windows that hold the burst, and no other band does as much."""
    table = describe_input(body, moments(), "band-power")
    assert table.X.shape == (3, 4, 4, 9)
    assert POWER_BANDS == ("theta", "alpha", "beta", "gamma")
    rise = table.X[:, 3, :, 5].mean(axis=0) - table.X[:, 3, :, 0].mean(axis=0)  # 0.25 to 1.25 s against -1 to 0 s
    assert rise[0] > 2
    assert rise.argmax() == 0


def test_windows_hold_every_signal_less_its_level_before(body):
    """Heart rate is steady at 75, so nothing remains; skin that steps 2 s after the apex rises by 0.5 µS; 1 °C a minute."""
    table = describe_input(body, moments(), "window")
    assert table.columns == ("hr_bpm", "ppg_v", "eda_us", "rsp_level", "skt_c")
    assert table.X.shape == (3, 5, 112)
    assert np.abs(table.X[:, 0]).max() < 1.5
    assert table.X[0, 2, -1] == pytest.approx(0.5, abs=0.06)
    assert table.X[0, 2, 32:48].max() < 0.15  # within a second after the apex
    assert table.X[1, 4, -1] == pytest.approx((5 + 1) / 60, abs=0.02)  # 1 s is the middle of the 2 s before
    np.testing.assert_allclose(table.X[:, :, :32].mean(axis=2), 0, atol=1e-5)


@pytest.mark.parametrize("kind", sorted(BODY_INPUTS))
def test_rows_that_leave_the_recording_are_missing_as_a_whole(body, kind):
    """An apex at 0.3 s has no window; its row is NaN throughout and says why, the other is whole."""
    table = describe_input(body, moments(apexes=(0.3, 20.0)), kind)
    assert np.isnan(table.X[0]).all()
    assert np.isfinite(table.X[1]).all()
    assert "leave" in table.reasons[table.reason[0]]


def test_bad_channels_are_not_fed_to_a_network(body):
    """A recording with a bad channel has no rows, and says how it would; interpolated channels are used."""
    clean = body.signals["eeg"]
    for interpolated, missing in (((), True), (("Cz",), False)):
        spoiled = replace(clean, bad_channels={"Cz": "noisy"}, interpolated=interpolated)
        table = describe_input(Body("S01", {**body.signals, "eeg": spoiled}, body.settings), moments(), "eeg")
        assert bool(np.isnan(table.X).all()) == missing
        assert any("eeg.bad_channels can interpolate" in reason for reason in table.reasons) == missing


def test_a_recording_without_the_signal_takes_the_shape_of_the_others(body):
    """Rows of a subject without EEG are missing under the other subject's channels; other channels are refused by name."""
    other = read_body(timeline("S02", without=("eeg", "skt")))
    for kind, shape in (("eeg", (4, 250)), ("window", (5, 112))):
        both = stack([describe_input(body, moments(), kind), describe_input(other, moments("S02"), kind)])
        assert both.X.shape == (6, *shape)
        assert np.isnan(both.X[3:]).all()
        assert any("no stream" in reason for reason in both.reasons)
    renamed = replace(body.signals["eeg"], channels=("F3", "F4", "Pz", "Oz"))
    third = Body("S03", {**body.signals, "eeg": renamed}, body.settings)
    with pytest.raises(DataError, match="lacks Cz; adds Pz"):
        stack([describe_input(body, moments(), "eeg"), describe_input(third, moments("S03"), "eeg")])


def test_windows_of_low_quality_are_refused():
    """With a least quality, a window of a signal that is clipped half the time is missing, and its signal is named."""
    made = timeline()
    stream = made.streams["eda"]
    x = np.where((stream.t > 18) & (stream.t < 24), 0.0, np.asarray(stream.x))
    spoiled = replace(made, streams={**made.streams, "eda": replace(stream, x=x)})
    table = describe_input(read_body(spoiled, BodySettings(min_quality=0.8)), moments(), "window")
    assert np.isnan(table.X[0]).all()
    assert table.reasons[table.reason[0]].startswith("eda: ")
    assert np.isfinite(table.X[2]).all()


def test_kinds_are_known(body):
    """An unknown kind is named with those there are."""
    with pytest.raises(ConfigError, match="input of body networks.*band-power"):
        describe_input(body, moments(), "flow-image")
