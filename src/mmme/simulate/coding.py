"""What two coders write down about the true expressions, and the coding sheet of the MMME release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmme.simulate.camera import FrameLog, clock_text
from mmme.simulate.clocks import Schedule
from mmme.simulate.expressions import AU_SETS, TrueExpression
from mmme.types import Kind

__all__ = ["CodedRow", "Coder", "code_session", "sheet_order", "write_coding_sheet"]

_COLUMNS = (
    "Subject", "Filename", "Marker", "OnsetTime", "ApexTime", "OffsetTime", "OnsetFrame", "ApexFrame", "OffsetFrame",
    "Action Units", "Estimated Emotion", "Macro/Micro", "Date", "dif",
)  # fmt: skip
_MS_ONLY_SHARE = 0.55  # of the second coder's rows: time stamps without the running code
_BLANK_ROWS = 3


@dataclass(frozen=True, slots=True)
class Coder:
    """
    How one coder differs from the truth.

    Parameters
    ----------
    name
        ``A`` or ``B``.
    finds
        Probability of noticing a true expression.
    invents
        Events per trial that are not there.
    jitter
        Standard deviation of coded times, in units of 2 frames (micro) or 5 frames (macro) at 150 frames/s.
    slips
        Probability of a wrong kind, and of one action unit more or less.
    """

    name: str
    finds: float
    invents: float
    jitter: float
    slips: tuple[float, float]


CODERS = (Coder("A", 0.97, 0.02, 1.0, (0.02, 0.08)), Coder("B", 0.88, 0.06, 1.4, (0.05, 0.25)))


@dataclass(frozen=True, slots=True)
class CodedRow:
    """
    One row of the sheet before it is written.

    Parameters
    ----------
    coder, name, date, filename, marker, emotion, kind, aus
        As in the sheet.
    times_s
        Onset, apex, offset: frame index in the trial over the whole mean rate [s].
    host_ms, codes
        Time stamps and running codes of the three frames.
    coded_on
        Annotation date.
    trial
        Index of the trial in the session.
    expression
        Index of the true expression in the session, None for an invented one.
    """

    coder: str
    name: str
    date: str
    filename: str
    marker: int
    emotion: str
    kind: Kind
    aus: tuple[str, ...]
    times_s: tuple[float, float, float]
    host_ms: tuple[int, int, int]
    codes: tuple[int, int, int]
    coded_on: str
    trial: int
    expression: int | None


def _coded_aus(rng: np.random.Generator, aus: tuple[str, ...], slip: float) -> tuple[str, ...]:
    """Leave out one action unit or add one."""
    if rng.random() >= slip:
        return aus
    if len(aus) > 1 and rng.random() < 0.6:
        drop = int(rng.integers(len(aus)))
        return aus[:drop] + aus[drop + 1 :]
    others = [au for au in ("AU1", "AU4", "AU7", "AU10", "AU12", "AU14", "AU17") if au not in aus]
    return tuple(sorted((*aus, str(rng.choice(others))), key=lambda au: int(au[2:])))


def _seen(
    rng: np.random.Generator,
    coder: Coder,
    expressions: Sequence[tuple[int, TrueExpression]],
    t: NDArray[np.float64],
    emotion: str,
) -> list[tuple[int | None, TrueExpression]]:
    """Return what the coder takes for expressions in one trial: found ones, and an invented one now and then."""
    seen: list[tuple[int | None, TrueExpression]] = [pair for pair in expressions if rng.random() < coder.finds]
    if rng.random() < coder.invents and emotion in AU_SETS:
        start = float(rng.uniform(t[0] + 0.3, t[-1] - 0.8))
        length = float(rng.uniform(0.2, 0.45))
        sets = AU_SETS[emotion]
        false = TrueExpression(
            "micro", emotion, sets[int(rng.integers(len(sets)))], start, start + length / 2, start + length, 0.0
        )
        if not any(false.span.overlap_s(e.span) > 0 for _, e in expressions):
            seen.append((None, false))
    return sorted(seen, key=lambda pair: pair[1].onset_s)


def code_session(
    rng: np.random.Generator,
    name: str,
    date: str,
    schedule: Schedule,
    expressions: Sequence[Sequence[tuple[int, TrueExpression]]],
    log: FrameLog,
) -> tuple[CodedRow, ...]:
    """
    Let both coders annotate a session.

    Parameters
    ----------
    rng
        Source of chance.
    name, date
        Of the session, date as ``YYYYMMDD``.
    schedule
        Stimuli.
    expressions
        For each trial the true expressions with their index in the session.
    log
        Saved frames; only those whose marker is the trial's belong to its video.

    Returns
    -------
    tuple of CodedRow
        First all rows of coder A, then all of B, in order of trial and onset.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> from mmme.simulate.camera import draw_frame_log
    >>> from mmme.simulate.clocks import DeviceClock, draw_schedule
    >>> from mmme.simulate.plan import StudyPlan
    >>> from mmme.simulate.stimuli import choose_stimuli
    >>> plan = StudyPlan(trials=1)
    >>> schedule = draw_schedule(rng, plan, choose_stimuli(1))
    >>> log = draw_frame_log(rng, plan, schedule, DeviceClock("camera", 1.0, -36000.0))
    >>> smile = TrueExpression("micro", "happy", ("AU12",), 7.0, 7.1, 7.3, 1.0)
    >>> rows = code_session(rng, "simalfa", "20230301", schedule, [[(0, smile)]], log)
    >>> rows[0].aus
    ('AU12',)
    """
    rows = []
    for coder in CODERS:
        # Coder B starts a month later; both work through trials in order.
        day, month = int(rng.integers(1, 25)), 5 if coder.name == "A" else 6
        for trial, shown in enumerate(schedule.shown):
            own = np.flatnonzero((log.trial == trial) & (log.markers == shown.stimulus.marker))
            t, host, codes = log.t[own], log.host_ms[own], log.codes[own]
            rate = round(1000.0 * (len(own) - 1) / float(host[-1] - host[0]))
            stimulus = shown.stimulus
            filename = f"{stimulus.emotion}_{stimulus.video}_{stimulus.marker}_{name}_{date}.avi"
            for index, event in _seen(rng, coder, expressions[trial], t, stimulus.emotion):
                spread = coder.jitter * (2.0 if event.kind == "micro" else 5.0) * rate / 150.0
                moments = np.searchsorted(t, [event.onset_s, event.apex_s, event.offset_s])
                frames = np.clip(np.rint(moments + rng.normal(0, spread, 3)), 0, len(own) - 1).astype(int)
                frames[0] = min(frames[0], len(own) - 3)
                frames[1] = np.clip(frames[1], frames[0] + 1, len(own) - 2)
                frames[2] = max(frames[2], frames[1] + 1)
                if rng.random() < (0.12 if event.kind == "micro" else 0.4):
                    frames[2] = frames[1]  # the end was not visible
                kind: Kind = event.kind
                if rng.random() < coder.slips[0]:
                    kind = "macro" if kind == "micro" else "micro"
                hour, minute = 8 + trial // 6, int(rng.integers(60))
                rows.append(
                    CodedRow(
                        coder=coder.name,
                        name=name,
                        date=date,
                        filename=filename,
                        marker=stimulus.marker,
                        emotion=stimulus.emotion,
                        kind=kind,
                        aus=_coded_aus(rng, event.aus, coder.slips[1]),
                        times_s=tuple(round(float(f) / rate, 2) for f in frames),  # type: ignore[arg-type]
                        host_ms=tuple(int(host[f]) for f in frames),  # type: ignore[arg-type]
                        codes=tuple(int(codes[f]) for f in frames),  # type: ignore[arg-type]
                        coded_on=f"2024年{month:02d}月{day:02d}日-{hour:02d}时{minute:02d}分",
                        trial=trial,
                        expression=index,
                    )
                )
    return tuple(rows)


def sheet_order(rows: Sequence[CodedRow]) -> list[CodedRow]:
    """
    Order of the sheet: all rows of coder A, then all of B, each by subject, date and trial.

    Examples
    --------
    >>> sheet_order([])
    []
    """
    return sorted(rows, key=lambda row: (row.coder, row.name, row.date, row.trial))


def _cells(row: CodedRow, *, ms_only: bool) -> dict[str, object]:
    """Row of the sheet by column; ``dif`` follows the last field of the frame strings, modulo 1000, as released."""
    fields = [ms % 1000 for ms in row.host_ms] if ms_only else list(row.codes)
    stamps = [
        clock_text(ms) if ms_only else f"{clock_text(ms)}-{code:03d}"
        for ms, code in zip(row.host_ms, row.codes, strict=True)
    ]
    return {
        "Subject": row.name,
        "Filename": row.filename,
        "Marker": row.marker,
        **dict(zip(_COLUMNS[3:6], row.times_s, strict=True)),
        **dict(zip(_COLUMNS[6:9], stamps, strict=True)),
        "Action Units": ", ".join(row.aus),
        "Estimated Emotion": row.emotion,
        "Macro/Micro": row.kind.capitalize(),
        "Date": row.coded_on,
        "dif": (fields[1] - fields[0]) % 1000 + 1,
    }


def write_coding_sheet(folder: Path, rows: Sequence[CodedRow], *, combined: bool) -> Mapping[str, Sequence[int]]:
    """
    Write ``coding_file.xlsx`` (13 columns) or ``coding_file_combined.xlsx`` (14, with ``Macro/Micro``).

    The first part of coder B's rows has time stamps without running code, with ``dif`` in ms, and the used range ends
    with three blank rows, as in the release.

    Parameters
    ----------
    folder
        Existing folder.
    rows
        In the order of `sheet_order`.
    combined
        Which of the two variants.

    Returns
    -------
    mapping
        ``"ms_only"``: numbers of the sheet rows (from 1, the heading is row 1) that have no running code.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_coding_sheet(Path(folder), [], combined=False)
    ...     [p.name for p in Path(folder).iterdir()]
    ['coding_file.xlsx']
    """
    from openpyxl import Workbook
    from openpyxl.styles import Alignment

    columns = [c for c in _COLUMNS if combined or c != "Macro/Micro"]
    book = Workbook()
    sheet = book.active
    sheet.title = "Sheet1"
    sheet.append(columns)
    first_b = sum(row.coder == "A" for row in rows)
    ms_only = range(first_b, first_b + round(_MS_ONLY_SHARE * (len(rows) - first_b)))
    for index, row in enumerate(rows):
        cells = _cells(row, ms_only=index in ms_only)
        sheet.append([cells[column] for column in columns])
    for blank in range(_BLANK_ROWS):
        sheet.cell(row=len(rows) + 2 + blank, column=len(columns)).alignment = Alignment(horizontal="left")
    path = folder / ("coding_file_combined.xlsx" if combined else "coding_file.xlsx")
    book.save(path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)
    return {"ms_only": [index + 2 for index in ms_only]}
