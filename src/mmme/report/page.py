"""The page itself: what was run on what, scores against chance, spotting, clocks, findings, how to repeat it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Protocol

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from mmme.config import as_toml, load_config
from mmme.evaluate import calibration_of
from mmme.interval import Interval
from mmme.metrics import recognition
from mmme.report import figures
from mmme.types import ClockMap, Result

__all__ = ["ExampleTrial", "ReportMaterial", "write_report"]

RECOGNITION_SCORES = ("UF1", "UAR", "accuracy")
CALIBRATION_SCORES = ("Brier score", "calibration error")
UNIT_SCORES = ("macro F1", "micro F1")
RATING_SCORES = ("CCC", "correlation")
SPOTTING_SCORES = ("F1 micro", "F1 macro", "F1 overall")


class FindingLike(Protocol):
    """A coded finding as `mmme.checks` makes it."""

    @property
    def code(self) -> str:
        """Stable code such as ``A001``."""
        ...

    @property
    def level(self) -> str:
        """``error``, ``warning`` or ``note``."""
        ...

    @property
    def where(self) -> str:
        """Place."""
        ...

    @property
    def text(self) -> str:
        """One sentence."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ExampleTrial:
    """
    One trial to look at.

    Parameters
    ----------
    title
        Trial and subject code.
    start_s
        Session time of the trial's start [s].
    truth
        Coded kind and interval.
    traces
        By name: times (k,) [s], values (k,), unit.
    curves
        By modality: times (k,) [s] and likelihood (k,) by kind.
    spotted
        By modality: kind and interval.
    """

    title: str
    start_s: float
    truth: Sequence[tuple[str, Interval]]
    traces: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], str]]
    curves: Mapping[str, tuple[NDArray[np.float64], Mapping[str, NDArray[np.float64]]]]
    spotted: Mapping[str, Sequence[tuple[str, Interval]]]


@dataclass(frozen=True, slots=True, eq=False)
class ReportMaterial:
    """
    Everything a report shows; all parts but the results may be empty.

    Parameters
    ----------
    title
        Heading.
    simulated
        Marks the page as showing simulated data.
    facts
        What was run on what: name and value, in order.
    results
        Recognition and spotting.
    clocks
        By subject and device.
    limit_ms
        Limit of the alignment [ms].
    findings
        From `mmme.checks`.
    examples
        Trials to look at.
    failures
        Recordings that failed, with the sentence that says why.
    evidence : (n_units,) each
        Mean evidence of each action unit [px], by group of expressions.
    action_units
        Names of the units.
    quality : (n_subjects, n_trials) each
        Share of each trial that can be trusted, by signal; NaN where there is nothing.
    quality_subjects
        In the order of the rows.
    quality_causes
        Signal, and what the rest suffers from.
    weights
        By title of a fusion: mean share of each modality in its decisions.
    without
        By title of a fusion, row by row: the signal left out, UF1 without it, and what the fusion loses with its interval
        and p.
    """

    title: str
    simulated: bool
    facts: Sequence[tuple[str, str]]
    results: Sequence[Result]
    clocks: Mapping[str, Mapping[str, ClockMap]] = field(default_factory=dict)
    limit_ms: float = 10.0
    findings: Sequence[FindingLike] = ()
    examples: Sequence[ExampleTrial] = ()
    failures: Sequence[tuple[str, str]] = ()
    evidence: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    action_units: Sequence[str] = ()
    quality: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    quality_subjects: Sequence[str] = ()
    quality_causes: Sequence[tuple[str, str]] = ()
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    without: Mapping[str, Sequence[tuple[str, float, float, float, float, float]]] = field(default_factory=dict)


def _confusion_figures(results: Sequence[Result]) -> list[Markup]:
    """One row of matrices for each set of classes."""
    by_classes: dict[tuple[str, ...], dict[str, NDArray[np.int64]]] = {}
    for result in results:
        classes = tuple(result.protocol["classes"])
        counts = recognition.confusion(
            np.asarray(result.predictions["truth"]), np.asarray(result.predictions["pred"]), classes
        )
        by_classes.setdefault(classes, {})[result.title] = counts
    return [Markup(figures.confusions(matrices, classes)) for classes, matrices in by_classes.items()]  # noqa: S704


def _reliability_figure(results: Sequence[Result]) -> str:
    """One panel for each result whose model gave probabilities."""
    found = {r.title: calibration_of(r.predictions, r.protocol["classes"], n_bootstrap=2) for r in results}
    told = {title: one for title, one in found.items() if one is not None}
    return figures.reliability(told) if told else ""


def write_report(material: ReportMaterial, path: Path) -> Path:
    """
    Write one self-contained HTML page: no script, no external file, figures inside.

    Parameters
    ----------
    material
        What to show.
    path
        The ``.html`` file; replaced only once the new page is complete.

    Returns
    -------
    Path
        The file written.
    """
    recognised = [r for r in material.results if r.task == "recognition"]
    units = [r for r in material.results if r.task == "action-units"]
    rated = [r for r in material.results if r.task == "ratings"]
    spotted = [r for r in material.results if r.task == "spotting"]
    drawn = {
        "recognition": figures.forest(recognised, RECOGNITION_SCORES) if recognised else "",
        "reliability": _reliability_figure(recognised),
        "units": figures.forest(units, UNIT_SCORES) if units else "",
        "ratings": figures.forest(rated, RATING_SCORES) if rated else "",
        "spotting": figures.forest(spotted, SPOTTING_SCORES) if spotted else "",
        "evidence": figures.evidence(material.evidence, material.action_units) if material.evidence else "",
        "quality": figures.quality(material.quality, material.quality_subjects) if material.quality else "",
        "clocks": figures.clock_residuals(material.clocks, material.limit_ms) if material.clocks else "",
    }
    groups = [
        (r.title, Markup(figures.group_scores(r, "UF1")))  # noqa: S704 - our own SVG
        for r in recognised
        if len({s.group for s in r.scores}) > 2
    ]
    examples = [
        (
            Markup(figures.signals(f"{e.title}: what was recorded", e.traces, e.truth, e.start_s)) if e.traces else "",  # noqa: S704
            Markup(figures.spotting_curves(e.title, e.curves, e.truth, e.spotted, e.start_s)) if e.curves else "",  # noqa: S704
        )
        for e in material.examples
    ]
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = resources.files("mmme.report").joinpath("page.html.jinja").read_text(encoding="utf-8")
    html = environment.from_string(
        source
    ).render(
        m=material,
        recognised=recognised,
        units=units,
        rated=rated,
        spotted=spotted,
        figures={k: Markup(v) for k, v in drawn.items()},  # noqa: S704 - our own SVG
        confusions=_confusion_figures(recognised),
        groups=groups,
        examples=examples,
        configs=[(r, as_toml(load_config(r.config["run"]))) for r in material.results[:1] if "run" in r.config],
        recognition_scores=RECOGNITION_SCORES,
        calibration_scores=CALIBRATION_SCORES,
        unit_scores=UNIT_SCORES,
        rating_scores=RATING_SCORES,
        spotting_scores=SPOTTING_SCORES,
    )
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(html, encoding="utf-8")
    os.replace(temporary, path)  # noqa: PTH105 - atomic on every platform
    return path
