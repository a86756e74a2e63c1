"""Is a data set what it says: coders, scales, durations, action units, stimuli and order, beside published corpora."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from mmme.datasets.study import Study
from mmme.errors import ConfigError, DataError
from mmme.io.bids_tsv import read_tsv
from mmme.metrics.scales import cronbach_alpha, intraclass_correlations, likert_counts
from mmme.neuro.responses import paired_response
from mmme.study.agreement import agree_study
from mmme.trials import unique_expressions
from mmme.types import Expression, Trial

__all__ = ["RATINGS", "Validation", "published_corpora", "validate_trials"]

#: Ratings beside a study: one row per answer.
RATINGS = "ratings.tsv"
RATING_COLUMNS = ("subject", "stimulus", "item", "rating")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """
    What `validate_trials` found.

    Parameters
    ----------
    tables
        Rows by name: ``coders, durations, action_units, targets, stimuli, order, composite, corpora``, and where there
        are ratings ``scales, intraclass, answers``.
    notes
        What could not be answered.
    """

    tables: Mapping[str, list[Row]]
    notes: tuple[str, ...]


def published_corpora() -> list[Row]:
    """Return what is published of other corpora, for the table beside one's own."""
    text = resources.files("mmme.study").joinpath("corpora.toml").read_text(encoding="utf-8")
    return [{"corpus": name, **facts} for name, facts in tomllib.loads(text).items()]


def validate_trials(study: Study, trials: Sequence[Trial], *, min_iou: float = 0.5, seed: int = 0) -> Validation:
    """
    Describe the annotation of a study and test what should not be there.

    Parameters
    ----------
    study
        Imported.
    trials
        All, with the expressions of all coders.
    min_iou
        Of two coders' rows of one expression.
    seed
        Of permutations.

    Returns
    -------
    Validation
    """
    notes: list[str] = []
    shown = [(trial, e) for trial in trials for e in unique_expressions(trial, min_iou=min_iou)]
    tables: dict[str, list[Row]] = {
        "coders": _coders(study, notes),
        "durations": _durations(shown),
        "action_units": _units(shown),
        "targets": [
            {"target": t, "coded": c, "n": n}
            for (t, c), n in sorted(Counter((trial.label, e.emotion or "not named") for trial, e in shown).items())
        ],
        "stimuli": _stimuli(trials, shown),
        "order": _order(trials, shown, notes, seed),
        "composite": _composite(study, shown, notes),
        "corpora": [_own(study, trials, shown), *published_corpora()],
    }
    tables |= _ratings(study.path / RATINGS, notes)
    return Validation({name: rows for name, rows in tables.items() if rows}, tuple(notes))


def _coders(study: Study, notes: list[str]) -> list[Row]:
    try:
        found = agree_study(study.path)
    except (DataError, ConfigError) as error:
        notes.append(f"coders: {error}")
        return []
    return [
        {"coders": f"{pair.first}, {pair.second}", "n_subjects": len(pair.subjects), **asdict(score)}
        for pair in found.pairs
        for score in pair.scores
    ]


def _durations(shown: Sequence[tuple[Trial, Expression]]) -> list[Row]:
    rows = []
    for kind in ("micro", "macro"):
        own = [e for _, e in shown if e.kind == kind and "offset" not in e.assumed]
        for emotion in ("all", *sorted({e.emotion for e in own if e.emotion})):
            ms = np.array([1e3 * e.duration_s for e in own if emotion in ("all", e.emotion)])
            if ms.size:
                low, middle, high = np.percentile(ms, [25, 50, 75])
                sd = float(ms.std(ddof=1)) if ms.size > 1 else float("nan")
                facts = {"mean_ms": ms.mean(), "sd_ms": sd, "q25_ms": low, "median_ms": middle, "q75_ms": high}
                rows.append({"kind": kind, "emotion": emotion, "n": ms.size, **{k: float(v) for k, v in facts.items()}})
    return rows


def _units(shown: Sequence[tuple[Trial, Expression]]) -> list[Row]:
    counts = Counter((e.kind, unit, e.emotion or "not named") for _, e in shown for unit in e.aus)
    return [{"kind": k, "unit": u, "emotion": m, "n": n} for (k, u, m), n in sorted(counts.items())]


def _stimuli(trials: Sequence[Trial], shown: Sequence[tuple[Trial, Expression]]) -> list[Row]:
    rows = []
    for stimulus in sorted({trial.stimulus for trial in trials}):
        own = [trial for trial in trials if trial.stimulus == stimulus]
        kinds = Counter(e.kind for trial, e in shown if trial.stimulus == stimulus)
        with_any = len({trial.id for trial, _ in shown if trial.stimulus == stimulus})
        rows.append(
            {
                "stimulus": stimulus,
                "target": own[0].label,
                "n_trials": len(own),
                "micro": kinds["micro"],
                "macro": kinds["macro"],
                "share_of_trials_with_any": with_any / len(own),
            }
        )
    return rows


def _order(trials: Sequence[Trial], shown: Sequence[tuple[Trial, Expression]], notes: list[str], seed: int) -> list[Row]:
    """Test whether subjects show more or fewer expressions as a session goes on: one slope per subject, signs flipped."""
    rows = []
    counts = {kind: Counter(trial.id for trial, e in shown if e.kind == kind) for kind in ("micro", "macro")}
    for kind in ("micro", "macro"):
        slopes, who = [], []
        for subject in sorted({trial.subject for trial in trials}):
            own = sorted((t for t in trials if t.subject == subject), key=lambda t: t.span.start)
            y = np.array([counts[kind][trial.id] for trial in own], dtype=np.float64)
            if len(own) >= 4 and y.std() > 0:
                slopes.append(float(np.polyfit(np.arange(len(own)), y, 1)[0]) * 10)
                who.append(subject)
        try:
            found = paired_response(np.array(slopes), who, seed=seed)
        except DataError as error:
            notes.append(f"order of trials, {kind}: {error}")
            continue
        p = float((1 + np.count_nonzero(found.null >= found.observed - 1e-12)) / (1 + found.null.size))
        rows.append(
            {
                "kind": kind,
                "n_subjects": found.n_subjects,
                "change_per_10_trials": found.difference,
                "low": found.low,
                "high": found.high,
                "p": p,
            }
        )
    return rows


def _composite(study: Study, shown: Sequence[tuple[Trial, Expression]], notes: list[str]) -> list[Row]:
    try:
        three = study.info.class_map("emotion3")
    except ConfigError as error:
        notes.append(f"composite classes: {error}")
        return []
    counts = Counter((e.kind, three.get(e.emotion) or "in none") for _, e in shown)
    total = Counter(e.kind for _, e in shown)
    return [{"kind": k, "class": c, "n": n, "share": n / total[k]} for (k, c), n in sorted(counts.items())]


def _own(study: Study, trials: Sequence[Trial], shown: Sequence[tuple[Trial, Expression]]) -> Row:
    kinds = Counter(e.kind for _, e in shown)
    ms = [1e3 * e.duration_s for _, e in shown if e.kind == "micro" and "offset" not in e.assumed]
    return {
        "corpus": f"{study.name} (this study)",
        "subjects": len({t.subject for t in trials}),
        "micro": kinds["micro"],
        "macro": kinds["macro"],
        "micro_ms": round(float(np.mean(ms)), 1) if ms else None,
        "source": "counted",
    }


def _ratings(path: Path, notes: list[str]) -> dict[str, list[Row]]:
    """
    Judge self-reports: consistency of items over subjects and stimuli, agreement of subjects on stimuli, answers.

    Raises
    ------
    DataError
        If the file is there and is not such a table.
    """
    if not path.exists():
        notes.append(f"self-report: no {RATINGS} (columns {', '.join(RATING_COLUMNS)}) beside the coding")
        return {}
    read = read_tsv(path, RATING_COLUMNS)
    try:
        value = {key: float(x) for *key_parts, x in zip(*(read[c] for c in RATING_COLUMNS), strict=True)
                 for key in [tuple(key_parts)] if x not in ("", "n/a")}  # fmt: skip
    except ValueError as error:
        raise DataError(f"{path}: expected numbers in the column rating, got {error}") from error
    subjects, stimuli, items = (sorted({k[i] for k in value}) for i in range(3))
    tables: dict[str, list[Row]] = {"scales": [], "intraclass": [], "answers": []}
    rows = [[value.get((s, m, i)) for i in items] for s in subjects for m in stimuli]
    whole = [[x for x in row if x is not None] for row in rows if all(x is not None for x in row)]
    asked = [row for row in rows if any(x is not None for x in row)]
    if len(whole) < len(asked):
        notes.append(
            f"self-report: {len(asked) - len(whole)} of {len(asked)} answers to a stimulus lack an item and are left out"
        )
    if len(items) > 1 and len(whole) > 1:
        alpha = cronbach_alpha(whole)
        tables["scales"].append(
            {
                "items": " ".join(items),
                "n": alpha.n_subjects,
                "alpha": alpha.value,
                "low": alpha.low,
                "high": alpha.high,
                "alpha_without": dict(zip(items, alpha.if_left_out, strict=False)),
            }
        )
    for item in items:
        given = [value[k] for k in value if k[2] == item]
        low, high = int(min(given)), int(max(given))
        try:
            counts = likert_counts(given, lowest=low, highest=high)
            tables["answers"] += [{"item": item, "answer": low + k, "n": int(n)} for k, n in enumerate(counts)]
        except ValueError as error:
            notes.append(f"self-report, {item}: {error}")
        raters = [s for s in subjects if all((s, m, item) in value for m in stimuli)]
        if len(raters) > 1 and len(stimuli) > 1:
            six = intraclass_correlations([[value[s, m, item] for s in raters] for m in stimuli])
            tables["intraclass"] += [
                {"item": item, "n_stimuli": len(stimuli), "n_raters": len(raters), **asdict(x)} for x in six
            ]
        else:
            notes.append(f"self-report, {item}: expected two subjects who rated all stimuli, got {len(raters)}")
    return tables
