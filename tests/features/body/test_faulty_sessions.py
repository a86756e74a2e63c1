"""What goes wrong in a laboratory, for every signal: a reason per number or one clear error, and no other signal suffers."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mmme.config import load_config
from mmme.datasets.study import open_study
from mmme.errors import DataError
from mmme.features.body.ecg import ecg_features
from mmme.features.body.eda import eda_features
from mmme.features.body.ppg import ppg_features
from mmme.features.body.rsp import read_rsp, rsp_features
from mmme.features.body.signals import USUAL_SIGNALS, BodySettings, body_columns, body_features
from mmme.features.body.skt import skt_features
from mmme.features.brain.eeg import eeg_features
from mmme.features.windows import Windows
from mmme.interval import Interval
from mmme.simulate import StudyPlan, simulate_study
from mmme.simulate.body import draw_body, ecg_mv, eda_us, ppg_v, rsp_v, skt_c
from mmme.simulate.brain import BIPOLAR, EEG_NAMES, eeg_uv
from mmme.simulate.devices import BIOPAC_LABELS, write_acqknowledge_mat
from mmme.study.importing import import_study
from mmme.study.recordings import aligned, cut_into_trials
from mmme.trials.samples import grid_samples
from mmme.types import Markers, Sample, Stream, Timeline
from mmme.workers import Workers

DESCRIBED = {
    "eeg": eeg_features,
    "ecg": ecg_features,
    "ppg": ppg_features,
    "eda": eda_features,
    "rsp": rsp_features,
    "skt": skt_features,
}
COLUMNS = {name: body_columns(BodySettings(signals=(name,))) for name in USUAL_SIGNALS}

FS, LENGTH_S, APEXES = 250.0, 220.0, (40.0, 105.0, 170.0)
UNITS = {"ecg": "V", "ppg": "V", "eda": "µS", "rsp": "V", "skt": "°C", "eeg": "V"}
PERIPHERAL = ("ecg", "ppg", "eda", "rsp", "skt")
EVERY = (*PERIPHERAL, "eeg")
READERS = {"rsp": read_rsp}
#: About the moments, not about the recording.
OF_MOMENTS = {"scr_overlap"}
#: About two signals.
OF_TWO = {"pulse_transit_s", "pulse_transit_change_s", "rsp_rsa_ms"}


def moments(*apexes):
    return [Sample(f"S01-{a}", "S01", "sad-1", "sad", a, a, a, Interval(0.0, 1e4)) for a in apexes]


def why(table, row=None):
    """Reasons of a row, or of all rows."""
    codes = table.reason if row is None else table.reason[row]
    return {table.reasons[i] for i in np.ravel(codes)}


@pytest.fixture(scope="module")
def streams():
    """One body, all signals."""
    body = draw_body(np.random.default_rng(0), 0.0, LENGTH_S, [])
    t = np.arange(int(LENGTH_S * FS)) / FS
    ecg = ecg_mv(np.random.default_rng(1), body, t)
    values = {
        "ecg": 1e-3 * ecg,
        "ppg": ppg_v(np.random.default_rng(2), body, t),
        "eda": eda_us(np.random.default_rng(3), body, t),
        "rsp": rsp_v(np.random.default_rng(4), body, t),
        "skt": skt_c(np.random.default_rng(5), body, t),
    }
    made = {name: Stream(name, "biopac", t, x, UNITS[name], FS) for name, x in values.items()}
    uv = eeg_uv(np.random.default_rng(6), t, FS, expressions=[], responses=[], blinks=[], ecg=ecg)
    return made | {"eeg": Stream("eeg", "eeg", t, 1e-6 * uv.T.astype(float), "V", FS, (*EEG_NAMES, *BIPOLAR))}


@pytest.fixture(scope="module")
def healthy(streams):
    return {name: DESCRIBED[name](stream, moments(*APEXES)) for name, stream in streams.items()}


def timeline(streams):
    return Timeline("S01", "01", streams, Markers("eeg", np.empty(0), np.empty(0, dtype=np.int64)), {}, {})


def assert_all_reasoned(table):
    """A number or a reason, never neither, never both."""
    assert np.array_equal(np.isnan(table.X), table.reason > 0)


def own(joined, name):
    """Columns of one signal in a joined table, as far as they are measured."""
    return joined.X[:, [joined.columns.index(c) for c in COLUMNS[name] if c not in OF_MOMENTS | OF_TWO]]


def with_fault(streams, name, spoil):
    """All streams, the samples of one changed by ``spoil(x, t)``."""
    stream = streams[name]
    x = np.array(stream.x[:], dtype=float)
    spoil(x, stream.t)
    return streams | {name: replace(stream, x=x)}


@pytest.mark.parametrize("name", EVERY)
def test_a_missing_stream_costs_its_own_columns_only(streams, healthy, name):
    """The columns are there, NaN with "no stream"; every other signal is as it is with all streams."""
    joined = body_features(timeline({k: v for k, v in streams.items() if k != name}), moments(*APEXES))

    assert_all_reasoned(joined)
    assert np.isnan(own(joined, name)).all()
    assert f"no stream '{name}'" in joined.reasons
    for other in set(EVERY) - {name, "rsp"}:  # sinus arrhythmia needs breathing and heart
        np.testing.assert_array_equal(own(joined, other), own(healthy[other], other))


@pytest.mark.parametrize("name", EVERY)
def test_a_flat_channel_has_no_number_and_costs_no_other(streams, healthy, name):
    """A sensor that fell off before the session: one reason for all, the others as before."""

    def flat(x, _):
        x[...] = x[0]

    joined = body_features(timeline(with_fault(streams, name, flat)), moments(*APEXES))
    assert_all_reasoned(joined)
    assert np.isnan(own(joined, name)).all()
    assert any(re.search("flat", text) for text in joined.reasons)
    for other in set(EVERY) - {name, "rsp"}:
        np.testing.assert_array_equal(own(joined, other), own(healthy[other], other))


@pytest.mark.parametrize("name", EVERY)
def test_missing_samples_cost_the_windows_that_touch_them(streams, healthy, name):
    """NaN for 3 s: the window over them says so; windows a minute away keep their numbers within 5 %."""

    def lost(x, t):
        x[(t >= 104.5) & (t < 107.5)] = np.nan

    spoiled = with_fault(streams, name, lost)[name]
    table = DESCRIBED[name](spoiled, moments(*APEXES))
    check_hole(table, healthy[name])


@pytest.mark.parametrize("name", EVERY)
def test_a_gap_in_the_times_is_missing_samples(streams, healthy, name):
    """A recorder that stopped for 3 s: as if the samples were NaN, and nothing is moved or joined."""
    stream = streams[name]
    keep = (stream.t < 104.5) | (stream.t >= 107.5)
    table = DESCRIBED[name](replace(stream, t=stream.t[keep], x=np.asarray(stream.x[:])[keep]), moments(*APEXES))
    check_hole(table, healthy[name])


def check_hole(table, healthy):
    assert_all_reasoned(table)
    touched = why(table, 1) - why(healthy, 1)
    assert any("missing samples" in text for text in touched), touched
    assert np.isnan(table.X[1]).mean() > np.isnan(healthy.X[1]).mean()
    for row in (0, 2):
        np.testing.assert_array_equal(np.isnan(table.X[row]), np.isnan(healthy.X[row]))
        known = np.isfinite(table.X[row])
        np.testing.assert_allclose(table.X[row, known], healthy.X[row, known], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.9, 5.0, 8.0])
@pytest.mark.parametrize("name", EVERY)
def test_a_recording_of_seconds_has_reasons_and_no_crash(streams, name, seconds):
    """Whatever is too short for a filter, a beat or a breath says so."""
    stream = streams[name]
    n = int(seconds * FS)
    table = DESCRIBED[name](replace(stream, t=stream.t[:n], x=np.asarray(stream.x[:])[:n]), moments(seconds / 2, 40.0))

    assert_all_reasoned(table)
    assert np.isnan(own(table, name)[1]).all()
    if seconds < 5.0:
        assert why(table) == {"recording shorter than 5 s"}


@pytest.mark.parametrize("name", EVERY)
def test_another_unit_is_one_error(streams, name):
    """Nothing is converted on a guess: stream, expected and found unit, and the way out."""
    other = {"V": "mV", "µS": "S", "°C": "°F"}[UNITS[name]]
    sentence = re.escape(f"stream '{name}': expected unit {UNITS[name]}, got {other}; convert it where the file is read")
    with pytest.raises(DataError, match=f"^{sentence}$"):
        body_features(timeline(streams | {name: replace(streams[name], unit=other)}), moments(*APEXES))


@pytest.mark.parametrize(
    ("name", "convert", "reason"),
    [
        ("skt", lambda x: x * 1.8 + 32.0, r"are no skin temperature in °C; are they °F\?"),  # Fahrenheit
        ("skt", lambda x: x + 273.15, r"are no skin temperature in °C; are they K\?"),  # kelvin
        ("eda", lambda x: x * 1e-6, r"channel is flat|below 0.05 µS"),  # siemens
        ("eda", lambda x: x * 1e-3, r"below 0.05 µS in the (response )?(window|baseline); electrode off\?"),  # millisiemens
    ],
)
def test_numbers_of_another_unit_under_the_right_name_are_told(streams, name, convert, reason):
    """Fahrenheit called °C, siemens called µS: no number, and the reason names the limit."""

    def spoil(x, _):
        x[...] = convert(x)

    table = DESCRIBED[name](with_fault(streams, name, spoil)[name], moments(*APEXES))
    assert np.isnan(own(table, name)).all()
    texts = {text for text in why(table) if not text.startswith("no response")}
    assert any(re.search(reason, text) for text in texts), texts


@pytest.mark.parametrize("name", ["ecg", "ppg", "rsp"])
def test_millivolts_called_volts_change_no_time(streams, healthy, name):
    """A thousandfold amplitude leaves rates and times as they are; only amplitudes are a thousand times too large."""

    def spoil(x, _):
        x *= 1e3

    table = DESCRIBED[name](with_fault(streams, name, spoil)[name], moments(*APEXES))
    for j, column in enumerate(COLUMNS[name]):
        factor = 1e3 if re.search(r"_v$|_v_per_s$", column) else 1.0
        if np.isfinite(table.X[:, j]).all():
            np.testing.assert_allclose(table.X[:, j], factor * healthy[name].X[:, j], rtol=0.02, atol=0.02, err_msg=column)


def test_a_disconnected_electrode_of_the_eeg_costs_only_itself(streams, healthy):
    """One channel of 64 at zero: its region has a number from the others, near that of all; the origin names it."""

    def unplugged(x, _):
        x[:, EEG_NAMES.index("F5")] = 0.0

    table = DESCRIBED["eeg"](with_fault(streams, "eeg", unplugged)["eeg"], moments(*APEXES))
    np.testing.assert_array_equal(np.isnan(table.X), np.isnan(healthy["eeg"].X))
    known = np.isfinite(table.X)
    assert np.median(np.abs(table.X[known] - healthy["eeg"].X[known])) < 0.1
    assert " F5 " not in f" {table.origin['eeg_reference']} "


def test_times_that_contradict_the_rate_are_one_error(streams):
    """500 Hz in the header, samples every 4 ms: every filter would be wrong, so nothing is computed."""
    for name in EVERY:
        with pytest.raises(DataError, match=f"stream '{name}': expected times at 500 Hz, got steps of 4.000 ms"):
            DESCRIBED[name](replace(streams[name], fs=500.0), moments(*APEXES))


def test_all_signals_faulty_at_once_still_make_a_table(streams):
    """No signal hides the fault of another."""
    spoiled = {name: stream for name, stream in streams.items() if name != "ppg"}
    spoiled = with_fault(spoiled, "ecg", lambda x, _: x.fill(0.0))
    spoiled = with_fault(spoiled, "skt", lambda x, _: np.copyto(x, x * 1.8 + 32.0))
    spoiled = with_fault(spoiled, "eda", lambda x, _: x.fill(np.nan))
    joined = body_features(timeline(spoiled), moments(*APEXES))

    assert_all_reasoned(joined)
    assert np.isfinite(own(joined, "eeg")).any()
    assert np.isfinite(own(joined, "rsp")).any()
    for text in ("no stream 'ppg'", "channel is flat", "more than half of the recording is missing"):
        assert text in joined.reasons


@pytest.mark.parametrize("name", READERS)
def test_a_clipped_signal_is_told_where_it_is_clipped(streams, name):
    """A gain four times too large for 20 s meets the amplifier's limit: the verdict names it there, not a minute before."""

    def clip(x, t):
        part = (t >= 100.0) & (t < 120.0)
        low, high = x[~part].min(), x[~part].max()
        x[part] = x[~part].mean() + 4.0 * (x[part] - x[~part].mean())
        np.clip(x, 1.05 * low - 0.05 * high, 1.05 * high - 0.05 * low, out=x)

    healthy = READERS[name](streams[name]).verdict
    verdict = READERS[name](with_fault(streams, name, clip)[name]).verdict
    index, cause = verdict.index(Windows(np.array([30.0, 102.0]), 15.0))
    usual, _ = healthy.index(Windows(np.array([30.0, 102.0]), 15.0))

    assert index[0] == usual[0]
    assert index[1] < usual[1] - 0.3
    assert "clipped" in cause[1]


@pytest.fixture(scope="module")
def faulty_study(tmp_path_factory):
    """A session whose EDA electrode is off, whose temperature is in Fahrenheit, and whose ECG is lost for half a minute."""
    from scipy.io import loadmat

    folder = tmp_path_factory.mktemp("faulty")
    plan = StudyPlan(
        subjects=1,
        trials=3,
        seed=5,
        video_fps=20.0,
        frame_px=48,
        trial_s=30.0,
        rest_s=3.0,
        eeg_hz=250,
        biopac_hz=250,
        lost_marker=False,
        doubled_marker=False,
        skipped_trial=False,
    )
    simulate_study(folder / "raw", plan)
    (path,) = (folder / "raw").rglob("*.mat")
    data = np.array(loadmat(path)["data"])
    place = {label.split(",")[0]: k for k, label in enumerate(BIOPAC_LABELS)}
    data[:, place["EDA"]] = 0.001
    data[:, place["SKT A"]] = data[:, place["SKT A"]] * 1.8 + 32.0
    middle = data.shape[0] // 2
    data[middle - 15 * 250 : middle + 15 * 250, place["ECG"]] = np.nan
    write_acqknowledge_mat(path, data, 250.0)
    import_study(folder / "raw", folder / "study", key=folder / "key.csv", workers=Workers())
    return folder / "study"


def test_a_study_of_faulty_signals_is_described(faulty_study):
    """From raw files to a table: three signals say what is wrong with them, the other two and the EEG have numbers."""
    study, config = open_study(faulty_study), load_config({"alignment": {"limit_ms": 60.0}})
    (name,) = study.recordings
    session = aligned(study.recording(name), config)
    trials = cut_into_trials(study, name, session)
    rows = grid_samples(getattr(trials, "trials", trials), step_s=2.0)
    table = body_features(session, rows)

    assert_all_reasoned(table)
    assert np.isnan(own(table, "eda")).all()
    assert np.isnan(own(table, "skt")).all()
    assert "window touches missing samples" in table.reasons
    assert any(text.endswith("no skin temperature in °C; are they °F?") for text in table.reasons)
    assert any(re.search("electrode off|channel is flat", text) for text in table.reasons)
    rate = table.X[:, table.columns.index("hr_bpm")]
    assert 0.2 < np.isfinite(rate).mean() < 0.9
    for other in ("ppg", "rsp", "eeg"):
        assert np.isfinite(own(table, other)).any(axis=1).mean() > 0.5, other
