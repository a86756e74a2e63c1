"""EEGLAB recordings, read lazily."""

from __future__ import annotations

import pickle
from pathlib import Path

import mne
import numpy as np
import pytest
import scipy.io

from mmme.errors import DataError
from mmme.io.eeglab import read_eeglab

NAMES = ("FP1", "M1", "HEO", "VEO", "EKG", "EMG")
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "eeg" / "eeglab_data.set"


def pair(path: Path, uv: np.ndarray, fs: float, events: list[tuple[float, str]]) -> Path:
    """Write a .set and .fdt pair from microvolts (n, channels)."""
    uv.astype("<f4").tofile(path.with_suffix(".fdt"))
    places = np.zeros(len(NAMES), dtype=[("labels", object)])
    places["labels"] = NAMES
    event = np.zeros(len(events), dtype=[("type", object), ("latency", float)])
    event["type"], event["latency"] = [text for _, text in events], [t * fs + 1 for t, _ in events]
    content = {
        "setname": "", "nbchan": len(NAMES), "pnts": len(uv), "trials": 1, "srate": fs, "xmin": 0.0, "xmax": (len(uv) - 1) / fs,
        "data": path.with_suffix(".fdt").name, "ref": "common", "chanlocs": places, "chaninfo": {"nosedir": "+X"},
        "event": event, "epoch": [], "icawinv": [], "icaweights": [], "icasphere": [],
    }  # fmt: skip
    scipy.io.savemat(path, {"EEG": content}, appendmat=False)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Two seconds at 100 Hz with four trigger values and one other annotation."""
    uv = np.random.default_rng(0).normal(0, 10, (200, len(NAMES))).astype("<f4").astype(np.float64)
    events = [(0.1, "77"), (0.5, "101"), (1.0, "100"), (1.2, "boundary"), (1.5, "256")]
    return pair(tmp_path / "a.set", uv, 100.0, events), uv


def test_samples_are_volts_and_events_are_codes(recording):
    """Microvolts become volts; annotations of digits up to 255 are trigger values, others are told."""
    path, uv = recording
    eeg = read_eeglab(path)
    assert (eeg.x.shape, eeg.fs, eeg.channels) == ((200, 6), 100.0, NAMES)
    assert eeg.types == ("EEG", "REF", "HEOG", "VEOG", "ECG", "EMG")
    np.testing.assert_allclose(eeg.x[:], uv * 1e-6, rtol=1e-12)
    np.testing.assert_allclose(eeg.x[10:50:7, [0, 2]], uv[10:50:7, [0, 2]] * 1e-6, rtol=1e-12)
    np.testing.assert_allclose(eeg.x[-1], uv[-1] * 1e-6, rtol=1e-12)
    assert eeg.x[50:50].shape == (0, 6)
    np.testing.assert_allclose(eeg.t, [0.1, 0.5, 1.0], atol=1e-9)
    assert eeg.codes.tolist() == [77, 101, 100]
    assert eeg.findings == ("annotation '256' is no trigger value", "annotation 'boundary' is no trigger value")
    np.testing.assert_allclose(pickle.loads(pickle.dumps(eeg.x))[3], eeg.x[3])


def test_a_channel_in_volts_is_told_and_left_alone(tmp_path: Path):
    """A bipolar channel that holds volts in a file of microvolts varies a million times too little."""
    uv = np.random.default_rng(0).normal(0, 10, (200, len(NAMES)))
    uv[:, 4] *= 1e-6
    eeg = read_eeglab(pair(tmp_path / "a.set", uv, 100.0, [(0.1, "77")]))
    assert len(eeg.findings) == 1
    assert eeg.findings[0].startswith("channel EKG varies by")
    np.testing.assert_allclose(eeg.x[:, 4], uv[:, 4].astype("<f4") * 1e-6, rtol=1e-6)


def test_missing_and_foreign_files_are_refused(recording, tmp_path: Path):
    """No .set, no .fdt, no EEGLAB: each has one sentence without the folder."""
    path, _ = recording
    with pytest.raises(DataError, match="b.set: expected an EEGLAB .set file, got no file"):
        read_eeglab(tmp_path / "b.set")
    path.with_suffix(".fdt").unlink()
    with pytest.raises(
        DataError, match=r"a.set: expected a continuous EEGLAB recording, .*; is its .fdt beside it\?"
    ) as caught:
        read_eeglab(path)
    assert str(tmp_path) not in str(caught.value)
    (tmp_path / "c.set").write_text("nothing", encoding="utf-8")
    with pytest.raises(DataError, match="c.set: expected a continuous EEGLAB recording, got one that MNE cannot read"):
        read_eeglab(tmp_path / "c.set")


@pytest.mark.skipif(not REAL.is_file(), reason="the public EEGLAB sample is not beside the project")
def test_the_sample_recording_of_eeglab_is_read_as_mne_reads_it():
    """The public sample: 32 channels, 128 Hz, equal to MNE's own reading of the whole file."""
    eeg = read_eeglab(REAL)
    whole = mne.io.read_raw_eeglab(REAL, preload=True, verbose="ERROR").get_data()
    assert eeg.x.shape == (30504, 32)
    np.testing.assert_array_equal(eeg.x[1000:2000], whole[:, 1000:2000].T)
