"""The page of an analysis of brain and body, and its figures as files with the numbers behind them."""

from __future__ import annotations

import base64
import csv
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.figure import Figure

from mmme.neuro.group import GroupAnalysis, MapOfScalp
from mmme.neuro.responses import COURSES
from mmme.report.analysis_figures import (
    bars_by_group,
    connectogram,
    contrast_name,
    counts_table,
    course,
    dz_forest,
    lag_curves,
    scalp_map,
    source_views,
)

__all__ = ["AnalysisMaterial", "write_analysis_page"]

Row = Mapping[str, Any]
Step = Callable[[str, int, int], None]
DPI = 130
#: Columns of tables on the page, and what they are called there.
SHOWN: Mapping[str, Mapping[str, str]] = {
    "questions": {
        "family": "family",
        "question": "question",
        "p": "p alone",
        "p_family": "p in its family",
        "q_family": "q",
        "p_all": "p over all",
    },
    "clusters": {
        "lock": "lock",
        "contrast": "contrast",
        "measure": "measure",
        "p": "p",
        "start_s": "from [s]",
        "stop_s": "to [s]",
        "peak_channel": "peak",
        "difference": "difference",
        "dz": "dz",
        "as_recorded": "with components",
        "as_recorded_p": "p there",
        "muscle_db": "muscle [dB]",
        "muscle_db_p": "p of muscle",
        "muscle_db_r": "r with muscle",
        "eyes_uv": "eyes [µV]",
        "eyes_uv_p": "p of eyes",
    },
    "responses": {
        "what": "measure",
        "contrast": "contrast",
        "n_subjects": "subjects",
        "difference": "difference",
        "low": "low",
        "high": "high",
        "dz": "dz",
        "mixed_estimate": "mixed model",
        "mixed_low": "low ",
        "mixed_high": "high ",
        "sd_subject": "sd subjects",
        "sd_stimulus": "sd stimuli",
        "mixed_note": "note",
    },
    "coupling": {
        "signal": "signal",
        "scope": "scope",
        "n_subjects": "subjects",
        "peak_r": "r",
        "peak_lag_s": "lag [s]",
        "peak_low_s": "low",
        "peak_high_s": "high",
        "leads": "leads",
        "information_bit": "shared [bit]",
        "information_by_chance_bit": "by chance",
        "information_p": "p of sharing",
    },
    "graphs": {
        "measure": "measure",
        "band": "band",
        "contrast": "contrast",
        "difference": "difference",
        "low": "low",
        "high": "high",
        "dz": "dz",
    },
    "by_group": {
        "by": "by",
        "group": "group",
        "signal": "signal",
        "n_subjects": "subjects",
        "peak_r": "r",
        "peak_lag_s": "lag [s]",
        "leads": "leads",
        "p": "p",
        "q": "q",
    },
    "quality": {
        "signal": "signal",
        "n_recordings": "recordings",
        "median": "usable, median",
        "lowest": "lowest",
        "of": "of",
        "mostly": "what mostly speaks against it",
    },
    "events": {},
}


@dataclass(frozen=True, slots=True, eq=False)
class AnalysisMaterial:
    """
    What the page is made of.

    Parameters
    ----------
    title
        Study.
    simulated
        Whether all data are.
    group
        Subjects put together.
    validation
        Tables of the annotation by name.
    methods
        Paragraph.
    notes, failures
        What could not be done.
    """

    title: str
    simulated: bool
    group: GroupAnalysis
    validation: Mapping[str, Sequence[Row]]
    methods: str
    notes: Sequence[str]
    failures: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Shown:
    """A figure on disk, and what is said below it."""

    section: str
    caption: str
    path: Path
    on_page: bool


@dataclass(frozen=True, slots=True)
class _Planned:
    """A figure to be drawn."""

    section: str
    caption: str
    name: str
    on_page: bool
    make: Callable[[], Figure]
    rows: Sequence[Row]


def write_analysis_page(material: AnalysisMaterial, out: Path, *, step: Step | None = None) -> Path:
    """
    Write all figures (SVG, PNG, and CSV of what is drawn) to ``out/figures`` and the page to ``out/analysis.html``.

    Parameters
    ----------
    material
        Results.
    out
        Folder.
    step
        Called with a task, done, and all.

    Returns
    -------
    Path
        The page; it holds its figures and needs no other file.
    """
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = _draw(material, folder, step)
    source = resources.files("mmme.report").joinpath("analysis.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["cell"] = _cell
    sections: dict[str, list[dict[str, str]]] = {}
    for one in drawn:
        if one.on_page:
            sections.setdefault(one.section, []).append(
                {"caption": one.caption, "png": base64.b64encode(one.path.read_bytes()).decode("ascii")}
            )
    g = material.group
    tables: dict[str, Sequence[Row]] = {
        "questions": sorted(g.questions, key=lambda q: (q["p_all"], q["p"])),
        "clusters": [c for c in g.clusters if c["p"] < 0.05],
        "responses": g.responses,
        "coupling": g.coupling,
        "graphs": [r for r in g.graphs if abs(r["t"]) > 2],
        "by_group": [r for r in g.coupling_by_group if r["q"] < 0.05],
        "quality": _quality(g.quality),
        "events": g.events,
    }
    text = environment.from_string(source).render(
        title=material.title,
        simulated=material.simulated,
        claims=[_claim(c, g) for c in g.claims],
        n_questions=len(g.questions),
        figures=sections,
        others=len([d for d in drawn if not d.on_page]),
        tables={name: _table(rows, SHOWN[name]) for name, rows in tables.items() if rows},
        validation={name: _table(rows, {}) for name, rows in material.validation.items() if name in VALIDATION},
        names=VALIDATION,
        methods=material.methods,
        notes=[*material.failures, *material.notes],
    )
    target = out / "analysis.html"
    unfinished = target.with_name(f".{target.name}.partial")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, target)  # noqa: PTH105 - atomic on every platform
    return target


#: Tables of the annotation that are on the page; the others are files only.
VALIDATION: Mapping[str, str] = {
    "coders": "Agreement of coders",
    "durations": "Durations",
    "composite": "Composite classes",
    "order": "Order of trials: change of expressions per trial, over ten trials",
    "scales": "Self-report: consistency",
    "intraclass": "Self-report: agreement of subjects on stimuli, all six forms",
    "corpora": "Beside published corpora",
}


def _claim(question: Row, g: GroupAnalysis) -> str:
    """Say in one sentence what was found."""
    name, family = str(question["question"]), str(question["family"])
    what, _, last = name.rpartition(", ")
    text = f"{family}: {name}"
    if family.startswith("brain"):
        lock = family.removeprefix("brain at ")
        own = [c for c in g.clusters if (c["measure"], c["contrast"], c["lock"]) == (what, last, lock)]
        if own:
            c = own[0]
            unit = "µV" if what == "erp" else "dB"
            text = (
                f"{what} at {c['peak_channel']}, {c['start_s']:.2f} to {c['stop_s']:.2f} s from the {lock}: "
                f"{c['difference']:+.2f} {unit} ({contrast_name(last)})"
            )
    elif family == "body":
        r = next(r for r in g.responses if (r["measure"], r["contrast"]) == (what, last))
        text = f"{r['what']}: {r['difference']:+.3g} [{r['low']:+.3g}, {r['high']:+.3g}] ({contrast_name(last)})"
    elif family == "coupling":
        lag = g.lags[last, what]
        when = f"r = {lag.peak_r:+.2f} at {lag.peak_lag_s:+.1f} s (positive: the body follows)"
        text = f"{what} and the face's motion, {last}: {when}"
    return f"{text}; p over all {float(str(question['p_all'])):.3f}"


def _quality(rows: Sequence[Row]) -> list[Row]:
    """One row per signal: the median recording, and the worst with its cause."""
    found: list[Row] = []
    for signal in dict.fromkeys(row["signal"] for row in rows):
        own = [row for row in rows if row["signal"] == signal]
        worst = min(own, key=lambda row: row["usable_share"])
        found.append(
            {
                "signal": signal,
                "n_recordings": len(own),
                "median": float(np.median([row["usable_share"] for row in own])),
                "lowest": worst["usable_share"],
                "of": worst["recording"],
                "mostly": worst["mostly"],
            }
        )
    return found


def _cell(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3g}"
    return str(value)


def _table(rows: Sequence[Row], columns: Mapping[str, str]) -> dict[str, Any]:
    there = list(dict.fromkeys(name for row in rows for name in row))
    wanted = [name for name in columns if name in there] if columns else there
    return {
        "head": [columns.get(n, n.replace("_", " ")) for n in wanted],
        "rows": [[row.get(n, "") for n in wanted] for row in rows],
    }


def _draw(material: AnalysisMaterial, folder: Path, step: Step | None) -> list[_Shown]:
    """Draw and store every figure, each with the rows behind it."""
    planned = [
        *_brain(material.group),
        *_networks(material.group),
        *_body(material.group),
        *_coupling(material.group),
        *_annotation(material.validation),
    ]
    drawn = []
    for k, one in enumerate(planned):
        stem = re.sub(r"[^a-z0-9]+", "-", one.name.lower()).strip("-")
        figure = one.make()
        for ending in ("svg", "png"):
            unfinished = folder / f".{stem}.partial.{ending}"
            metadata = {"Date": None, "Creator": None} if ending == "svg" else {"Software": None}
            figure.savefig(unfinished, dpi=DPI, metadata=metadata)
            os.replace(unfinished, folder / f"{stem}.{ending}")  # noqa: PTH105 - atomic on every platform
        _write_rows(folder / f"{stem}.csv", one.rows)
        drawn.append(_Shown(one.section, one.caption, folder / f"{stem}.png", one.on_page))
        if step:
            step("figures", k + 1, len(planned))
    return drawn


def _brain(g: GroupAnalysis) -> Iterator[_Planned]:
    claimed = {(q["family"], q["question"]) for q in g.claims}
    for found in g.maps:
        name = f"{found.measure}, {found.contrast}"
        on_page = (f"brain at {found.lock}", name) in claimed or (found.lock, found.contrast) == ("onset", "micro")
        stem = f"scalp {found.lock} {found.contrast} {found.measure}"
        caption = f"{name}, from the {found.lock}"
        yield _Planned("brain", caption, stem, on_page, partial(scalp_map, found), _map_rows(found))
    for (lock, contrast, start, stop), source in g.sources.items():
        title = f"potential, {contrast_name(contrast)}, {start:.2f} to {stop:.2f} s from the {lock}"
        reach = (
            f"Template head, sLORETA; 95 % of the peaks of resampled subjects lie within {source.reach_mm:.0f} mm (circle)."
        )
        rows = [
            {"right_mm": x, "front_mm": y, "up_mm": z, "strength": s}
            for (x, y, z), s in zip(source.places_mm, source.strength, strict=True)
        ]
        stem = f"source {lock} {contrast} {1e3 * start:.0f} {1e3 * stop:.0f} ms"
        yield _Planned("brain", reach, stem, on_page=True, make=partial(source_views, source, title), rows=rows)


def _networks(g: GroupAnalysis) -> Iterator[_Planned]:
    nodes = g.network_channels
    for (band, contrast), test in g.networks.items():
        largest = test.components[0].p if test.components else 1.0
        rows = [
            {"component": k + 1, "p": c.p, "sign": c.sign, "from": nodes[i], "to": nodes[j], "t": test.t[i, j]}
            for k, c in enumerate(test.components)
            for i, j in c.links
        ]
        make = partial(connectogram, test, nodes, f"{band}, {contrast}")
        yield _Planned(
            "networks", f"{band}, {contrast_name(contrast)}", f"links {band} {contrast}", largest < 0.05, make, rows
        )


def _body(g: GroupAnalysis) -> Iterator[_Planned]:
    for one in g.courses:
        rows = [
            {"time_s": t, "shown": a, "neutral": b, "difference": d, "difference_low": low, "difference_high": high}
            for t, a, b, d, low, high in zip(one.t_s, one.shown[0], one.neutral[0], *one.difference, strict=True)
        ]
        make = partial(course, one, COURSES[one.name][1])
        yield _Planned("body", "", f"course {one.name} {one.kind}", on_page=True, make=make, rows=rows)
    if g.responses:
        make = partial(dz_forest, g.responses)
        yield _Planned("body", "Effect sizes of all responses.", "effect sizes", on_page=True, make=make, rows=g.responses)


def _coupling(g: GroupAnalysis) -> Iterator[_Planned]:
    for scope in dict.fromkeys(key[0] for key in g.lags):
        own = {signal: lag for (s, signal), lag in g.lags.items() if s == scope}
        rows = [
            {"signal": n, "lag_s": t, "r": r, "low": low, "high": high}
            for n, lag in own.items()
            for t, r, low, high in zip(lag.lag_s, lag.r, lag.low, lag.high, strict=True)
        ]
        make = partial(lag_curves, own, f"Face and body, {scope}")
        yield _Planned("coupling", "", f"lags {scope}", on_page=True, make=make, rows=rows)


def _annotation(tables: Mapping[str, Sequence[Row]]) -> Iterator[_Planned]:
    for name, down, across, title in (
        ("targets", "target", "coded", "Stimulus chosen for, and emotion coded"),
        ("action_units", "unit", "emotion", "Action units by emotion"),
        ("answers", "item", "answer", "Answers"),
    ):
        told = tables.get(name, [])
        if not told:
            continue
        downs, acrosses = (sorted({row[c] for row in told}, key=_natural) for c in (down, across))
        counts = np.zeros((len(downs), len(acrosses)))
        for row in told:
            counts[downs.index(row[down]), acrosses.index(row[across])] += row["n"]
        make = partial(counts_table, counts, [str(x) for x in downs], [str(x) for x in acrosses], title)
        yield _Planned("annotation", "", f"annotation {name}", on_page=True, make=make, rows=told)
    films = tables.get("stimuli", [])
    if films:
        groups = {kind: [row[kind] / row["n_trials"] for row in films] for kind in ("micro", "macro")}
        make = partial(bars_by_group, groups, "expressions per trial", "Stimuli")
        yield _Planned("annotation", "Each dot is a stimulus.", "annotation stimuli", on_page=True, make=make, rows=films)


def _natural(value: Any) -> tuple[str, int]:
    text = str(value)
    digits = re.search(r"\d+", text)
    return re.sub(r"\d+.*", "", text), int(digits.group()) if digits else 0


def _map_rows(found: MapOfScalp) -> list[Row]:
    inside = np.zeros(found.mean.shape, dtype=int)
    for k, mask in enumerate(found.test.masks):
        inside[mask & (inside == 0)] = k + 1
    return [
        {"channel": name, "time_s": t, "mean": found.mean[i, j], "low": found.low[i, j], "high": found.high[i, j],
         "t": found.test.t[i, j], "cluster": inside[i, j]}
        for i, name in enumerate(found.channels)
        for j, t in enumerate(found.t_s.round(4))
    ]  # fmt: skip


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    unfinished = path.with_name(f".{path.name}.partial")
    with unfinished.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in rows for name in row)), restval="")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    os.replace(unfinished, path)  # noqa: PTH105 - atomic on every platform
