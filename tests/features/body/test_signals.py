"""All signals of the body joined."""

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.body.signals import COLUMNS, SIGNALS, body_features
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

    assert table.columns == tuple(c for name in SIGNALS for c in COLUMNS[name])
    assert set(SIGNALS) == set(COLUMNS)
    ppg = [table.columns.index(c) for c in COLUMNS["ppg"]]
    assert {table.reasons[i] for i in table.reason[:, ppg].ravel()} == {"no stream 'ppg'"}
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
