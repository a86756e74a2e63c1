"""EEG of every format: volts, types, triggers, annotations, and one sentence for what is wrong."""

from __future__ import annotations

import datetime as dt
import pickle
import shutil
import struct
from pathlib import Path

import edfio
import h5py
import mne
import numpy as np
import pybv
import pytest
import scipy.io
from eeglabio.raw import export_set

from mmme.errors import DataError
from mmme.io.eeg import RawSamples, channel_types, montage_name, read_eeg
from mmme.io.triggers import from_column, from_texts

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "eeg"
NAMES = ("FP1", "CZ", "M1", "HEO", "EKG")
FS, N = 200.0, 25_000  # more than two blocks
EVENTS = ((0.1, 77), (0.5, 101), (60.0, 100))


def truth() -> np.ndarray:
    """Microvolts (n, channels) that 32-bit floats hold exactly."""
    return np.random.default_rng(0).normal(0, 20, (N, len(NAMES))).astype("<f4").astype(np.float64)


def codes() -> np.ndarray:
    held = np.full(N, 100)
    for t, code in EVENTS:
        held[int(t * FS) :] = code
    return held


def section(name: str, rows: list[str]) -> str:
    return f"{name} START_LIST\t# Do not edit!\n" + "".join(f"{row}\n" for row in rows) + f"{name} END_LIST\n\n"


def listing(name: str) -> str:
    return f"{name} START\n   ListNrRows = 1\n{name} END\n\n"


def curry(path: Path, uv: np.ndarray, names: tuple[str, ...] = NAMES, n_body: int = 2, order: str = "SAMP") -> Path:
    """A Curry 8 (.cdt) or Curry 7 (.dat) recording of EEG and of a group of other channels without positions."""
    uv.astype("<f4").tofile(path)
    n_eeg = len(names) - n_body
    head = (
        "DATA_PARAMETERS START\n   DataGuid             = {0B86B22B-1A49-411A-9657-4A4BDA3D3ED8}\n"
        f"   DataByteOrder        = INTEL\n   DataSampOrder        = {order}\n   AmplifierInfo        = \n   FileVersion          =  800\n"
        f"   DataFormat           =  6\n   NumSamples           =  {len(uv)}\n   NumTrials            =  1\n"
        f"   NumChannels          =  {len(names)}\n   StartYear            =  2023\n   StartMonth           =  7\n"
        "   StartDay             =  21\n   StartHour            =  14\n   StartMin             =  51\n   StartSec             =  27\n"
        f"   StartMillisec        =  500\n   SampleTimeUsec       =  {1e6 / FS:g}\n   SampleFreqHz         =  {FS:g}\n"
        "   TriggerOffsetUsec    =  0\nDATA_PARAMETERS END\n\n"
    )
    for suffix, count in (("", n_eeg), ("_OTHERS", n_body)):
        head += f"DEVICE_PARAMETERS{suffix} START\n   DataUnit             = uV\n   NumChanThisGroup     =  {count}\nDEVICE_PARAMETERS{suffix} END\n\n"
    places = listing("SENSORS") + section("SENSORS", [f" {k} 10 90" for k in range(n_eeg)])
    labels = (
        listing("LABELS")
        + section("LABELS", list(names[:n_eeg]))
        + listing("LABELS_OTHERS")
        + section("LABELS_OTHERS", list(names[n_eeg:]))
    )
    events = listing("NUMBER_LIST") + section(
        "NUMBER_LIST", [f" {int(t * FS)} 0 {code} -1 {int(t * FS)} {int(t * FS)} 0 0 0 0 0" for t, code in EVENTS]
    )
    events += listing("REMARK_LIST") + section("REMARK_LIST", [""] * len(EVENTS))
    if path.suffix == ".cdt":
        path.with_suffix(".cdt.dpa").write_text(head + labels + places + "\n", encoding="utf-8")
        path.with_suffix(".cdt.cef").write_text(events, encoding="utf-8")
    else:
        path.with_suffix(".dap").write_text(head, encoding="utf-8")
        path.with_suffix(".rs3").write_text("\n" + labels + places, encoding="utf-8")
        path.with_suffix(".cef").write_text(events, encoding="utf-8")
    return path


def eeglab(path: Path, uv: np.ndarray, names: tuple[str, ...] = NAMES, events=EVENTS, name: str = "") -> Path:
    """An EEGLAB pair of version 5."""
    uv.astype("<f4").tofile(path.with_suffix(".fdt"))
    places = np.zeros(len(names), dtype=[("labels", object)])
    places["labels"] = names
    event = np.zeros(len(events), dtype=[("type", object), ("latency", float)])
    event["type"], event["latency"] = [str(text) for _, text in events], [t * FS + 1 for t, _ in events]
    content = {
        "setname": "", "nbchan": len(names), "pnts": len(uv), "trials": 1, "srate": FS, "xmin": 0.0, "xmax": (len(uv) - 1) / FS,
        "data": name or path.with_suffix(".fdt").name, "ref": "common", "chanlocs": places, "chaninfo": {"nosedir": "+X"},
        "event": event, "epoch": [], "icawinv": [], "icaweights": [], "icasphere": [],
    }  # fmt: skip
    scipy.io.savemat(path, {"EEG": content}, appendmat=False)
    return path


def text_of(file: h5py.File, text: str) -> h5py.Dataset:
    """A MATLAB 7.3 text."""
    found = file.create_dataset(
        f"#refs#/{len(file.get('#refs#', ()))}", data=np.array([[ord(c)] for c in text], dtype="u2")
    )
    found.attrs["MATLAB_class"] = np.bytes_("char")
    return found


def eeglab_73(path: Path, uv: np.ndarray) -> Path:
    """The same pair with the header as MATLAB 7.3 (HDF5)."""
    uv.astype("<f4").tofile(path.with_suffix(".fdt"))
    with h5py.File(path, "w", userblock_size=512) as file:
        eeg = file.create_group("EEG")
        eeg.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, value in {"nbchan": len(NAMES), "pnts": len(uv), "trials": 1, "srate": FS, "xmin": 0, "xmax": 1}.items():
            eeg.create_dataset(key, data=np.array([[float(value)]])).attrs["MATLAB_class"] = np.bytes_("double")
        for key, value in {"data": path.with_suffix(".fdt").name, "ref": "common", "setname": "a"}.items():
            eeg.create_dataset(key, data=np.array([[ord(c)] for c in value], dtype="u2")).attrs["MATLAB_class"] = np.bytes_(
                "char"
            )
        for group, columns in {
            "chanlocs": {"labels": list(NAMES), "type": [" "] * len(NAMES)},
            "event": {"type": [str(code) for _, code in EVENTS], "latency": [t * FS + 1 for t, _ in EVENTS]},
        }.items():
            made = eeg.create_group(group)
            made.attrs["MATLAB_class"] = np.bytes_("struct")
            for column, values in columns.items():
                refs = []
                for k, value in enumerate(values):
                    if isinstance(value, str):
                        refs.append(text_of(file, value).ref)
                    else:
                        number = file.create_dataset(f"#refs#/{group}{k}", data=np.array([[float(value)]]))
                        number.attrs["MATLAB_class"] = np.bytes_("double")
                        refs.append(number.ref)
                made.create_dataset(column, data=np.array([refs], dtype=h5py.ref_dtype).T)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


def brainvision(path: Path, uv: np.ndarray, fmt: str = "binary_float32") -> Path:
    events = [{"onset": int(t * FS), "duration": 1, "description": code, "type": "Stimulus"} for t, code in EVENTS]
    pybv.write_brainvision(
        data=uv.T * 1e-6, ch_names=list(NAMES), sfreq=FS, fname_base=path.stem, folder_out=path.parent, events=events,
        fmt=fmt, resolution=0.1, unit="µV", meas_date=dt.datetime(2023, 7, 21, 14, 51, 27, tzinfo=dt.UTC),
    )  # fmt: skip
    return path


def european(path: Path, uv: np.ndarray, trigger: tuple[str, str] = ("", "")) -> Path:
    """EDF+ or BDF+ with annotations, and a trigger channel (label, unit)."""
    kind, signal = (edfio.Bdf, edfio.BdfSignal) if path.suffix == ".bdf" else (edfio.Edf, edfio.EdfSignal)
    signals = [
        signal(uv[:, k], FS, label=name, physical_dimension="uV", physical_range=(-200, 200))
        for k, name in enumerate(NAMES)
    ]
    if trigger[0]:
        reach = (-8388608, 8388607) if path.suffix == ".bdf" else (-255, 255)
        signals.append(
            signal(codes().astype(float), FS, label=trigger[0], physical_dimension=trigger[1], physical_range=reach)
        )
    notes = [edfio.EdfAnnotation(t, None, str(code)) for t, code in EVENTS]
    start = {"starttime": dt.time(14, 51, 27), "recording": edfio.Recording(startdate=dt.date(2023, 7, 21))}
    kind(signals, annotations=notes, **start).write(path)
    return path


def neuroscan(path: Path, uv: np.ndarray) -> Path:
    """A Neuroscan .cnt of 32-bit samples from the published layout of its header (SETUP, ELECTLOC, TEEG, EVENT1)."""
    n, k = uv.shape
    head = bytearray(900)
    head[0:10], head[225:233], head[235:243] = b"Version 3.", b"07/21/23", b"14:51:27"
    struct.pack_into("<H", head, 370, k)
    struct.pack_into("<H", head, 376, int(FS))
    struct.pack_into("<i", head, 864, n)
    table = 900 + 75 * k + 4 * n * k
    struct.pack_into("<i", head, 886, table)
    struct.pack_into("<f", head, 890, n / FS)
    places = bytearray(75 * k)
    for c, name in enumerate(NAMES):
        places[75 * c : 75 * c + len(name)] = name.encode()
        struct.pack_into("<ff", places, 75 * c + 19, 10.0 * c, 5.0)
        struct.pack_into("<f", places, 75 * c + 59, 1.0)  # sensitivity
        struct.pack_into("<f", places, 75 * c + 71, 2.048)  # calibration: a count is 0.01 µV
    counts = np.rint(uv * 100).astype("<i4").tobytes()
    rows = b"".join(struct.pack("<HBBi", code, 0, 0, 900 + 75 * k + (int(t * FS) + 1) * k * 4) for t, code in EVENTS)
    path.write_bytes(bytes(head) + bytes(places) + counts + struct.pack("<Bii", 1, len(rows), 0) + rows)
    return path


def fif(path: Path, uv: np.ndarray) -> Path:
    info = mne.create_info([*NAMES, "STI 014"], FS, ["eeg"] * len(NAMES) + ["stim"])
    raw = mne.io.RawArray(np.vstack([uv.T * 1e-6, codes()]), info, first_samp=500, verbose="ERROR")
    raw.set_annotations(mne.Annotations([t for t, _ in EVENTS], 0, [str(code) for _, code in EVENTS]))
    raw.save(path, verbose="ERROR")
    return path


@pytest.mark.parametrize(
    ("name", "write", "exact_uv"),
    [
        ("a.cdt", curry, 1e-9), ("a.dat", curry, 1e-9), ("a.set", eeglab, 1e-9), ("b.set", eeglab_73, 1e-9),
        ("a.vhdr", brainvision, 1e-5), ("a.edf", european, 0.0031), ("a.bdf", european, 2e-5), ("a.cnt", neuroscan, 0.0051),
        ("a_raw.fif", fif, 1e-5),
    ],
)  # fmt: skip
def test_every_format_gives_the_planted_volts_and_triggers(tmp_path: Path, name: str, write, exact_uv: float):
    """Planted microvolts come back as volts to the format's own step, events as texts at their times, with types."""
    uv = truth()
    reading = read_eeg(write(tmp_path / name, uv))
    eeg = next(s for s in reading.streams if s.name == "eeg")
    assert (eeg.unit, eeg.fs, eeg.channels) == ("V", FS, NAMES)
    assert eeg.types == ("EEG", "EEG", "REF", "HEOG", "ECG")
    assert isinstance(eeg.x, RawSamples)
    assert (eeg.x.shape, eeg.x[:3].dtype, eeg.t[1]) == ((N, 5), np.float64, 1 / FS)
    np.testing.assert_allclose(eeg.x[:] * 1e6, uv, atol=exact_uv)
    found = from_texts(reading.text_t_s, reading.texts)
    assert found.codes.tolist() == [code for _, code in EVENTS]
    np.testing.assert_allclose(found.t_s, [t for t, _ in EVENTS], atol=1e-9)
    assert reading.findings == ()
    if name[-4:] in (".cdt", ".dat"):
        assert str(reading.started) == "2023-07-21 14:51:27.500000"
    elif name[-4:] in ("vhdr", ".edf", ".bdf", ".cnt"):
        assert str(reading.started) == "2023-07-21 14:51:27"


@pytest.mark.parametrize(("name", "write"), [("a.cdt", curry), ("a.set", eeglab), ("a.edf", european), ("a.bdf", european)])
def test_samples_are_sliced_like_an_array(tmp_path: Path, name: str, write):
    """Any slice, row or column, also of a pickled copy, equals the same of MNE's whole array."""
    path = write(tmp_path / name, truth())
    x = read_eeg(path).streams[0].x
    whole = mne.io.read_raw(path, preload=True, verbose="ERROR").get_data().T
    x = pickle.loads(pickle.dumps(x))
    for index in (
        np.s_[:], np.s_[9_990:20_010], np.s_[5:24_000:7], np.s_[::-1], np.s_[100:50:-3], np.s_[-1], np.s_[7], np.s_[50:50],
        np.s_[3:9, [2, 0]], np.s_[:, 1], np.s_[4, 1:3], np.s_[[5, 3, 12_000]], np.s_[3:9, ::-1],
    ):  # fmt: skip
        np.testing.assert_array_equal(x[index], whole[index])
    with pytest.raises(IndexError):
        x[N]


def test_stimulus_channels_leave_the_eeg(tmp_path: Path):
    """A trigger column is its own lazy stream: whole numbers in EDF and BDF, V where the file says µV, STI 014 in FIF."""
    for name, trigger, low_byte in (
        ("a.edf", ("Trigger", ""), False), ("b.edf", ("TRIG", "uV"), True), ("a.bdf", ("Status", "Boolean"), False),
    ):  # fmt: skip
        reading = read_eeg(european(tmp_path / name, truth(), trigger))
        assert [(s.name, s.x.shape) for s in reading.streams] == [("eeg", (N, 5)), ("trigger", (N,))]
        assert reading.streams[1].unit == ("V" if low_byte else "")
        if low_byte:
            continue  # 16 bits over 510 µV cannot hold whole microvolts
        found = from_column(reading.streams[1])
        assert (found.initial, found.codes.tolist(), found.t_s.tolist()) == (100, [77, 101, 100], [0.1, 0.5, 60.0])
    found = from_column(read_eeg(fif(tmp_path / "c_raw.fif", truth())).streams[1])
    assert found.codes.tolist() == [77, 101, 100]
    names = (*NAMES, "Trigger")
    uv = np.column_stack([truth(), codes() + 0xFF00])
    for path in (curry(tmp_path / "c.cdt", uv, names, 3), eeglab(tmp_path / "c.set", uv, names)):
        column = read_eeg(path).streams[1]
        assert (column.name, column.channels, column.unit) == ("trigger", ("Trigger",), "V")
        assert column.x[0] == pytest.approx(0.06538)
        assert from_column(column, low_byte=True).codes.tolist() == [77, 101, 100]


def test_one_stimulus_channel_is_taken(tmp_path: Path):
    """Beside a summed trigger channel, single lines are left out and named."""
    uv = np.column_stack([truth()[:, :2], np.zeros((N, 2)), codes()])
    reading = read_eeg(eeglab(tmp_path / "a.set", uv, ("FP1", "CZ", "DIN1", "DIN2", "Trigger")))
    assert reading.streams[1].channels == ("Trigger",)
    assert reading.findings == ("stimulus channels left out beside Trigger: DIN1, DIN2",)


def test_names_tell_types():
    """Neuroscan's, Brain Products', clinical and bipolar names in any spelling; CB1 is EEG though in no montage."""
    expected = {
        "FP1": "EEG", "fpz": "EEG", "EEG Fp1-REF": "EEG", "EEG F3-A2": "EEG", "Fc5.": "EEG", "EEG Fpz-Cz": "EEG", "T3": "EEG", "AFF5h": "EEG",
        "CB1": "EEG", "E12": "EEG", "EEG 001": "EEG", "M1": "REF", "A2": "REF", "TP9": "REF", "HEO": "HEOG", "HEOG": "HEOG",
        "HEOL": "HEOG", "HEOR": "HEOG", "VEO": "VEOG", "VEOL": "VEOG", "VEOU": "VEOG", "EOG1": "EOG", "EKG": "ECG", "ECG II": "ECG",
        "EMG": "EMG", "EMG-L": "EMG", "GSR1": "MISC", "EDA": "MISC", "Resp": "MISC", "Temp": "MISC", "Plet": "MISC", "EXG1": "MISC",
    }  # fmt: skip
    typed, findings = channel_types(list(expected))
    assert typed == expected
    assert findings == ["EEG channels without a place in the 10-5 system: EEG Fpz-Cz, CB1, E12, EEG 001"]
    typed, findings = channel_types(["Loudness", "Cz", "Eye"], {"Eye": "eog"})
    assert (typed, findings) == (
        {"Loudness": "MISC", "Cz": "EEG", "Eye": "EOG"},
        ["channels of unknown kind, kept as MISC: Loudness"],
    )
    typed, findings = channel_types(["A1", "A2", "A3", "A4", "C3", "EXG1"])
    assert list(typed.values()) == ["EEG"] * 5 + ["MISC"]
    assert findings[0].startswith("5 channels are named A1, A2, ... in the manner of BioSemi")


def test_montage_names_are_those_of_mne():
    """Every name of MNE's standard_1005 in capitals, small letters or with a reference finds its own electrode."""
    for name in mne.channels.make_standard_montage("standard_1005").ch_names:
        for written in (name, name.upper(), name.lower(), f"EEG {name}-REF", f"{name}.."):
            assert montage_name(written) == name
    for name in ("CB1", "HEO", "EKG", "Trigger", "F3-F4", "", "Fp1 bad"):
        assert montage_name(name) is None


def test_odd_annotations_are_told(tmp_path: Path):
    """A cut, an event outside the data and stretches marked as bad are findings; texts stay as they are."""
    events = ((0.1, "101"), (20.0, "boundary"), (30.0, "BAD_move"), (N / FS + 5, "102"))
    reading = read_eeg(eeglab(tmp_path / "a.set", truth(), events=events))
    assert reading.texts == ("101", "boundary", "BAD_move")
    assert reading.findings == (
        "1 annotations lie outside the data and are left out",
        "1 cuts or pauses in the recording, the first at 20.000 s; times count on over them",
        "1 stretches are marked as bad in the file",
    )


def test_a_channel_in_volts_is_told_and_left_alone(tmp_path: Path):
    """A bipolar channel that holds volts in a file of microvolts varies a million times too little."""
    uv = truth()
    uv[:, 4] *= 1e-6
    reading = read_eeg(eeglab(tmp_path / "a.set", uv))
    assert len(reading.findings) == 1
    assert reading.findings[0].startswith("channel EKG varies by")
    np.testing.assert_allclose(reading.streams[0].x[:, 4], uv[:, 4].astype("<f4") * 1e-6, rtol=1e-6)


def test_channels_at_other_rates_are_streams_of_their_own(tmp_path: Path):
    """What an EDF holds at a lower rate is not interpolated; units are the file's."""
    rng = np.random.default_rng(0)
    fast = [
        edfio.EdfSignal(rng.normal(0, 20, 2000), 200, label=n, physical_dimension="uV", physical_range=(-200, 200))
        for n in ("C3", "C4")
    ]
    slow = rng.normal(0, 1, 200)
    edfio.Edf([*fast, edfio.EdfSignal(slow, 20, label="Resp", physical_dimension="mV", physical_range=(-9, 9))]).write(
        tmp_path / "a.edf"
    )
    reading = read_eeg(tmp_path / "a.edf")
    assert [(s.name, s.x.shape, s.fs, s.unit) for s in reading.streams] == [
        ("eeg", (2000, 2), 200.0, "V"),
        ("Resp", (200,), 20.0, "V"),
    ]
    np.testing.assert_allclose(reading.streams[1].x[:], slow * 1e-3, atol=2e-7)
    assert reading.started is None


def test_a_file_without_eeg_gives_its_signals_one_by_one(tmp_path: Path):
    """Body signals in an EEG format become streams under their labels, for the recogniser of signals."""
    x = np.random.default_rng(0).normal(0, 1, 2000)
    signals = [
        edfio.EdfSignal(x, 200, label=n, physical_dimension=u, physical_range=(-9, 9))
        for n, u in (("ECG100C", "mV"), ("EDA", "uS"))
    ]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    reading = read_eeg(tmp_path / "a.edf")
    assert [(s.name, s.x.shape) for s in reading.streams] == [("ECG100C", (2000,)), ("EDA", (2000,))]
    np.testing.assert_allclose(reading.streams[0].x[5:9], x[5:9] * 1e-3, atol=2e-7)


def test_samples_inside_a_set_are_told(tmp_path: Path):
    """A .set that holds its samples itself is read, and it is said that they are in memory."""
    uv = truth()
    export_set(str(tmp_path / "a.set"), uv.T * 1e-6, FS, list(NAMES))
    reading = read_eeg(tmp_path / "a.set")
    np.testing.assert_allclose(reading.streams[0].x[100:200] * 1e6, uv[100:200], atol=1e-4)
    assert reading.findings == (
        "its samples are inside the .set and fill 1 MB of memory; with a .fdt they would stay on disk",
    )


def test_a_renamed_pair_is_told_without_its_name(tmp_path: Path, capfd):
    """A .set that names another .fdt is read with the one beside it; the name, which may be a person's, is nowhere printed."""
    reading = read_eeg(eeglab(tmp_path / "a.set", truth(), name="someone.fdt"))
    assert reading.findings == ("the .set names another .fdt than the one beside it, which was read",)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "write", "partner", "message"),
    [
        ("a.cdt", curry, ".cdt.dpa", r"continuous recording \(Curry\), .*; are its .cdt.dpa \(or .cdt.dpo\) beside it, and"),
        ("a.dat", curry, ".dap", r"continuous recording \(Curry 7\), .*; are its .dap and .rs3 beside it, and"),
        ("a.set", eeglab, ".fdt", r"continuous recording \(EEGLAB\), .*; is its .fdt beside it\?"),
        ("a.vhdr", brainvision, ".eeg", r"continuous recording \(BrainVision\), .*; are its .eeg and .vmrk beside it"),
        ("a.vhdr", brainvision, ".vmrk", r"continuous recording \(BrainVision\), .*; are its .eeg and .vmrk beside it"),
    ],
)  # fmt: skip
def test_a_missing_partner_is_named(tmp_path: Path, name: str, write, partner: str, message: str):
    """Each format says which file should lie beside it, without the folder."""
    folder = tmp_path / "someone20230721"
    folder.mkdir()
    path = write(folder / name, truth())
    path.with_suffix(partner).unlink()
    with pytest.raises(DataError, match=message) as caught:
        read_eeg(path)
    assert "someone" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "write", "suffix", "keep", "message"),
    [
        ("a.cdt", curry, ".cdt", 0.5, "a.cdt: expected 500000 bytes of samples by its header, got 250000; is it cut short"),
        ("a.cdt", curry, ".cdt", 2, r"a.cdt: expected 500000 bytes of samples \(25000 x 5\), got 1000000"),
        ("a.set", eeglab, ".fdt", 0.5, r"a.set: expected 500000 bytes of samples \(25000 x 5\), got 250000; is its file"),
        ("a.vhdr", brainvision, ".eeg", 0.499999, r"a.vhdr: expected \d+ bytes of samples \(12\d+ x 5\), got 249999"),
        ("a.edf", european, ".edf", 0.5, "a.edf: expected 125 s by its header, got 62 s; is it cut short"),
        ("a.bdf", european, ".bdf", 0.5, "a.bdf: expected 125 s by its header, got 62 s; is it cut short"),
        ("a.cnt", neuroscan, ".cnt", 0.5, r"a.cnt: expected a continuous recording \(Neuroscan\), got .*; is it cut short"),
        ("a_raw.fif", fif, ".fif", 0.5, r"a_raw.fif: expected a continuous recording \(FIF\), got .*; is it cut short"),
        ("a.set", eeglab, ".set", 0.5, r"a.set: expected a continuous recording \(EEGLAB\), got one that MNE cannot read"),
        ("a.edf", european, ".edf", 0.0001, r"a.edf: expected a continuous recording \(EDF\), got one that MNE cannot read"),
    ],
)  # fmt: skip
def test_a_file_cut_short_is_refused(tmp_path: Path, name: str, write, suffix: str, keep: float, message: str):
    """Half a file, or one that belongs to another header, is one sentence."""
    path = write(tmp_path / name, truth())
    data = path.with_suffix(suffix)
    content = data.read_bytes()
    data.write_bytes((content * 2)[: int(keep * len(content))])
    with pytest.raises(DataError, match=message):
        read_eeg(path)


def test_gaps_text_and_foreign_files_are_refused(tmp_path: Path):
    """EDF+D, samples in Curry's text form, samples ordered by channel, unknown endings and no file: one sentence each."""
    path = european(tmp_path / "a.edf", truth())
    content = bytearray(path.read_bytes())
    content[192:197] = b"EDF+D"
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"a.edf: expected a continuous recording, got EDF\+D with gaps; export it as EDF\+C"
    ):
        read_eeg(path)
    path = curry(tmp_path / "b.cdt", truth())
    head = path.with_suffix(".cdt.dpa")
    head.write_text(head.read_text().replace("DataFormat           =  6", "DataFormat           = ASCII"))
    np.savetxt(path, truth()[:, :])
    with pytest.raises(DataError, match="b.cdt: expected binary samples, got text; save it as raw float in Curry"):
        read_eeg(path)
    with pytest.raises(DataError, match=r"c.cdt: expected 100 bytes of samples \(5 x 5\), got 500000"):
        read_eeg(curry(tmp_path / "c.cdt", truth(), order="CHAN"))
    path = curry(tmp_path / "d.cdt", truth())
    head = path.with_suffix(".cdt.dpa")
    head.write_text(head.read_text().split("SENSORS START")[0])
    with pytest.raises(DataError, match=r"d.cdt: .* MNE cannot read \(AssertionError.*and all EEG channels placed in it\?"):
        read_eeg(path)
    with pytest.raises(DataError, match=r"\*.abc: expected an EEG file \(.cdt, .dat, .set,.*\), got another ending"):
        read_eeg(tmp_path / "a.abc")
    with pytest.raises(DataError, match=r"b.set: expected a recording \(EEGLAB\), got no file"):
        read_eeg(tmp_path / "b.set")


def test_an_open_recording_takes_its_length_from_the_file(tmp_path: Path):
    """An EDF that was never closed (-1 records) is read and told."""
    path = european(tmp_path / "a.edf", truth())
    content = bytearray(path.read_bytes())
    content[236:244] = b"-1".ljust(8)
    path.write_bytes(content)
    assert read_eeg(path).findings == ("the recording was not closed; its length of 125 s is that of the file",)


def test_curry_does_not_load_the_samples_to_count_them(tmp_path: Path, monkeypatch):
    """Opening a Curry file must not read its samples into memory, and must leave curryreader as it was."""
    import curryreader

    path = curry(tmp_path / "a.cdt", truth())
    plain = np.fromfile

    def watched(file, *args, **more):
        assert not isinstance(file, str), "curryreader loads the samples"
        return plain(file, *args, **more)

    monkeypatch.setattr(np, "fromfile", watched)
    assert read_eeg(path).streams[0].x[3].shape == (5,)
    assert curryreader.np is np


@pytest.mark.skipif(not REAL.is_dir(), reason="the public EEG samples are not beside the project")
def test_the_public_samples_are_read_as_mne_reads_them(tmp_path: Path):
    """EEGLAB's sample (32 channels, 128 Hz) and a Curry 8 file with events equal MNE's own reading of the whole file."""
    reading = read_eeg(REAL / "eeglab_data.set")
    eeg = reading.streams[0]
    whole = mne.io.read_raw_eeglab(REAL / "eeglab_data.set", preload=True, verbose="ERROR").get_data()
    assert (eeg.x.shape, eeg.fs, eeg.types.count("EEG"), eeg.types.count("EOG")) == ((30504, 32), 128.0, 30, 2)
    np.testing.assert_array_equal(eeg.x[1000:2000], whole[:, 1000:2000].T)
    name = "test_bdf_stim_channel Curry 8.cdt"
    for ending in ("", ".cef", ".dpa"):
        shutil.copyfile(REAL / (name + ending), tmp_path / ("a.cdt" + ending))
    reading = read_eeg(tmp_path / "a.cdt")
    assert reading.streams[0].channels == ("C3", "C4", "Cz")
    floats = np.fromfile(REAL / name, "<f4").reshape(5000, 3)
    np.testing.assert_allclose(reading.streams[0].x[:], floats * 1e-6, rtol=1e-7)
    assert reading.texts[:4] == ("4", "50000", "2", "50000")
    np.testing.assert_allclose(reading.text_t_s[:4], np.array([242, 243, 310, 311]) / 500)
