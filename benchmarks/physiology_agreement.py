"""
Do beats, breaths, responses and powers agree with NeuroKit2 and MNE run plainly at the full rate, and with the truth?

Simulated: sessions of 75 min at 1000 Hz of several bodies, NeuroKit2's own simulators, and 64 channels of EEG. Real, from a
folder with `physio` and `eeg` in it, given as the argument: recordings of NeuroKit2, bioread and EEGLAB; what is not there
is left out, and that is said. Ends with exit code 1 when a bound is missed. With `--write` the tables of
docs/physiology-agreement.md are written anew.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import mne
import neurokit2 as nk
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import find_peaks
from threadpoolctl import threadpool_limits

from mmme.features.body.ecg import ecg_features, read_ecg
from mmme.features.body.eda import read_eda
from mmme.features.body.ppg import read_ppg
from mmme.features.body.rsp import read_rsp
from mmme.features.brain.eeg import eeg_features
from mmme.features.brain.spectra import BANDS_HZ
from mmme.interval import Interval
from mmme.io.acq import read_acq
from mmme.io.eeg import read_eeg
from mmme.simulate.body import Body, draw_body, ecg_mv, eda_us, ppg_v, rsp_v
from mmme.simulate.brain import BIPOLAR, EEG_NAMES, eeg_uv
from mmme.simulate.expressions import TrueExpression
from mmme.simulate.responses import draw_responses
from mmme.simulate.session import draw_blinks
from mmme.types import Sample, Stream

PAGE = Path(__file__).parents[1] / "docs" / "physiology-agreement.md"
START, STOP = "<!-- tables of benchmarks/physiology_agreement.py -->", "<!-- end of tables -->"
FS, TRIALS, TRIAL_S = 1000.0, 48, 60.0
#: A response counts where one side gives it at least `CLEAR_US`; the other may give it down to `THRESHOLD_US`.
CLEAR_US, THRESHOLD_US = 0.05, 0.02
VALUES_WITHIN = 0.01
#: NeuroKit2's name and our column.
TIME_INDICES = {"MeanNN": "hrv_mean_nn_ms", "RMSSD": "hrv_rmssd_ms", "SDNN": "hrv_sdnn_ms", "pNN50": "hrv_pnn50"}

Times = NDArray[np.float64]


# ---------------------------------------------------------------------------------------------------------- what is run
def nk_beats(x: Times, fs: float) -> Times:
    return nk.ecg_peaks(nk.ecg_clean(x, sampling_rate=fs), sampling_rate=fs)[1]["ECG_R_Peaks"] / fs


def nk_pulses(x: Times, fs: float) -> Times:
    return nk.ppg_peaks(nk.ppg_clean(x, sampling_rate=fs), sampling_rate=fs)[1]["PPG_Peaks"] / fs


def nk_breaths(x: Times, fs: float) -> Times:
    return nk.rsp_peaks(nk.rsp_clean(x, sampling_rate=fs), sampling_rate=fs)[1]["RSP_Peaks"] / fs


def nk_responses(x: Times, fs: float) -> tuple[Times, Times]:
    """Peaks and heights above `THRESHOLD_US`: NeuroKit2's relative threshold, set so that it is that of ours."""
    phasic = nk.eda_phasic(nk.eda_clean(x, sampling_rate=fs), sampling_rate=fs, method="highpass")["EDA_Phasic"].to_numpy()
    highest = float(np.nanmax(nk.signal_findpeaks(phasic)["Height"]))
    found = nk.eda_peaks(phasic, sampling_rate=fs, amplitude_min=THRESHOLD_US / highest)[1]
    return found["SCR_Peaks"] / fs, np.asarray(found["SCR_Amplitude"])


def our_beats(stream: Stream) -> Times:
    return read_ecg(stream).beats.t_s


def points_down(stream: Stream) -> bool:
    """Tell whether ours finds that the largest deflections of the ECG point down."""
    return read_ecg(stream).origin["polarity"] == "inverted"


def our_pulses(stream: Stream) -> Times:
    return read_ppg(stream).beats.t_s


def our_breaths(stream: Stream) -> Times:
    return read_rsp(stream).peak_s


def our_responses(stream: Stream) -> tuple[Times, Times]:
    found = read_eda(stream, threshold_us=THRESHOLD_US).responses
    return found.peak_s, found.amplitude_us


# -------------------------------------------------------------------------------------------------------------- matching
@dataclass(frozen=True)
class Kind:
    """By how much two detectors may differ in time, when two events are one at all, and the share that must match."""

    name: str
    within_s: float
    paired_s: float
    share: float
    edge_s: float


R_PEAK = Kind("R peaks", 0.002, 0.15, 0.999, 2.0)
PULSE = Kind("pulses", 0.010, 0.25, 0.995, 2.0)
BREATH = Kind("breaths", 0.010, 1.0, 0.995, 10.0)
SCR = Kind("SCRs", 0.5, 1.0, 0.98, 10.0)


@dataclass(frozen=True)
class Heard:
    """What two detectors found in one recording, and what was there."""

    kind: Kind
    where: str
    step_s: float
    stop_s: float
    ours: Times
    theirs: Times
    truth: Times | None = None
    #: Without truth: events of the other that the recording itself does not show.
    unseen: int = 0
    #: For the comparison with the truth, where it is not that of the two: all that ours and the other found, and events
    #: that cannot be missed.
    whole: tuple[Times, Times] | None = None
    sure: Times | None = None

    @property
    def within_s(self) -> float:
        """The bound, or one step of the samples where these are wider."""
        return max(self.kind.within_s, self.step_s) + 1e-6  # times are sums of floats


def nearest(a: Times, b: Times) -> NDArray[np.int64]:
    """Index of the nearest of ``b`` to each of ``a``; both sorted, ``b`` not empty."""
    right = np.clip(np.searchsorted(b, a), 0, b.size - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(b[left] - a) <= np.abs(b[right] - a), left, right)


def paired(a: Times, b: Times, within_s: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of events that are each other's nearest."""
    if not a.size or not b.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    to_b, to_a = nearest(a, b), nearest(b, a)
    mutual = (to_a[to_b] == np.arange(a.size)) & (np.abs(b[to_b] - a) <= within_s)
    return np.flatnonzero(mutual), to_b[mutual]


def is_true(times: Times, heard: Heard) -> NDArray[np.bool_]:
    assert heard.truth is not None
    ok = np.zeros(times.size, dtype=bool)
    ok[paired(times, heard.truth, heard.kind.paired_s)[0]] = True
    return ok


@dataclass(frozen=True)
class Tally:
    """Ours against theirs: events of both, by how they fit, and where the truth says that the other is wrong."""

    matched: int
    off: int
    missed: int
    extra: int
    excused: int
    errors_s: Times

    @property
    def share(self) -> float:
        """Of all events of either, those that match or in which the other is wrong."""
        return (self.matched + self.excused) / max(self.matched + self.off + self.missed + self.extra, 1)


def tally(heard: Heard) -> Tally:
    i, j = paired(heard.ours, heard.theirs, heard.kind.paired_s)
    error = heard.ours[i] - heard.theirs[j]
    off = np.abs(error) > heard.within_s
    missed, extra = np.delete(heard.theirs, j), np.delete(heard.ours, i)
    excused = heard.unseen
    if heard.truth is not None:
        true = heard.truth
        ours_nearer = np.abs(true[nearest(heard.ours[i][off], true)] - heard.ours[i][off]) <= np.abs(
            true[nearest(heard.theirs[j][off], true)] - heard.theirs[j][off]
        )
        excused = int(ours_nearer.sum() + (~is_true(missed, heard)).sum() + is_true(extra, heard).sum())
    return Tally(int((~off).sum()), int(off.sum()), missed.size, extra.size, excused, error)


def together(tallies: Sequence[Tally]) -> Tally:
    sums = [sum(getattr(t, name) for t in tallies) for name in ("matched", "off", "missed", "extra", "excused")]
    return Tally(*sums, np.concatenate([t.errors_s for t in tallies]))


# ------------------------------------------------------------------------------------------------------- simulated bodies
def made_stream(name: str, x: Times, fs: float, unit: str) -> Stream:
    return Stream(name, "biopac", np.arange(x.size) / fs, x, unit, fs)


class Silence:
    """Stands for a generator of random numbers where the noise of the simulator is not wanted."""

    def normal(self, *_: object) -> float:
        return 0.0


def true_pulses(body: Body, t: Times) -> Times:
    """Maxima of the pulse wave without noise."""
    x = ppg_v(Silence(), body, t)  # type: ignore[arg-type]
    peaks, _ = find_peaks(x, distance=round(0.35 * FS), prominence=0.3)
    return t[peaks]


def true_breaths(body: Body) -> Times:
    """Ends of inspiration: where the belt's wave is highest in its cycle."""
    phase = np.linspace(0, 2 * np.pi, 100_001)
    top = phase[np.argmax(1.2 * np.sin(phase) + 0.15 * np.sin(2 * phase + 0.6))]
    turns = np.arange(np.ceil((body.breath[0] - top) / (2 * np.pi)), np.floor((body.breath[-1] - top) / (2 * np.pi)) + 1)
    return np.interp(top + 2 * np.pi * turns, body.breath, body.grid)


def true_responses(body: Body) -> tuple[Times, Times]:
    """
    When each response of the conductance without noise is at its height, and its size [µS]; planted and spontaneous ones.

    A response begins with a jump of the slope; the level has none. 0.7 s of rise and 3 s of decay: highest 1.33 s later, at
    0.492 of the difference of the exponentials, whose slope jumps by 1 / 0.7 - 1 / 3.
    """
    step_s = body.grid[1] - body.grid[0]
    bend = np.diff(body.conductance, 2) / step_s
    jump = np.convolve(np.maximum(bend, 0.0), [1.0, 1.0], mode="same")  # a start between two samples is seen at both
    size = jump * 0.492 / (1 / 0.7 - 1 / 3)
    start, _ = find_peaks(size, height=0.5 * THRESHOLD_US, distance=3)
    return body.grid[start + 1] + 1.33, size[start]


def clear(a: tuple[Times, Times], b: tuple[Times, Times], within_s: float) -> tuple[Times, Times]:
    """Events of either side that are clear on one: a threshold cannot be the reason why the other lacks them."""
    i, j = paired(a[0], b[0], within_s)
    keep_a, keep_b = a[1] >= CLEAR_US, b[1] >= CLEAR_US
    either = keep_a[i] | keep_b[j]
    keep_a[i], keep_b[j] = either, either
    return a[0][keep_a], b[0][keep_b]


def responses_heard(
    where: str, stream: Stream, x: Times, fs: float, truth: Times | None = None, sure: Times | None = None
) -> Heard:
    all_ours, all_theirs = our_responses(stream), nk_responses(x, fs)
    ours, theirs = clear(all_ours, all_theirs, SCR.paired_s)
    unseen = 0 if truth is not None else falling(np.delete(theirs, paired(ours, theirs, SCR.paired_s)[1]), x, fs)
    return Heard(SCR, where, 1 / fs, x.size / fs, ours, theirs, truth, unseen, (all_ours[0], all_theirs[0]), sure)


def falling(peaks: Times, x: Times, fs: float) -> int:
    """Count the peaks to which conductance (below 3 Hz) does not rise: a high-pass swings back after a large response."""
    clean = nk.eda_clean(x, sampling_rate=fs)
    unseen = 0
    for at in np.rint(peaks * fs).astype(int):
        before, top = clean[max(0, at - round(5 * fs)) : at + 1], clean[at : at + round(fs)].max()
        unseen += bool(top - before.min() < THRESHOLD_US)
    return unseen


def session_body(seed: int, minutes: float) -> tuple[Body, Times]:
    """A body that watches clips of a minute and makes two expressions in each."""
    rng = np.random.default_rng([seed, 1])
    stop_s = 60.0 * minutes
    onsets = np.sort(rng.uniform(10.0, stop_s - 20.0, int(1.3 * minutes)))
    emotions = ("happy", "surprise", "sad", "fear")
    made = [TrueExpression("micro", emotions[k % 4], ("AU4",), a, a + 0.15, a + 0.4, 1.0) for k, a in enumerate(onsets)]
    responses = draw_responses(rng, made, effect=1.0, gain=1.0)
    return draw_body(rng, 0.0, stop_s, responses), np.arange(round(stop_s * FS)) / FS


def simulated_sessions(seeds: int, minutes: float) -> Iterator[Heard | Values]:
    for seed in range(seeds):
        body, t = session_body(seed, minutes)
        noise = [np.random.default_rng([seed, 2, k]) for k in range(4)]
        where, stop_s = f"simulated: {minutes:g} min at 1000 Hz", t[-1]
        step_s = 1 / FS
        x = ecg_mv(noise[0], body, t)
        ecg = made_stream("ecg", 1e-3 * x, FS, "V")
        heard = Heard(R_PEAK, where, step_s, stop_s, our_beats(ecg), nk_beats(x, FS), within(body.beats, stop_s))
        yield heard
        yield from variability(where, ecg, heard)
        x = ppg_v(noise[1], body, t)
        pulses = our_pulses(made_stream("ppg", x, FS, "V"))
        yield Heard(PULSE, where, step_s, stop_s, pulses, nk_pulses(x, FS), within(true_pulses(body, t), stop_s))
        x = rsp_v(noise[2], body, t)
        ours = our_breaths(made_stream("rsp", x, FS, "V"))
        yield Heard(BREATH, where, step_s, stop_s, ours, nk_breaths(x, FS), within(true_breaths(body), stop_s))
        x = eda_us(noise[3], body, t)
        truth, size = true_responses(body)
        truth, sure = within(truth, stop_s), within(truth[size >= CLEAR_US], stop_s)
        yield responses_heard(where, made_stream("eda", x, FS, "µS"), x, FS, truth, sure)


def within(times: Times, stop_s: float) -> Times:
    return times[(times >= 0.0) & (times < stop_s)]


def neurokits_own(seeds: int) -> Iterator[Heard]:
    """NeuroKit2's simulators, 5 min each; they do not say when a beat was."""
    where, made = "simulated by NeuroKit2: 5 min at 1000 Hz", {"duration": 300, "sampling_rate": int(FS)}
    for seed in range(seeds):
        own = made | {"random_state": seed}
        x = nk.ecg_simulate(**own, heart_rate=60 + 12 * seed)
        yield Heard(R_PEAK, where, 1 / FS, 300.0, our_beats(made_stream("ecg", 1e-3 * x, FS, "V")), nk_beats(x, FS))
        x = nk.ppg_simulate(**own, heart_rate=60 + 12 * seed)
        yield Heard(PULSE, where, 1 / FS, 300.0, our_pulses(made_stream("ppg", x, FS, "V")), nk_pulses(x, FS))
        x = nk.rsp_simulate(**own, respiratory_rate=12 + 2 * seed)
        yield Heard(BREATH, where, 1 / FS, 300.0, our_breaths(made_stream("rsp", x, FS, "V")), nk_breaths(x, FS))
        x = 5.0 + nk.eda_simulate(**own, scr_number=20, noise=0.001)
        yield responses_heard(where, made_stream("eda", x, FS, "µS"), x, FS)


# ----------------------------------------------------------------------------------------------------- values of windows
@dataclass(frozen=True)
class Values:
    """A measure of windows, ours and theirs; ours NaN where refused."""

    name: str
    where: str
    ours: Times
    theirs: Times
    bound: float | None
    truth: Times | None = None


def variability(where: str, ecg: Stream, heard: Heard) -> Iterator[Values]:
    """
    Windows of a minute, or one over the whole of a shorter recording.

    Windows in which ours corrects a beat, or one of NeuroKit2's intervals is odd, are left out: NeuroKit2 corrects none.
    """
    length_s = min(TRIAL_S, np.floor(heard.stop_s))
    starts = np.linspace(0.0, heard.stop_s - length_s, max(1, min(TRIALS, int(heard.stop_s // TRIAL_S))))
    samples = [Sample(str(k), "S01", "v", "x", a, a, a, Interval(a, a + length_s)) for k, a in enumerate(starts)]
    table = ecg_features(ecg, samples, before_s=0.0, after_s=length_s, baseline_s=1.0)

    def per_window(beats: Times, measure: Callable[[Times], float]) -> Times:
        return np.array([measure(beats[(beats >= a) & (beats < a + length_s)]) for a in starts])

    corrected = table.X[:, table.columns.index("hr_corrected_share")] > 0
    odd = corrected | (per_window(heard.theirs, is_odd) > 0)
    bound = VALUES_WITHIN if heard.step_s <= 0.002 else None  # NeuroKit2 places a beat on a sample: at 100 Hz within 5 ms
    for name, column in TIME_INDICES.items():
        if column in table.columns and not (name == "SDNN" and length_s < TRIAL_S):
            measure = partial(time_index, name)
            ours = table.X[:, table.columns.index(column)].astype(float)
            theirs = np.where(odd, np.nan, per_window(heard.theirs, measure))
            truth = None if heard.truth is None else per_window(heard.truth, measure)
            yield Values(f"{name}, 60 s", where, ours, theirs, bound, truth)
    if length_s >= TRIAL_S:
        ours = table.X[:, table.columns.index("hrv_hf_ms2")].astype(float)
        theirs = np.where(odd, np.nan, per_window(heard.theirs, hf_power))
        yield Values("HF power, 60 s", where, ours, theirs, None)


def is_odd(beats: Times) -> float:
    """Tell whether an interval differs by more than 30 % from the median: a missed, false or ectopic beat."""
    rr = np.diff(beats)
    return float(np.any(np.abs(rr / np.median(rr) - 1.0) > 0.3)) if rr.size else 1.0


def time_index(name: str, beats: Times) -> float:
    made = nk.hrv_time(np.rint(beats * 1e5).astype(int), sampling_rate=100_000, show=False)
    return float(made[f"HRV_{name}"].iloc[0])


def hf_power(beats: Times) -> float:
    made = nk.hrv_frequency(np.rint(beats * FS).astype(int), sampling_rate=FS, normalize=False, show=False)
    return float(made["HRV_HF"].iloc[0])


def band_powers(where: str, eeg: Stream, raw: Any, seconds: float) -> Iterator[Values]:
    """Channels by windows: MNE at the full rate, its FIR filter and multitaper, the reference that ours used."""
    stop_s = float(eeg.t[-1])
    starts = np.arange(10.0, stop_s - 10.0 - seconds, 2.0 * seconds)[:60]
    at = [Sample(str(k), "S01", "v", "x", a, a, a, Interval(a, a + seconds)) for k, a in enumerate(starts)]
    table = eeg_features(eeg, at, before_s=0.0, after_s=seconds, baseline_s=1.0, by="channel")
    reference = table.origin["eeg_reference"].removeprefix("average of ").split()
    by_name = {name.upper(): name for name in raw.ch_names}
    raw = raw.copy().pick([by_name[name.upper()] for name in reference]).load_data()
    raw.set_eeg_reference("average", verbose="ERROR").filter(0.5, 45.0, verbose="ERROR")
    first = np.rint(starts * raw.info["sfreq"]).astype(int)
    data = raw.get_data()
    n = round(seconds * raw.info["sfreq"])
    cut = np.stack([data[:, a : a + n] for a in first])
    density, f = mne.time_frequency.psd_array_multitaper(
        cut, raw.info["sfreq"], fmax=60.0, bandwidth=4.0 / seconds, normalization="full", verbose="ERROR"
    )
    for band, (low, high) in BANDS_HZ.items():
        if low * seconds < 3.0:
            continue
        theirs = 1e12 * density[:, :, (f >= low) & (f < high)].mean(axis=2)
        columns = [table.columns.index(f"eeg_{band}_{name}") for name in reference]
        yield Values(
            f"EEG {band}, {seconds:g} s", where, np.exp(table.X[:, columns]).ravel(), theirs.ravel(), VALUES_WITHIN
        )


def simulated_brain(seconds: float = 300.0) -> tuple[Stream, Any]:
    rng = np.random.default_rng(3)
    t = np.arange(round(seconds * FS)) / FS
    blinks = draw_blinks(rng, 0.0, seconds)
    uv = eeg_uv(rng, t, FS, expressions=[], responses=[], blinks=blinks, ecg=np.zeros(t.size))
    info = mne.create_info([*EEG_NAMES, *BIPOLAR], FS, ["eeg"] * len(EEG_NAMES) + ["misc"] * len(BIPOLAR))
    raw = mne.io.RawArray(1e-6 * uv, info, verbose="ERROR")
    return Stream("eeg", "eeg", t, (1e-6 * uv.T).astype(np.float32), "V", FS, (*EEG_NAMES, *BIPOLAR)), raw


# ------------------------------------------------------------------------------------------------------------- real data
#: Files of the folder `physio`: rate [Hz], and the columns that are compared.
REAL = {
    "bio_resting_5min_100hz.csv": (100.0, ("ECG", "PPG", "RSP")),
    "bio_eventrelated_100hz.csv": (100.0, ("ECG", "EDA", "RSP")),
    "ecg_1000hz.csv": (1000.0, ("ECG",)),
}


def compared(name: str, where: str, x: Times, fs: float) -> Iterator[Heard | Values]:
    stop_s = x.size / fs
    if name == "EDA":
        yield responses_heard(where, made_stream("eda", x, fs, "µS"), x, fs)
        return
    kind, ours, theirs = {
        "ECG": (R_PEAK, our_beats, nk_beats),
        "PPG": (PULSE, our_pulses, nk_pulses),
        "RSP": (BREATH, our_breaths, nk_breaths),
    }[name]
    stream = made_stream(name.lower(), 1e-3 * x if name == "ECG" else x, fs, "V")
    if name == "ECG" and points_down(stream):  # only ours turns it
        x, where = -x, f"{where}, turned for NeuroKit2"
    heard = Heard(kind, where, 1 / fs, stop_s, ours(stream), theirs(x, fs))
    yield heard
    if name == "ECG" and stop_s >= 40.0:
        yield from variability(where, stream, heard)


def real_data(folder: Path | None, left_out: list[str]) -> Iterator[Heard | Values]:
    if folder is None:
        left_out.append("real recordings (no folder given)")
        return
    for file, (fs, names) in REAL.items():
        path = folder / "physio" / file
        if not path.exists():
            left_out.append(file)
            continue
        columns = pd.read_csv(path)
        for name in names:
            yield from compared(name, f"real: {file}", columns[name].to_numpy(dtype=float), fs)
    path = folder / "physio" / "physio-5.0.1-c.acq"
    if path.exists():
        for stream in read_acq(path).streams:
            # its other channels are calculated from these
            name = {"EKG - ERS100C": "ECG", "EDA - GSR100C": "EDA"}.get(stream.name)
            if name is not None and stream.fs is not None:
                yield from compared(name, f"real: {path.name}", np.asarray(stream.x[:], dtype=float), stream.fs)
    else:
        left_out.append(path.name)
    path = folder / "eeg" / "eeglab_data.set"
    if path.exists():
        stream = next(s for s in read_eeg(path).streams if s.name == "eeg")
        raw = mne.io.read_raw_eeglab(path, preload=True, verbose="ERROR")
        for seconds in (2.0, 30.0):
            yield from band_powers(f"real: {path.name}", stream, raw, seconds)
    else:
        left_out.append(path.name)


# --------------------------------------------------------------------------------------------------------------- tables
def grouped(items: Sequence[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def event_table(heard: Sequence[Heard]) -> tuple[list[str], bool]:
    heads = (
        "events",
        "data",
        "of both",
        "matched",
        "off",
        "missed",
        "extra",
        "other wrong",
        "median",
        "worst",
        "agree",
        "bound",
    )
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    fine = True
    for (kind, where), own in grouped(heard, lambda h: (h.kind, h.where)).items():
        sum_ = together([tally(h) for h in own])
        errors_ms = 1e3 * np.abs(sum_.errors_s)
        ok = sum_.share >= kind.share
        fine &= ok
        cells = (
            f"{kind.name}, {1e3 * own[0].within_s:.0f} ms",
            where,
            sum_.matched + sum_.off + sum_.missed + sum_.extra,
            sum_.matched,
            sum_.off,
            sum_.missed,
            sum_.extra,
            sum_.excused if own[0].truth is not None or kind is SCR else "–",
            f"{np.median(errors_ms):.2f} ms",
            f"{errors_ms.max():.1f} ms",
            f"{100 * sum_.share:.2f} %",
            f"{100 * kind.share:g} %" + ("" if ok else " **MISSED**"),
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines, fine


def inner(times: Times, heard: Heard) -> Times:
    """Times away from the ends, where filters settle."""
    return times[(times > heard.kind.edge_s) & (times < heard.stop_s - heard.kind.edge_s)]


def truth_table(heard: Sequence[Heard]) -> list[str]:
    lines = [
        "| events | whose | true | found | missed | false | median error | 99 % | worst |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, own in grouped([h for h in heard if h.truth is not None], lambda h: h.kind).items():
        for side, name in enumerate(("ours", "NeuroKit2")):
            n_true = n_found = n_false = 0
            errors = []
            for h in own:
                times = (h.whole or (h.ours, h.theirs))[side]
                truth, sure = h.truth, h.truth if h.sure is None else h.sure
                inner_times, inner_sure = inner(times, h), inner(sure, h)
                found, place = paired(inner_sure, times, kind.paired_s)
                errors.append(times[place] - inner_sure[found])
                n_true, n_found = n_true + inner_sure.size, n_found + found.size
                n_false += inner_times.size - paired(inner_times, truth, kind.paired_s)[0].size
            ms = 1e3 * np.abs(np.concatenate(errors))
            lines.append(
                f"| {kind.name} | {name} | {n_true} | {n_found} | {n_true - n_found} | {n_false} | {np.median(ms):.2f} ms "
                f"| {np.percentile(ms, 99):.1f} ms | {ms.max():.1f} ms |"
            )
    return lines


def percent(x: Times) -> str:
    return f"{100 * np.median(x):.2f} % | {100 * np.percentile(x, 95):.2f} % | {100 * x.max():.2f} %"


def value_table(values: Sequence[Values]) -> tuple[list[str], bool]:
    lines = [
        "| value | data | windows | left out | median | 95 % | worst | bound (95 %) | from truth: ours | the other |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    fine = True
    for (name, where), own in grouped(values, lambda v: (v.name, v.where)).items():
        ours, theirs = (np.concatenate([getattr(v, side) for v in own]) for side in ("ours", "theirs"))
        known = np.isfinite(ours) & np.isfinite(theirs)
        apart = np.abs(ours[known] / theirs[known] - 1.0)
        bound, ok = own[0].bound, True
        if bound is not None:
            ok = float(np.percentile(apart, 95)) <= bound if apart.size else not np.isfinite(theirs).any()
        fine &= ok
        wanted = "none" if bound is None else f"{100 * bound:g} %{'' if ok else ' **MISSED**'}"
        from_truth = "– | –"
        if own[0].truth is not None:
            truth = np.concatenate([v.truth for v in own])[known]
            from_truth = " | ".join(f"{100 * np.median(np.abs(x[known] / truth - 1)):.2f} %" for x in (ours, theirs))
        shown = percent(apart) if apart.size else "– | – | –"
        lines.append(f"| {name} | {where} | {ours.size} | {(~known).sum()} | {shown} | {wanted} | {from_truth} |")
    return lines, fine


def written(tables: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(STOP)
    PAGE.write_text(f"{before}{START}\n\n{tables}\n\n{STOP}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="with physio/ and eeg/ in it")
    parser.add_argument("--seeds", type=int, default=3, help="simulated bodies")
    parser.add_argument("--minutes", type=float, default=75.0, help="of each simulated session")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/physiology-agreement.md")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    left_out: list[str] = []
    found: list[Heard | Values] = []
    with threadpool_limits(1):
        for part in (
            simulated_sessions(chosen.seeds, chosen.minutes),
            neurokits_own(chosen.seeds),
            (
                v
                for seconds in (2.0, 60.0)
                for v in band_powers("simulated: 5 min, 64 channels, 1000 Hz", *simulated_brain(), seconds)
            ),
            real_data(chosen.folder, left_out),
        ):
            found += part
    heard = [item for item in found if isinstance(item, Heard)]
    values = [item for item in found if isinstance(item, Values)]
    events, events_fine = event_table(heard)
    numbers, values_fine = value_table(values)
    parts = [
        "### Events: ours against NeuroKit2",
        "\n".join(events),
        "### Events: both against the truth (simulated sessions)",
        "\n".join(truth_table(heard)),
        "### Values: ours against NeuroKit2 and MNE",
        "\n".join(numbers),
    ]
    if left_out:
        parts.append("Left out: " + ", ".join(left_out) + ".")
    tables = "\n\n".join(parts)
    print(tables)
    if chosen.write:
        written(tables)
    fine = events_fine and values_fine
    print("\nwithin bounds" if fine else "\nOUT OF BOUNDS")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
