"""The pulse from the face: of one video, and of a study against its ECG."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.body.beats import beat_reasons, beats_from, rate
from mmme.features.body.ecg import FLAT_V, LONGEST_RR_S, SHORTEST_RR_S
from mmme.features.body.heart_detection import ecg_beats
from mmme.features.face.rppg import MIN_SNR_DB, pulse_around, pulse_curve
from mmme.features.sampling import expect_unit, regular, unreadable
from mmme.features.windows import Windows
from mmme.interval import Interval
from mmme.io.video import open_video
from mmme.types import Stream

__all__ = [
    "PulseAgreement",
    "PulsedVideo",
    "compare_pulse",
    "pulse_agreement",
    "pulse_pairs",
    "pulse_video",
    "windows_inside",
]

COLUMNS = ("start_s", "stop_s", "hr_bpm", "snr_db", "disagreement_bpm", "brightness_ratio", "why_not")
#: Of the mean: 95 % of normally distributed differences lie within this many standard deviations.
LIMITS_SD = 1.96


@dataclass(frozen=True, slots=True)
class PulsedVideo:
    """
    The pulse in a video, and where it was written.

    Parameters
    ----------
    rows
        One mapping per window with the columns of the table; None where there is no number.
    summary
        What the JSON file holds: windows with a rate, median rate and quality, reasons where there is no rate.
    table, file
        The CSV and the JSON file.
    """

    rows: tuple[dict[str, Any], ...]
    summary: Mapping[str, Any]
    table: Path
    file: Path


def pulse_video(
    video: Path,
    out: Path,
    *,
    window_s: float = 10.0,
    step_s: float = 1.0,
    step: Callable[[str, int, int], None] | None = None,
) -> PulsedVideo:
    """
    Follow the pulse rate of the face in a video and write ``<name>.pulse.csv`` and ``<name>.pulse.json``.

    Parameters
    ----------
    video
        Any container with a face in colour, at least 10 frames per second.
    out
        Folder of the files; made when missing.
    window_s, step_s
        Length of the windows and from one to the next [s].
    step
        Called with the task's name, frames done, and all.

    Returns
    -------
    PulsedVideo
        Times are presentation times of the frames [s].

    Raises
    ------
    DataError
        If the file is missing, is no video, is grey, shows no face or is shorter than a window.
    ConfigError
        If windows are shorter than 4 s or do not move on.
    """
    frames = open_video(video)
    stream = Stream("video", video.name, frames.t_s, frames, "grey level")
    curve = pulse_curve(
        stream,
        window_s=window_s,
        step_s=step_s,
        progress=(lambda done, n: step("colour of the skin", done, n)) if step else None,
    )
    if not len(curve.t):
        length_s = float(stream.t[-1] - stream.t[0])
        raise DataError(f"{video.name}: expected at least a window of {window_s:g} s, got {length_s:.2f} s")
    start_s = curve.t - window_s / 2
    values = (start_s, start_s + window_s, curve.bpm, curve.snr_db, curve.disagreement_bpm, curve.brightness_ratio)
    rounded = [_rounded(v, digits) for v, digits in zip(values, (3, 3, 1, 2, 2, 2), strict=True)]
    rows = tuple(dict(zip(COLUMNS, row, strict=True)) for row in zip(*rounded, curve.why.tolist(), strict=True))
    has_rate = curve.why == ""
    summary = {
        "video": video.name,
        "window_s": window_s,
        "step_s": step_s,
        "least_snr_db": MIN_SNR_DB,
        "windows": len(curve.t),
        "windows_with_rate": int(has_rate.sum()),
        "median_hr_bpm": _rounded(np.array([np.median(curve.bpm[has_rate])]), 1)[0] if has_rate.any() else None,
        "median_snr_db": _median(curve.snr_db),
        "why_not": dict(Counter(curve.why[~has_rate].tolist())),
    }
    out.mkdir(parents=True, exist_ok=True)
    table, file = out / f"{video.stem}.pulse.csv", out / f"{video.stem}.pulse.json"
    with _whole(table).open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    _whole(file).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    for path in (table, file):
        os.replace(_whole(path), path)  # noqa: PTH105 - atomic on every platform
    return PulsedVideo(rows, summary, table, file)


def _whole(path: Path) -> Path:
    """Return the name under which a file is written until it is complete."""
    return path.with_name(f".{path.name}.partial")


def _rounded(values: NDArray[np.float64], digits: int) -> list[float | None]:
    """Return numbers for tables; None where there is none."""
    return [round(float(v), digits) if np.isfinite(v) else None for v in values]


def _median(values: NDArray[np.float64]) -> float | None:
    """Median of the finite values to two digits; None where there are none."""
    finite = values[np.isfinite(values)]
    return round(float(np.median(finite)), 2) if finite.size else None


@dataclass(frozen=True, slots=True)
class PulseAgreement:
    """
    How the pulse rate of the face agrees with the heart rate of the ECG, over the same windows.

    Parameters
    ----------
    windows
        How many were compared.
    with_face, with_ecg, with_both
        How many have a rate from the face, from the ECG, from both.
    bias_bpm
        Mean of face minus ECG; NaN without windows that have both.
    low_bpm, high_bpm
        Limits of agreement: bias -/+ 1.96 standard deviations; NaN with fewer than 2.
    mean_abs_bpm
        Mean size of the difference.
    within_3_bpm
        Share of the windows with both that differ by at most 3 bpm.
    why_not
        Windows without a rate from the face, by reason.

    References
    ----------
    Bland & Altman (1986), doi:10.1016/S0140-6736(86)90837-8.
    """

    windows: int
    with_face: int
    with_ecg: int
    with_both: int
    bias_bpm: float
    low_bpm: float
    high_bpm: float
    mean_abs_bpm: float
    within_3_bpm: float
    why_not: Mapping[str, int]

    @property
    def face_share(self) -> float:
        """Share of the windows that have a rate from the face; NaN without windows."""
        return self.with_face / self.windows if self.windows else float("nan")


def pulse_agreement(
    face_bpm: NDArray[np.float64], ecg_bpm: NDArray[np.float64], why_not: Sequence[str] = ()
) -> PulseAgreement:
    """
    Compare rates of the face with rates of the ECG.

    Parameters
    ----------
    face_bpm, ecg_bpm : (k,) float64
        Of the same windows, which should not overlap; NaN where there is none.
    why_not
        Reasons for each window; empty where there is a rate from the face.

    Examples
    --------
    >>> found = pulse_agreement(np.array([71.0, 82.0, np.nan, 60.0]), np.array([70.0, 81.0, 64.0, np.nan]))
    >>> found.with_both, found.bias_bpm, found.within_3_bpm, found.face_share
    (2, 1.0, 1.0, 0.75)
    """
    difference = (face_bpm - ecg_bpm)[np.isfinite(face_bpm) & np.isfinite(ecg_bpm)]
    n, nothing = difference.size, float("nan")
    bias = float(difference.mean()) if n else nothing
    spread = LIMITS_SD * float(difference.std(ddof=1)) if n > 1 else nothing
    return PulseAgreement(
        windows=len(face_bpm),
        with_face=int(np.isfinite(face_bpm).sum()),
        with_ecg=int(np.isfinite(ecg_bpm).sum()),
        with_both=n,
        bias_bpm=bias,
        low_bpm=bias - spread,
        high_bpm=bias + spread,
        mean_abs_bpm=float(np.abs(difference).mean()) if n else nothing,
        within_3_bpm=float(np.mean(np.abs(difference) <= 3)) if n else nothing,
        why_not=dict(Counter(reason for reason in why_not if reason)),
    )


def windows_inside(spans: Sequence[Interval], window_s: float) -> Windows:
    """
    Place windows side by side in each span, as many as fit.

    Examples
    --------
    >>> windows_inside([Interval(0.0, 25.0), Interval(30.0, 36.0)], 10.0).start_s.tolist()
    [0.0, 10.0]
    """
    starts = [s.start + k * window_s for s in spans for k in range(int((s.stop - s.start) / window_s + 1e-9))]
    return Windows(np.array(starts, dtype=np.float64), window_s)


def compare_pulse(video: Stream, ecg: Stream, spans: Sequence[Interval], *, window_s: float = 10.0) -> PulseAgreement:
    """
    Compare the pulse rate of the face with the ECG's in windows side by side inside spans, such as trials.

    Parameters
    ----------
    video, ecg
        On one clock; frames in colour, ECG in V.
    spans
        Where to compare [s].
    window_s
        Length of the windows [s].

    Returns
    -------
    PulseAgreement
        Of a grey video: no rates, and that as the reason.

    Raises
    ------
    DataError
        If the unit of the ECG is not V, or there are fewer than 10 frames per second.
    ConfigError
        If windows are shorter than 4 s.
    """
    return pulse_agreement(*pulse_pairs(video, ecg, spans, window_s=window_s))


def pulse_pairs(
    video: Stream, ecg: Stream, spans: Sequence[Interval], *, window_s: float = 10.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Return the rates of face and ECG [bpm] and why the face has none, per window; arguments as for `compare_pulse`."""
    windows = windows_inside(spans, window_s)
    face = pulse_around(video, windows)
    return face.bpm, _ecg_bpm(ecg, windows), face.why.tolist()


def _ecg_bpm(ecg: Stream, windows: Windows) -> NDArray[np.float64]:
    """Heart rate of each window; NaN where the ECG has none."""
    expect_unit(ecg, "V")
    signal = regular(ecg)
    if not windows.start_s.size or unreadable(signal, flat=FLAT_V):
        return np.full(windows.start_s.shape, np.nan)
    times, _ = ecg_beats(signal)
    beats = beats_from(times, signal, shortest_s=SHORTEST_RR_S, longest_s=LONGEST_RR_S, even=True)
    return np.where(beat_reasons(beats, signal, windows, flat=FLAT_V) == "", rate(beats, windows)[0], np.nan)
