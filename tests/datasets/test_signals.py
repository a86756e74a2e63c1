"""Labels and units of recorders become named streams in stored units."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmme.datasets.signals import LEFT_OUT, SIGNALS, STORED, ScaledSamples, recognise, signal_of
from mmme.errors import ConfigError, DataError
from mmme.types import Reading, Stream

DOCS = Path(__file__).resolve().parents[2] / "docs" / "signals.md"
T = np.arange(4) / 10


def reading(*columns: tuple[str, str, float]) -> Reading:
    streams = tuple(Stream(label, "file", T, np.full(4, value), unit, 10.0) for label, unit, value in columns)
    return Reading(streams, np.empty(0), ())


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("ecg", "ECG, X, RSPEC-R|ECG100C|ECG - ECG100C|EKG - ERS100C|MLII|V5|I|aVR|ECGBIT0|Polar H10 ECG|Shimmer_5E1B_ECG_LL-RA_24BIT_CAL"),
        ("ppg", "PPG, X, PPGED-R|PULSE - PPG100C|Pulse|PLETH|Plet|BVP|EmpaticaBVP|Shimmer_5E1B_PPG_A13_CAL|PPG Green"),
        ("rsp", "RSP, X, RSPEC-R|RESP - RSP100C|RESP|Respiration|RESPBIT2|Respiratory belt"),
        ("eda", "EDA, X, PPGED-R|EDA - GSR100C|GSR|foot GSR|empatica_gsr|EDABITREV1|Shimmer_5E1B_GSR_Skin_Conductance_CAL|Skin conductance"),
        ("skt", "SKT A, X, SKT2-R|SKT - SKT100C|TEMP|Temperature|Skin Temperature|Temp C|Finger temp"),
        ("emg", "EMG A, X, EMG2-R|EMG|Emg Zygo|EMG_CH1_24BIT_CAL|corrugator"),
        ("emg_b", "EMG B, X, EMG2-R|EMG - B"), ("skt_b", "SKT B, X, SKT2-R"), ("", "Loudness|Response|CH1|C1 - Expression|marker|PulseOx|"),
    ],
)  # fmt: skip
def test_labels_of_recorders(name: str, labels: str):
    """Labels of BIOPAC, OpenSignals, Shimmer, Polar, Empatica, LSL and WFDB mean one signal; unknown ones mean none."""
    assert {label: signal_of(label) for label in labels.split("|")} == dict.fromkeys(labels.split("|"), (name, ""))


@pytest.mark.parametrize(
    ("reason", "labels"),
    [
        ("calculated", "ECG rate (.5 - 35 Hz)|EDA filtered, differentiated|Rate|R-wave|Calc 1|Pulse rate|HR|IBI|Tonic EDA|PPG_to_HR|Polar H10 RR"),
        ("pressure", "ABP|ART"), ("oxygen saturation", "SpO2"), ("resistance, not conductance", "Shimmer_5E1B_GSR_Skin_Resistance_CAL"),
        ("temperature or pressure of the device, not of the skin", "Shimmer_5E1B_Temperature_BMP280_CAL"),
        ("no signal that is used", "ACC|Shimmer_5E1B_Accel_LN_X_CAL"),
    ],
)  # fmt: skip
def test_known_labels_that_are_left_out(reason: str, labels: str):
    """What a recorder calculated and what is no signal of ours is left out, with the reason."""
    for label in labels.split("|"):
        assert signal_of(label) == ("", reason), label


def test_the_documented_table_is_the_table():
    """docs/signals.md shows every pattern of the code, and its examples mean what it says."""
    rows = [
        [cell.strip() for cell in row.strip("|").split(" | ")]
        for row in DOCS.read_text(encoding="utf-8").splitlines()
        if row.startswith("| `")
    ]
    shown = {row[0].strip("`"): row for row in rows}
    for name, patterns in SIGNALS.items():
        assert shown[name][1] == STORED[name]
        assert [p.replace("\\|", "|") for p in re.findall(r"`([^`]+)`", shown[name][3])] == list(patterns)
        for label in shown[name][2].split("; "):
            assert signal_of(label)[0] == name
    left_out = [
        [p.replace("\\|", "|") for p in re.findall(r"`([^`]+)`", row[0])]
        for row in rows
        if row[0].strip("`") not in SIGNALS
    ]
    assert [pattern for row in left_out for pattern in row] == list(LEFT_OUT)


@pytest.mark.parametrize(
    ("label", "unit", "value", "stored", "expected"),
    [
        ("ECG", "mV", 2.0, "V", 2e-3), ("ECG", "Volts", 2.0, "V", 2.0), ("EMG", "µV", 5.0, "V", 5e-6), ("EMG", "uV", 5.0, "V", 5e-6),
        ("EDA", "microsiemens", 3.0, "µS", 3.0), ("EDA", "umho", 3.0, "µS", 3.0), ("GSR", "S", 3e-6, "µS", 3.0), ("GSR", "nS", 3000.0, "µS", 3.0),
        ("EDA", "delta microsiemens", 3.0, "µS", 3.0), ("SKT", "deg C", 31.0, "°C", 31.0), ("SKT", "degF", 95.0, "°C", 35.0),
        ("SKT", "K", 308.15, "°C", 35.0), ("RSP", "Volts", 0.5, "V", 0.5), ("RSP", "", 0.5, "a.u.", 0.5), ("PPG", "NU", 0.5, "a.u.", 0.5),
    ],
)  # fmt: skip
def test_units_are_converted(label: str, unit: str, value: float, stored: str, expected: float):
    """V, µS and °C are stored: 95 °F and 308.15 K are 35 °C; respiration and pulse may stay arbitrary, which is told."""
    streams, findings = recognise(reading((label, unit, value)), device="biopac")
    assert (streams[0].unit, streams[0].device) == (stored, "biopac")
    np.testing.assert_allclose(streams[0].x[:], np.full(4, expected), rtol=1e-12)
    arbitrary = (f"'{label}' has no unit that means V; {streams[0].name} is kept in arbitrary units",)
    assert findings == (arbitrary if stored == "a.u." else ())


def test_units_that_do_not_fit_are_all_named():
    """An unknown unit, one of another dimension and a missing one: all at once, with the way out."""
    with pytest.raises(DataError, match="biopac: 3 faults") as caught:
        recognise(
            reading(("ECG", "furlong", 1.0), ("SKT", "mV", 1.0), ("EDA", "", 1.0), ("EMG", "mV", 1.0)), device="biopac"
        )
    said = str(caught.value)
    assert (
        '\'ECG\': expected a unit that means V, got \'furlong\'; state it under [devices.biopac.signals] like "ECG" = ["ecg", "V"]'
        in said
    )
    assert "'SKT': expected a unit that means °C, got 'mV'" in said
    assert "'EDA': expected a unit that means µS, got none" in said


def test_second_sensors_get_letters():
    """Sensors of one kind are lettered in the order of the file, unless labels have letters; which is which is told."""
    streams, findings = recognise(reading(("MLII", "mV", 1.0), ("V5", "mV", 2.0), ("V1", "mV", 3.0)), device="holter")
    assert [(s.name, float(s.x[0])) for s in streams] == [("ecg", 0.001), ("ecg_b", 0.002), ("ecg_c", 0.003)]
    assert findings == ("3 channels of one kind: 'MLII' is ecg, 'V5' is ecg_b, 'V1' is ecg_c",)
    streams, _ = recognise(reading(("EMG B", "mV", 1.0), ("EMG A", "mV", 2.0), ("EMG", "mV", 3.0)), device="biopac")
    assert [s.name for s in streams] == ["emg_b", "emg", "emg_c"]
    assert recognise(reading(("SKT B", "C", 1.0)), device="biopac")[0][0].name == "skt_b"


def test_what_is_left_out_is_told():
    """A calculated channel has its note; unknown labels are listed with the way to state them."""
    streams, findings = recognise(
        reading(("ECG", "V", 1.0), ("ECG rate (.5 - 35 Hz)", "BPM", 1.0), ("X1", "V", 1.0), ("Mic", "V", 1.0)),
        device="biopac",
    )
    assert [s.name for s in streams] == ["ecg"]
    assert findings == (
        "'ECG rate (.5 - 35 Hz)' is left out: calculated",
        'left out, as the labels are not known: \'X1\', \'Mic\'; to use one, state it under [devices.biopac.signals] like "label" = ["ecg", "mV"]',
    )


def test_what_a_laboratory_states_wins():
    """Stated labels or patterns decide name and unit; an empty stream leaves out; a rule that fits nothing is told."""
    file = reading(("CH1", "", 2.0), ("CH2 (left)", "V", 3.0), ("ECG", "V", 1.0), ("Mark", "V", 5.0), ("ECG II", "V", 1.0))
    stated = {
        "CH1": ("ecg", "mV"),
        r"CH\d.*": ("eda", "uS"),
        "ECG": ("", ""),
        "mark": ("trigger", ""),
        "none": ("skt", "C"),
    }
    streams, findings = recognise(file, device="box", mapping=stated)
    assert [(s.name, s.unit, float(s.x[0])) for s in streams] == [
        ("ecg", "V", 0.002), ("eda", "µS", 3.0), ("trigger", "V", 5.0), ("ecg_b", "V", 1.0),
    ]  # fmt: skip
    assert findings[:2] == ("'ECG' is left out: as stated", "no label fits 'none' of the stated signals")
    labels = recognise(
        reading(("a (b", "mV", 1.0), ("c (x)", "mV", 1.0)), device="b", mapping={"a (b": ("ecg", ""), "c (x)": ("emg", "")}
    )[0]
    assert [s.name for s in labels] == ["ecg", "emg"]


def test_faults_of_what_is_stated():
    """An unknown stream and two channels for one stream are refused."""
    with pytest.raises(ConfigError, match="signals 'CH1': no signal 'ecgg'; did you mean 'ecg'"):
        recognise(reading(("CH1", "V", 1.0)), device="box", mapping={"CH1": ("ecgg", "V")})
    with pytest.raises(DataError, match="box: 'CH2': expected one channel stated to be ecg, got a second"):
        recognise(reading(("CH1", "V", 1.0), ("CH2", "V", 1.0)), device="box", mapping={r"CH\d": ("ecg", "V")})


def test_eeg_and_carriers_pass_untouched():
    """EEG and what carried trigger values keep their samples, units and names; only the device is set."""
    eeg = Stream("eeg", "", T, np.zeros((4, 2)), "V", 10.0, ("Cz", "EKG"), ("EEG", "ECG"))
    lines = Stream("lines", "", T, np.zeros((4, 8)), "V", 10.0)
    streams, findings = recognise(Reading((eeg, lines), np.empty(0), ()), device="amp")
    assert (streams[0].x is eeg.x, streams[1].x is lines.x, findings) == (True, True, ())
    assert [s.device for s in streams] == ["amp", "amp"]
    assert streams[0].types == ("EEG", "ECG")


def test_columns_of_one_stream_are_told_apart():
    """A stream of several channels is one signal per channel, seen through its column and not copied."""
    x = np.arange(8.0).reshape(4, 2)
    file = Reading((Stream("Shimmer", "", T, x, "mV", 10.0, ("ECG_LL-RA", "ECG_LA-RA")),), np.empty(0), ())
    streams, _ = recognise(file, device="shimmer")
    assert [(s.name, s.x[1:3].tolist()) for s in streams] == [("ecg", [0.002, 0.004]), ("ecg_b", [0.003, 0.005])]


@given(st.floats(-1e3, 1e3), st.floats(-300, 300), st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_scaled_samples_are_the_scaled_array(factor: float, constant: float, values: list[float]):
    """Slices, rows and the whole of scaled samples equal the same of the scaled array, and the samples stay as they were."""
    x = np.array(values)
    scaled, whole = ScaledSamples(x, factor, constant), factor * x + constant
    np.testing.assert_array_equal(np.asarray(scaled), whole)
    np.testing.assert_array_equal(scaled[1:5:2], whole[1:5:2])
    np.testing.assert_array_equal(scaled[[0]], whole[[0]])
    assert (scaled[-1], scaled.shape, len(scaled), x.tolist()) == (whole[-1], whole.shape, len(values), values)
