"""Raw sessions of the MMME layout, as small as can be, with everything about them known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import openpyxl
import pytest
import scipy.io

EEG_NAMES = ("FP1", "CZ", "M1", "HEO", "VEO", "EKG", "EMG")
HEADER = (
    "Subject", "Filename", "Marker", "OnsetTime", "ApexTime", "OffsetTime", "OnsetFrame", "ApexFrame", "OffsetFrame",
    "Action Units", "Estimated Emotion", "Date", "dif",
)  # fmt: skip
TRIALS = {101: "sad_1", 103: "happy_2"}
FPS = 100.0


@dataclass
class Truth:
    """What a raw session holds."""

    name: str
    date: str
    eeg_uv: np.ndarray
    ecg_mv: np.ndarray
    skt_f: np.ndarray
    stamps: list[str] = field(default_factory=list)  # hh-mm-ss-mmm-code
    markers: list[int] = field(default_factory=list)
    taken_s: list[float] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)

    def frames_of(self, marker: int) -> list[int]:
        return [k for k, value in enumerate(self.markers) if value == marker]

    def row(
        self, marker: int, frames: tuple[int, int, int], *, code: bool = True, kind: str | None = None
    ) -> dict[str, object]:
        of_trial = self.frames_of(marker)
        emotion = TRIALS[marker].split("_")[0]
        stamps = [self.stamps[of_trial[k]] for k in frames]
        return {
            "Subject": self.name,
            "Filename": f"{TRIALS[marker]}_{marker}_{self.name}_{self.date}.avi",
            "Marker": marker,
            **{f"{w}Time": round(k / FPS, 2) for w, k in zip(("Onset", "Apex", "Offset"), frames, strict=True)},
            **{
                f"{w}Frame": s if code else s.rsplit("-", 1)[0]
                for w, s in zip(("Onset", "Apex", "Offset"), stamps, strict=True)
            },
            "Action Units": "AU4, AU7",
            "Estimated Emotion": emotion,
            "Date": "2024年06月30日-14时31分",
            "dif": -1,
            **({"Macro/Micro": kind} if kind else {}),
        }


def write_set(path: Path, uv: np.ndarray, fs: float, events: list[tuple[float, str]]) -> None:
    """An EEGLAB pair from microvolts (n, channels)."""
    uv.astype("<f4").tofile(path.with_suffix(".fdt"))
    locations = np.zeros(len(EEG_NAMES), dtype=[("labels", object)])
    locations["labels"] = EEG_NAMES
    event = np.zeros(len(events), dtype=[("type", object), ("latency", float)])
    event["type"] = [text for _, text in events]
    event["latency"] = [t * fs + 1 for t, _ in events]
    eeg = {
        "setname": "", "nbchan": len(EEG_NAMES), "pnts": len(uv), "trials": 1, "srate": fs, "xmin": 0.0,
        "xmax": (len(uv) - 1) / fs, "data": path.with_suffix(".fdt").name, "ref": "common", "chanlocs": locations,
        "chaninfo": {"nosedir": "+X"}, "event": event, "epoch": [], "icawinv": [], "icaweights": [], "icasphere": [],
    }  # fmt: skip
    scipy.io.savemat(path, {"EEG": eeg}, appendmat=False)


def write_mat(
    path: Path, signals: dict[str, tuple[np.ndarray, str]], codes: np.ndarray, fs: float, **changes: object
) -> None:
    """An AcqKnowledge export with the trigger value on eight lines."""
    lines = {f"Digital (STP Input {k})": (5.0 * ((codes >> k) & 1), "Volts") for k in range(8)}
    columns = {**signals, **lines, "ECG rate (.5 - 35 Hz)": (np.zeros(len(codes)), "BPM")}
    content = {
        "data": np.stack([x for x, _ in columns.values()], axis=1),
        "labels": np.array(list(columns)),
        "units": np.array([unit for _, unit in columns.values()]),
        "isi": 1000.0 / fs,
        "isi_units": "ms",
        "start_sample": 0.0,
    }
    content.update(changes)
    scipy.io.savemat(path, {k: v for k, v in content.items() if v is not None}, appendmat=False)


def write_session(raw: Path, name: str, date: str = "20230721", *, seed: int = 0, first_code: int = 900) -> Truth:
    """One session: two trials of one second, three devices with own clocks."""
    rng = np.random.default_rng(seed)
    folder = raw / f"{name}{date}"
    for part in ("EEG", "BIOPAC", "Camera"):
        (folder / part).mkdir(parents=True)
    fs = 250.0
    n = int(8 * fs)
    uv = rng.normal(0, 20, (n, len(EEG_NAMES))).astype(np.float32)
    events = [(0.1, "77"), (1.0, "101"), (2.0, "100"), (5.0, "103"), (6.0, "100"), (7.0, "boundary")]
    write_set(folder / "EEG" / f"{name}_{date}.set", uv, fs, events)
    t = np.arange(n) / fs
    held = np.select([(t >= 1.5) & (t < 2.5), (t >= 5.5) & (t < 6.5)], [101, 103], 100)
    ecg, skt = rng.normal(0, 1, n), np.full(n, 91.4) + t / 10
    signals = {
        "PPG, X, PPGED-R": (rng.normal(0, 1, n), "Volts"),
        "RSP, X, RSPEC-R": (rng.normal(0, 1, n), "Volts"),
        "EMG A, X, EMG2-R": (rng.normal(0, 1, n), "mV"),
        "SKT A, X, SKT2-R": (skt, "deg F"),
        "EDA, X, PPGED-R": (np.full(n, 5.0), "microsiemens"),
        "ECG, X, RSPEC-R": (ecg, "mV"),
    }
    write_mat(folder / "BIOPAC" / "Untitled1 (001).mat", signals, held, fs)
    truth = Truth(name, date, uv, ecg, skt)
    start_ms = (16 * 3600 + 45 * 60) * 1000
    for marker, begin in ((101, 0), (103, 4000)):
        for k in range(140):
            taken = begin + k * 10
            stamp = start_ms + taken + int(rng.integers(0, 3))
            value = marker if 20 <= k < 120 else 100
            code = (first_code + len(truth.stamps) - 1) % 1000 + 1
            s, ms = divmod(stamp, 1000)
            text = f"{s // 3600:02d}-{s // 60 % 60:02d}-{s % 60:02d}-{ms:03d}-{code:03d}"
            image = np.full((12, 16), len(truth.stamps) % 256, np.uint8)
            cv2.imwrite(str(folder / "Camera" / f"{date[:4]}-{date[4:6]}-{date[6:]}-{text}-{value:03d}.tif"), image)
            truth.stamps.append(text)
            truth.markers.append(value)
            truth.taken_s.append((start_ms + taken) / 1000)
            truth.images.append(image)
    return truth


def write_sheet(path: Path, rows: list[dict[str, object]], *, header: tuple[str, ...] = HEADER, blank: int = 3) -> None:
    """A coding sheet; rows by column name."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sheet1"
    sheet.append(header)
    for row in rows:
        sheet.append([row.get(name) for name in header])
    for _ in range(blank):
        sheet.append([""] * len(header))
    book.save(path)


@pytest.fixture
def raw(tmp_path: Path) -> tuple[Path, list[Truth]]:
    """Two sessions and a sheet with a micro and a macro row each, by code and by time."""
    folder = tmp_path / "raw"
    truths = [write_session(folder, "wanglei", seed=1), write_session(folder, "lina", "20230722", seed=2, first_code=10)]
    rows = [t.row(101, (10, 20, 30)) for t in truths] + [t.row(103, (5, 50, 50), code=False) for t in truths]
    write_sheet(folder / "coding_file.xlsx", rows)
    return folder, truths


@pytest.fixture
def writers() -> SimpleNamespace:
    """Writers of raw files, for tests that need their own."""
    return SimpleNamespace(session=write_session, sheet=write_sheet, HEADER=HEADER)
