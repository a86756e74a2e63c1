"""One simulated session: all files of one subject, with the truth beside them."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.simulate import body as bodily
from mmme.simulate.brain import BIPOLAR, EEG_NAMES, eeg_uv
from mmme.simulate.camera import FrameLog, draw_frame_log, frame_names
from mmme.simulate.clocks import DeviceClock, Schedule, draw_clocks, draw_schedule, level_at
from mmme.simulate.coding import CodedRow, code_session
from mmme.simulate.devices import digital_lines, write_acqknowledge_mat, write_eeglab
from mmme.simulate.expressions import TrueExpression, draw_expressions
from mmme.simulate.faces import make_face
from mmme.simulate.plan import StudyPlan
from mmme.simulate.render import draw_sway, render_frames, write_frames
from mmme.simulate.responses import draw_responses
from mmme.simulate.stimuli import choose_stimuli

__all__ = ["SessionJob", "draw_blinks", "session_name", "simulate_session", "true_frame_times"]

_WORDS = (
    "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india",
    "juliett", "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo",
    "sierra", "tango", "uniform", "victor", "whiskey", "xray", "yankee", "zulu",
)  # fmt: skip
_NOISE_LEVELS = 1.8
_HEAD_MOTION_PX = 1.2  # at 128 px


@dataclass(frozen=True, slots=True)
class SessionJob:
    """Work for one call of `simulate_session`: where to write, the whole plan, and which subject (from 0)."""

    out: Path
    plan: StudyPlan
    subject: int


def session_name(plan: StudyPlan, subject: int) -> tuple[str, str]:
    """
    Fictitious name and date of a session.

    Parameters
    ----------
    plan
        The seed fixes the dates.
    subject
        Number from 0.

    Returns
    -------
    tuple of str
        Lower-case letters that start with ``sim``, and ``YYYYMMDD``.

    Examples
    --------
    >>> session_name(StudyPlan(), 1)[0], session_name(StudyPlan(), 27)[0]
    ('simbravo', 'simalfabravo')
    """
    word = _WORDS[subject % 26] if subject < 26 else _WORDS[subject // 26 - 1] + _WORDS[subject % 26]
    start = int(np.random.default_rng([plan.seed, 7]).integers(60))
    return f"sim{word}", f"{dt.date(2023, 3, 1) + dt.timedelta(days=start + subject):%Y%m%d}"


def draw_blinks(rng: np.random.Generator, start_s: float, stop_s: float) -> tuple[tuple[float, float], ...]:
    """
    Draw blinks of 150-300 ms, 10-20 per minute, never two at once.

    Parameters
    ----------
    rng
        Source of chance.
    start_s, stop_s
        Stretch of true time [s].

    Returns
    -------
    tuple of tuple
        Start and length [s] of each blink.

    Examples
    --------
    >>> len(draw_blinks(np.random.default_rng(0), 0.0, 60.0)) > 5
    True
    """
    mean_gap = 60.0 / rng.uniform(10.0, 20.0)
    blinks, now = [], start_s + float(rng.exponential(mean_gap))
    while now < stop_s - 0.5:
        blinks.append((now, float(rng.uniform(0.15, 0.3))))
        now += 0.6 + float(rng.exponential(mean_gap - 0.6))
    return tuple(blinks)


def true_frame_times(truth: dict[str, Any]) -> NDArray[np.float64]:
    """
    Compute the true exposure times of the saved frames of a session, in the order of the file names.

    Parameters
    ----------
    truth
        One element of ``sessions`` in ``truth.json``.

    Returns
    -------
    (n_frames,) float64
        [s of true time].

    Examples
    --------
    >>> camera = {"phase_s": 0.0, "period_s": 0.01, "exposures": [[5, 8]], "dropped": [6]}
    >>> true_frame_times({"camera": camera}).round(2).tolist()
    [0.05, 0.07, 0.08]
    """
    camera = truth["camera"]
    numbers = np.concatenate([np.arange(first, last + 1) for first, last in camera["exposures"]])
    kept = numbers[~np.isin(numbers, camera["dropped"])]
    return np.asarray(camera["phase_s"] + kept * camera["period_s"])


def _faults(plan: StudyPlan, subject: int) -> dict[str, int | None]:
    """Index of the trial of this subject that is struck by each fault, None for most; spread over subjects."""
    n, k = plan.subjects, plan.trials
    skipped = k - 1 if plan.skipped_trial and k > 1 and subject == 3 % n else None
    doubled = k // 4 if plan.doubled_marker and subject == 2 % n else None
    lost = k // 2 if plan.lost_marker and k > 1 and subject == 1 % n else None
    if doubled is not None and doubled == skipped:
        doubled = None
    if lost is not None and lost in (skipped, doubled):
        lost = None
    return {"skipped_trial": skipped, "lost_marker": lost, "doubled_marker": doubled}


def _eeg_markers(schedule: Schedule, clock: DeviceClock, fs: float, faults: dict[str, int | None]) -> list[tuple[int, str]]:
    """Events of the EEG: the first sample after each change, with one trial lost or one marker doubled."""
    lost, doubled = faults["lost_marker"], faults["doubled_marker"]
    gone = schedule.shown[lost].span if lost is not None else None
    twice = schedule.shown[doubled].span.start if doubled is not None else None
    events = []
    for time, value in schedule.levels:
        device_s = float(clock.to_device(time))
        if device_s < 0 or (gone is not None and time in (gone.start, gone.stop)):
            continue
        sample = int(np.ceil(device_s * fs))
        events.append((sample, str(value)))
        if time == twice:
            events.append((sample + round(0.05 * fs), str(value)))
    return events


def _write_physiology(
    folder: Path,
    stem: str,
    job: SessionJob,
    rngs: list[np.random.Generator],
    schedule: Schedule,
    clocks: dict[str, DeviceClock],
    expressions: list[TrueExpression],
    blinks: tuple[tuple[float, float], ...],
    faults: dict[str, int | None],
) -> dict[str, Any]:
    """Write EEG and BIOPAC; return the planted responses."""
    plan = job.plan
    rng_body, rng_eeg, rng_biopac = rngs
    gain = float(rng_body.uniform(0.6, 1.4))
    responses = draw_responses(rng_body, expressions, effect=plan.physiology_effect, gain=gain)
    start = min(clocks[device].intercept_s for device in ("eeg", "biopac"))
    body = bodily.draw_body(rng_body, start, schedule.stop_s, responses)

    def times(device: str, fs: int) -> NDArray[np.float64]:
        n = int(clocks[device].to_device(schedule.stop_s) * fs)
        return clocks[device].to_true(np.arange(n) / fs)

    t = times("eeg", plan.eeg_hz)
    ecg = bodily.ecg_mv(rng_eeg, body, t)
    data = eeg_uv(rng_eeg, t, plan.eeg_hz, expressions=expressions, responses=responses, blinks=blinks, ecg=ecg)
    markers = _eeg_markers(schedule, clocks["eeg"], plan.eeg_hz, faults)
    write_eeglab(folder / "EEG", stem, data, [*EEG_NAMES, *BIPOLAR], plan.eeg_hz, markers)

    t = times("biopac", plan.biopac_hz)
    skt = bodily.skt_c(rng_biopac, body, t)
    columns = [
        bodily.ppg_v(rng_biopac, body, t),
        bodily.rsp_v(rng_biopac, body, t),
        bodily.emg_mv(rng_biopac, t, expressions),
        skt,
        bodily.eda_us(rng_biopac, body, t),
        bodily.ecg_mv(rng_biopac, body, t),
        bodily.emg_mv(rng_biopac, t, expressions, size=0.02),
        skt - 0.8 + rng_biopac.normal(0, 0.002, len(t)),
    ]
    lines = digital_lines(rng_biopac, level_at(schedule.levels, t))
    table = np.column_stack([*columns, lines, bodily.heart_rate_bpm(body, t)])
    write_acqknowledge_mat(folder / "BIOPAC" / "Untitled1 (001).mat", table, plan.biopac_hz)
    beats = body.beats[(body.beats > start) & (body.beats < schedule.stop_s)]
    return {"gain": gain, "responses": [asdict(r) for r in responses], "beats_s": beats.round(5).tolist()}


def _write_video(
    folder: Path,
    date: str,
    job: SessionJob,
    rng: np.random.Generator,
    log: FrameLog,
    expressions: list[TrueExpression],
    blinks: tuple[tuple[float, float], ...],
) -> dict[str, tuple[float, float]]:
    """Write the frames trial by trial; return the landmarks of the identity."""
    plan = job.plan
    face = make_face(rng, plan.frame_px)
    sway = draw_sway(rng, _HEAD_MOTION_PX * plan.frame_px / 128)
    names = np.array(frame_names(f"{date[:4]}-{date[4:6]}-{date[6:]}", log.host_ms, log.codes, log.markers))
    for trial in np.unique(log.trial):
        own = log.trial == trial
        t = log.t[own]
        near = [e for e in expressions if t[0] < e.offset_s and e.onset_s < t[-1]]
        frames = render_frames(face, t, near, blinks=blinks, sway=sway, noise=_NOISE_LEVELS, rng=rng)
        write_frames(folder / "Camera", names[own].tolist(), frames)
    return dict(face.landmarks)


def _truth(
    schedule: Schedule,
    clocks: dict[str, DeviceClock],
    log: FrameLog,
    expressions: list[TrueExpression],
    trial_of: list[int],
    faults: dict[str, int | None],
    missing: int | None,
) -> dict[str, Any]:
    """Truth about time: clocks, trials, expressions, frames, faults; all times are true time."""
    marker = [shown.stimulus.marker for shown in schedule.shown]
    lost, doubled = faults["lost_marker"], faults["doubled_marker"]
    return {
        "clocks": {name: {"rate": c.rate, "intercept_s": c.intercept_s} for name, c in clocks.items()},
        "trials": [
            {
                "marker": s.stimulus.marker,
                "emotion": s.stimulus.emotion,
                "video": s.stimulus.video,
                "start_s": s.span.start,
                "stop_s": s.span.stop,
            }
            for s in schedule.shown
        ],
        "expressions": [{"trial": trial, **asdict(e)} for trial, e in zip(trial_of, expressions, strict=True)],
        "camera": {
            "phase_s": log.phase_s,
            "period_s": log.period_s,
            "exposures": [list(pair) for pair in log.bounds],
            "dropped": log.exposure[~log.saved].tolist(),
        },
        "faults": {
            "skipped_trial": missing,
            "lost_marker": None if lost is None else marker[lost],
            "doubled_marker": None if doubled is None else marker[doubled],
        },
        "stop_s": schedule.stop_s,
    }


def simulate_session(job: SessionJob) -> Path:
    """
    Write all files of one session, and ``truth.json`` of the session beside them.

    Equal jobs write equal files, wherever and in which order they run. Files go to a folder that ends in ``.partial``,
    which is renamed at the end; a finished session is left as it is.

    Parameters
    ----------
    job
        What and where.

    Returns
    -------
    Path
        Folder of the session, ``<name><YYYYMMDD>``.

    Examples
    --------
    >>> import tempfile
    >>> plan = StudyPlan(subjects=1, trials=1, video_fps=20.0, frame_px=48, trial_s=3.0, eeg_hz=250, biopac_hz=250)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     folder = simulate_session(SessionJob(Path(out), plan, 0))
    ...     sorted(p.name for p in folder.iterdir())
    ['BIOPAC', 'Camera', 'EEG', 'truth.json']
    """
    plan = job.plan
    name, date = session_name(plan, job.subject)
    folder = job.out / f"{name}{date}"
    if folder.exists():
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for device in ("EEG", "BIOPAC", "Camera"):
        (partial / device).mkdir(parents=True)
    # One stream of random numbers per part, so that switching one part off leaves the others as they are.
    seeds = np.random.SeedSequence([plan.seed, job.subject]).spawn(9)
    timing, behaviour, camera, coders, video, eyes, *physiology = (np.random.default_rng(seed) for seed in seeds)

    faults = _faults(plan, job.subject)
    stimuli = choose_stimuli(plan.trials)
    missing = stimuli[-1].marker if faults["skipped_trial"] is not None else None
    schedule = draw_schedule(timing, plan, stimuli[: faults["skipped_trial"]])
    clocks = draw_clocks(timing, job.subject)
    scale = float(behaviour.uniform(0.85, 1.25))
    per_trial: list[list[tuple[int, TrueExpression]]] = []
    expressions: list[TrueExpression] = []
    for shown in schedule.shown:
        drawn = draw_expressions(behaviour, shown.stimulus.emotion, shown.span, face_effect=plan.face_effect, scale=scale)
        per_trial.append([(len(expressions) + i, e) for i, e in enumerate(drawn)])
        expressions += drawn
    trial_of = [trial for trial, pairs in enumerate(per_trial) for _ in pairs]
    blinks = draw_blinks(eyes, min(c.intercept_s for d, c in clocks.items() if d != "camera"), schedule.stop_s)
    log = draw_frame_log(camera, plan, schedule, clocks["camera"])
    rows = code_session(coders, name, date, schedule, per_trial, log)

    stem = f"{name}_{date}"
    truth = {"simulated": True, "name": name, "date": date}
    truth |= _truth(schedule, clocks, log, expressions, trial_of, faults, missing)
    truth |= _write_physiology(partial, stem, job, physiology, schedule, clocks, expressions, blinks, faults)
    truth["landmarks_px"] = _write_video(partial, date, job, video, log, expressions, blinks)
    truth["blinks_s"] = [list(blink) for blink in blinks]
    truth["coded"] = [asdict(row) for row in rows]
    (partial / "truth.json").write_text(json.dumps(truth, ensure_ascii=False), encoding="utf-8")
    partial.replace(folder)
    return folder


def read_session(folder: Path) -> tuple[dict[str, Any], list[CodedRow]]:
    """Truth and coded rows of a finished session."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    rows = []
    for row in truth.pop("coded"):
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
        rows.append(CodedRow(**fields))
    return truth, rows
