"""All signals of the body joined."""

import inspect

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.body import ecg, eda, emg, ppg, rsp, skt
from mmme.features.body.signals import (
    AROUND,
    SIGNALS,
    USUAL_SIGNALS,
    Around,
    BodySettings,
    body_columns,
    body_features,
    describe_baselines,
    describe_moments,
    describe_quality,
    describe_spans,
    read_body,
)
from mmme.features.brain.eeg import eeg_features
from mmme.features.brain.families import EEG_FAMILIES
from mmme.features.tables import stack
from mmme.interval import Interval
from mmme.types import Markers, Sample, Stream, Timeline


def timeline(subject, *names):
    t = np.arange(8000) / 100
    rng = np.random.default_rng(0)
    beat = np.exp(-0.5 * (((t + 0.5) % 0.8 - 0.4) / 0.02) ** 2)
    made = {
        "ecg": Stream("ecg", "biopac", t, 1e-3 * beat, "V", 100.0),
        "eda": Stream("eda", "biopac", t, 5 + 0.01 * rng.normal(size=t.size).cumsum() / 10, "µS", 100.0),
        "rsp": Stream("rsp", "biopac", t, np.sin(2 * np.pi * t / 4), "V", 100.0),
        "skt": Stream("skt", "biopac", t, 33 + t / 600, "°C", 100.0),
        "eeg": Stream("eeg", "eeg", t, rng.normal(0, 1e-5, (t.size, 3)), "V", 100.0, ("F3", "F4", "Oz")),
    }
    streams = {n: made[n] for n in names}
    return Timeline(subject, "01", streams, Markers("eeg", np.empty(0), np.empty(0, dtype=np.int64)), {}, {})


def moments(subject="S01"):
    return [Sample(f"{subject}-{a}", subject, "sad-1", "sad", a, a, a, Interval(0.0, 80.0)) for a in (30.0, 32.5)]


def test_every_signal_has_its_columns_in_order():
    """Columns are those announced, signal by signal, whether a stream exists or not."""
    table = body_features(timeline("S01", "ecg", "eda", "rsp", "skt", "eeg"), moments())

    assert table.columns == tuple(c for name in USUAL_SIGNALS for c in body_columns(BodySettings(signals=(name,))))
    absent = [table.columns.index(c) for c in ppg.COLUMNS]
    assert {table.reasons[i] for i in table.reason[:, absent].ravel()} == {"no stream 'ppg'"}
    assert table.X[0, table.columns.index("hr_bpm")] == pytest.approx(75, abs=1)


def test_tables_of_subjects_with_different_signals_can_be_stacked():
    """One has no EDA, the other no ECG; both rows keep their subject and reasons."""
    a = body_features(timeline("S01", "ecg"), moments(), signals=["ecg", "eda"])
    b = body_features(timeline("S02", "eda"), moments("S02"), signals=["ecg", "eda"])
    both = stack([a, b])

    assert both.subjects.tolist() == ["S01", "S01", "S02", "S02"]
    assert both.reasons[both.reason[0, both.columns.index("scl_us")]] == "no stream 'eda'"
    assert both.reasons[both.reason[2, both.columns.index("hr_bpm")]] == "no stream 'ecg'"
    assert np.isfinite(both.X[2, both.columns.index("scl_us")])


def test_signals_are_known_and_come_once():
    """Unknown names get the nearest match; repeated and no names are refused."""
    with pytest.raises(ConfigError, match="no signal of the body 'edaa'; did you mean 'eda'"):
        body_features(timeline("S01", "eda"), moments(), signals=["edaa"])
    with pytest.raises(ConfigError, match="signals: expected each signal once and at least one, got eda, eda"):
        body_features(timeline("S01", "eda"), moments(), signals=["eda", "eda"])
    with pytest.raises(ConfigError, match="at least one, got none"):
        body_features(timeline("S01", "eda"), moments(), signals=[])


def test_moments_of_another_subject_are_refused():
    """Features of one body never describe another."""
    with pytest.raises(DataError, match="timeline S01: expected samples of S01, got some of S02"):
        body_features(timeline("S01", "eda"), moments("S02"), signals=["eda"])


def test_default_windows_are_those_of_each_signal():
    """What a signal's own function takes by default is what it gets here."""
    functions = {
        "eeg": eeg_features,
        "ecg": ecg.ecg_features,
        "ppg": ppg.ppg_features,
        "eda": eda.eda_features,
        "rsp": rsp.rsp_features,
        "skt": skt.skt_features,
        "emg": emg.emg_features,
    }
    assert set(functions) == set(SIGNALS)
    for name, function in functions.items():
        given = inspect.signature(function).parameters
        assert AROUND[name] == Around(*(given[k].default for k in ("before_s", "after_s", "baseline_s"))), name


def test_one_window_can_serve_all_signals():
    """With apex -1 to +4 s for all, the temperature is the mean of those five seconds, against the two before."""
    line = timeline("S01", "skt")
    settings = BodySettings(signals=("skt",), around=Around(1.0, 4.0, 2.0))
    table = describe_moments(read_body(line, settings), moments())

    level, change = table.X[0, table.columns.index("skt_c")], table.X[0, table.columns.index("skt_change_c")]
    assert level == pytest.approx(33 + 31.5 / 600, abs=1e-4)
    assert change == pytest.approx(3.5 / 600, abs=1e-4)


def trials(*spans):
    return [Sample(f"S01-{a}", "S01", "sad-1", "sad", a, (a + b) / 2, b, Interval(a, b)) for a, b in spans]


def test_trials_are_compared_with_the_pause_before_them():
    """A pause of 12 s gives 10 s, one of 4 s gives 4 s, one of 1 s gives nothing; temperature rises by 0.1 °C a minute."""
    line = timeline("S01", "skt")
    body = read_body(line, BodySettings(signals=("skt",)))
    rows = trials((12.0, 26.0), (30.0, 44.0), (45.0, 60.0))
    table = describe_spans(body, rows, baseline_s=10.0)
    change = table.X[:, table.columns.index("skt_change_c")]
    why = [table.reasons[i] for i in table.reason[:, table.columns.index("skt_change_c")]]

    assert change[:2] == pytest.approx([12.0 / 600, 9.0 / 600], abs=1e-4)
    assert why == ["", "", "no baseline to compare with"]
    assert table.X[:, table.columns.index("skt_c")] == pytest.approx(
        [33 + 19 / 600, 33 + 37 / 600, 33 + 52.5 / 600], abs=1e-3
    )


def test_pauses_are_described_in_themselves():
    """Level of the pause; no change; without a pause nothing, with its reason."""
    body = read_body(timeline("S01", "skt"), BodySettings(signals=("skt",)))
    table = describe_baselines(body, trials((12.0, 26.0), (30.0, 44.0), (45.0, 60.0)), baseline_s=10.0)
    level, change = (table.columns.index(c) for c in ("skt_c", "skt_change_c"))

    assert table.X[:2, level] == pytest.approx([33 + 7 / 600, 33 + 28 / 600], abs=1e-3)
    assert [table.reasons[i] for i in table.reason[:, change]] == [
        "no baseline to compare with",
        "no baseline to compare with",
        "no pause of 2 s before the trial",
    ]


def test_quality_of_trials_names_what_is_wrong():
    """A flat half of a trial leaves half of it; a missing signal has no quality."""
    line = timeline("S01", "skt", "ecg")
    line.streams["ecg"].x[2000:3000] = 0.0
    body = read_body(line, BodySettings(signals=("ecg", "skt", "eda")))
    table = describe_quality(body, trials((10.0, 30.0), (40.0, 60.0)), whole=True)

    assert table.X[0, 0] == pytest.approx(0.5, abs=0.1)
    assert "flat" in table.strata["ecg cause"][0]
    assert table.X[1, :2] == pytest.approx([1.0, 1.0])
    assert table.reasons[table.reason[0, 2]] == "no stream 'eda'"


def test_windows_of_low_quality_can_be_refused():
    """The heart rate across a flat stretch is refused for its quality, elsewhere it stays."""
    line = timeline("S01", "ecg")
    line.streams["ecg"].x[2800:3100] = 0.0
    rows = [*moments(), Sample("S01-60", "S01", "sad-1", "sad", 60.0, 60.0, 60.0, Interval(0.0, 80.0))]
    body = read_body(line, BodySettings(signals=("ecg",), min_quality=0.9))
    table = describe_moments(body, rows)
    why = [table.reasons[i] for i in table.reason[:, table.columns.index("hr_bpm")]]

    assert why[0] != ""
    assert why[2] == ""
    assert any(reason.startswith("quality below 0.9: ") for reason in table.reasons)


def test_settings_are_checked():
    """Names and limits."""
    with pytest.raises(ConfigError, match="no EEG feature 'band-powr'; did you mean 'band-power'"):
        BodySettings(eeg_features=("band-powr",))
    with pytest.raises(ConfigError, match="min_quality: expected 0 to 1, got 2"):
        BodySettings(min_quality=2.0)
    with pytest.raises(ConfigError, match="baseline of trials: expected at least 2 s, got 1.0 s"):
        describe_spans(
            read_body(timeline("S01", "skt"), BodySettings(signals=("skt",))), trials((12.0, 26.0)), baseline_s=1.0
        )


def test_every_family_of_the_eeg_gives_the_columns_it_announces():
    """With all families and all channels, columns are those known without a recording; what is missing has a reason."""
    line = timeline("S01", "eeg")
    settings = BodySettings(signals=("eeg",), eeg_features=tuple(EEG_FAMILIES), eeg_by="both")
    table = describe_moments(read_body(line, settings), moments())

    assert table.columns == body_columns(settings)
    absent = table.columns.index("eeg_alpha_Pz")
    assert table.reasons[table.reason[0, absent]] == "the recording has no such channel"
    assert table.valid[0, table.columns.index("eeg_alpha_F3")]


def test_muscle_over_the_scalp_is_measured_beside_the_quality():
    """A burst of 80 Hz in all channels fills a quarter of a trial of 20 s; below 220 Hz nothing is measured."""
    fs, rng = 500.0, np.random.default_rng(0)
    t = np.arange(0, 60, 1 / fs)
    x = rng.normal(0, 3e-6, (t.size, 4)).cumsum(axis=0) * 0.05
    x[(t >= 20) & (t < 25)] += 2e-5 * np.sin(2 * np.pi * 80 * t[(t >= 20) & (t < 25)])[:, None]
    line = Timeline(
        "S01",
        "01",
        {"eeg": Stream("eeg", "eeg", t, x, "V", fs, ("F3", "F4", "Cz", "Oz"))},
        Markers("eeg", np.empty(0), np.empty(0, dtype=np.int64)),
        {},
        {},
    )
    rows = trials((10.0, 30.0), (35.0, 55.0))
    table = describe_quality(read_body(line, BodySettings(signals=("eeg",))), rows, whole=True)
    share = table.X[:, table.columns.index("eeg_muscle_share")]
    assert share == pytest.approx([0.25, 0.0], abs=0.02)

    slow = describe_quality(read_body(timeline("S01", "eeg"), BodySettings(signals=("eeg",))), rows, whole=True)
    assert slow.reasons[slow.reason[0, 1]].startswith("not measured: a rate below 220 Hz")
