"""Subjects put together: every question of an analysis, in the families they were put into beforehand."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mmme.errors import DataError
from mmme.features.brain.interpolation import electrode_places
from mmme.neuro.clusters import Cluster, ClusterTest, cluster_test, neighbours
from mmme.neuro.coupling import GroupLag, LaggedRelation, group_lag
from mmme.neuro.evoked import MEASURES, differences_of
from mmme.neuro.families import Question, answered
from mmme.neuro.network_statistic import NetworkTest, network_based_statistic
from mmme.neuro.networks import GRAPH_MEASURES, NETWORK_BANDS_HZ, graph_measures
from mmme.neuro.responses import COURSES, RESPONSES, mixed_effect, paired_response
from mmme.neuro.sources import SourceMap, localised
from mmme.neuro.subject import LOCKS, VARIANTS, SubjectAnalysis

__all__ = ["CONTRASTS", "CourseMeans", "GroupAnalysis", "GroupSettings", "MapOfScalp", "analyse_group"]

#: Each kind against its own neutral moments, and the difference of both differences.
CONTRASTS = ("micro", "macro", "micro-macro")
#: Maps that are questions; muscle power is shown beside them.
ASKED = tuple(m for m in MEASURES if m != "muscle")
LEAST_SUBJECTS = 6
#: Clusters listed of each map.
LISTED = 5
#: Clusters whose places are estimated, each map alone.
LOCALISED_P = 0.05
Row = dict[str, Any]
Step = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """
    How subjects are tested.

    Parameters
    ----------
    n_permutations
        Flips of signs, and surrogates.
    forming_p
        Two-sided p of a channel and time, or of a link, that may belong to a cluster.
    seed
        Of all permutations.
    sources
        Whether places in the head are estimated for clusters of the potential.

    Examples
    --------
    >>> GroupSettings().n_permutations
    1000
    """

    n_permutations: int = 1000
    forming_p: float = 0.01
    seed: int = 0
    sources: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MapOfScalp:
    """
    One measure of the scalp tested over channels and times.

    Parameters
    ----------
    lock, contrast, measure
        What.
    t_s : (n_times,)
        [s].
    channels
        Names.
    mean : (n_channels, n_times)
        Over subjects.
    low, high : (n_channels, n_times)
        95 % interval of the mean at each point alone.
    test
        Clusters.
    """

    lock: str
    contrast: str
    measure: str
    t_s: NDArray[np.float64]
    channels: tuple[str, ...]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    test: ClusterTest


@dataclass(frozen=True, slots=True, eq=False)
class CourseMeans:
    """
    A course of the body over subjects.

    Parameters
    ----------
    name, kind
        What, after which kind of expression.
    t_s : (n_times,)
        From the onset [s].
    shown, neutral, difference : (3, n_times)
        Mean over subjects and ends of its 95 % interval (Student).
    by_subject : (n_subjects, n_times)
        Differences, for a raster.
    """

    name: str
    kind: str
    t_s: NDArray[np.float64]
    shown: NDArray[np.float64]
    neutral: NDArray[np.float64]
    difference: NDArray[np.float64]
    by_subject: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GroupAnalysis:
    """
    What `analyse_group` found.

    Parameters
    ----------
    questions
        One row per question, with corrected p (`mmme.neuro.families.answered`); ``claimed`` tells whether ``p_all < .05``.
    maps
        Of the scalp.
    clusters
        One row per cluster, with muscles, eyes and the other variant of the EEG in the same channels and times.
    sources
        Places in the head of clusters of the potential with p below .05, by lock, contrast and the cluster's times [s].
    networks
        By band and contrast.
    graphs
        One row per graph measure, band and contrast.
    network_channels
        Nodes.
    responses
        One row per measure of the body and contrast, with the mixed model.
    by_emotion, by_unit
        Responses by emotion and by action unit: exploratory, false discovery rate over each table.
    coupling_by_group
        Face and signals around the expressions of one emotion or with one action unit: exploratory, as above.
    quality
        One row per recording and signal: how much of it can be trusted, and what speaks against the rest.
    courses
        Of the body.
    lags
        By scope and signal.
    coupling
        One row per scope and signal; information shared.
    events
        One row per recording: events of each kind, without neutral moment, left out.
    notes
        What could not be measured, by recording and part.
    """

    questions: list[Row]
    maps: tuple[MapOfScalp, ...]
    clusters: list[Row]
    sources: Mapping[tuple[str, str, float, float], SourceMap]
    networks: Mapping[tuple[str, str], NetworkTest]
    graphs: list[Row]
    network_channels: tuple[str, ...]
    responses: list[Row]
    by_emotion: list[Row]
    by_unit: list[Row]
    courses: tuple[CourseMeans, ...]
    lags: Mapping[tuple[str, str], GroupLag]
    coupling: list[Row]
    coupling_by_group: list[Row]
    quality: list[Row]
    events: list[Row]
    notes: tuple[str, ...]

    @property
    def claims(self) -> list[Row]:
        """Questions answered with an effect."""
        return [row for row in self.questions if row["claimed"]]


def analyse_group(
    subjects: Sequence[SubjectAnalysis], *, settings: GroupSettings | None = None, step: Step | None = None
) -> GroupAnalysis:
    """
    Ask every question of subjects' analyses that they can answer.

    Families: ``brain at onset``, ``brain at apex`` (potential and band power over channels and times, three contrasts),
    ``networks`` (links and graph measures of each band), ``body`` (responses), ``coupling`` (face with each signal). They
    are fixed before any datum is seen; a question that cannot be asked leaves its family and a sentence.

    Parameters
    ----------
    subjects
        One per recording; recordings of one subject are averaged before any test.
    settings
        Permutations.
    step
        Called with a task, done, and all.

    Returns
    -------
    GroupAnalysis

    Raises
    ------
    DataError
        If there are no analyses.
    """
    if not subjects:
        raise DataError("analysis: expected at least one analysed recording, got none")
    settings = settings or GroupSettings()
    notes = [f"{one.recording}: {note}" for one in subjects for note in one.notes]
    questions: list[Question] = []
    maps, clusters, sources = _brain(subjects, settings, questions, notes, step)
    networks, graphs, nodes = _networks(subjects, settings, questions, notes)
    responses = _responses(subjects, settings, questions, notes)
    lags, coupling = _coupling(subjects, settings, questions, notes)
    rows = answered(questions)
    for row in rows:
        row["claimed"] = bool(float(str(row["p_all"])) < 0.05)
    return GroupAnalysis(
        questions=rows,
        maps=maps,
        clusters=clusters,
        sources=sources,
        networks=networks,
        graphs=graphs,
        network_channels=nodes,
        responses=responses,
        by_emotion=_exploratory(subjects, "emotion"),
        by_unit=_exploratory(subjects, "unit"),
        courses=_courses(subjects),
        lags=lags,
        coupling=coupling,
        coupling_by_group=_coupling_by_group(subjects, settings),
        quality=[{"recording": one.recording, "subject": one.subject, **row} for one in subjects for row in one.quality],
        events=[_counted(one) for one in subjects],
        notes=tuple(notes),
    )


def _counted(one: SubjectAnalysis) -> Row:
    means = next(iter(one.evoked.values()), None)
    return {
        "recording": one.recording,
        "subject": one.subject,
        **{kind: sum(p.kind == kind for p in one.pairs) for kind in ("micro", "macro")},
        "alone": sum(p.alone for p in one.pairs),
        "without_neutral_moment": len(one.without),
        "epochs": sum(means.counts.values()) if means else 0,
        "epochs_left_out": sum(means.left_out.values()) if means else 0,
    }


def _by_subject(subjects: Sequence[SubjectAnalysis], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the rows of one subject's recordings; those that are NaN take no part."""
    names = [one.subject for one in subjects]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # subjects without any value stay NaN
        return np.array(
            [np.nanmean(rows[[i for i, n in enumerate(names) if n == name]], axis=0) for name in dict.fromkeys(names)]
        )


def _mean_with_interval(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over subjects, and ends of its interval, ``(3, ...)``; NaN with fewer than two."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        n = np.isfinite(rows).sum(axis=0)
        mean, sd = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0, ddof=1)
        half = stats.t.isf(0.025, np.maximum(n - 1, 1)) * sd / np.sqrt(np.maximum(n, 1))
    half = np.where(n > 1, half, np.nan)
    return np.array([mean, mean - half, mean + half])


def _brain(
    subjects: Sequence[SubjectAnalysis],
    settings: GroupSettings,
    questions: list[Question],
    notes: list[str],
    step: Step | None,
) -> tuple[tuple[MapOfScalp, ...], list[Row], dict[tuple[str, str, float, float], SourceMap]]:
    variants = [v for v in VARIANTS if any((v, LOCKS[0]) in one.evoked for one in subjects)]
    if not variants:
        return (), [], {}
    asked = variants[-1]
    have = [one for one in subjects if (asked, LOCKS[0]) in one.evoked]
    channels = _common(have, asked, notes)
    if len(channels) < 4:
        notes.append(f"brain: expected at least 4 channels that all recordings have, got {len(channels)}")
        return (), [], {}
    near = neighbours(channels)
    maps: list[MapOfScalp] = []
    rows: list[Row] = []
    sources: dict[tuple[str, str, float, float], SourceMap] = {}
    todo = [(lock, contrast) for lock in LOCKS for contrast in CONTRASTS]
    for done, (lock, contrast) in enumerate(todo):
        by_variant = {
            v: _by_subject(have, differences_of([one.evoked[v, lock] for one in have], channels)[contrast])
            for v in variants
            if all((v, lock) in one.evoked for one in have)
        }
        x = by_variant[asked]
        whole = np.isfinite(x[:, 0]).all(axis=(1, 2))
        if whole.sum() < LEAST_SUBJECTS:
            notes.append(
                f"brain at {lock}, {contrast}: {whole.sum()} subjects have such events, at least {LEAST_SUBJECTS} needed"
            )
            continue
        eyes = _eyes(have, lock, contrast)
        t_s = have[0].evoked[asked, lock].t_s
        for k, measure in enumerate(MEASURES[: len(ASKED)]):
            test = cluster_test(
                x[whole, k], t_s, channels, near=near, forming_p=settings.forming_p,
                n_permutations=settings.n_permutations, seed=settings.seed,
            )  # fmt: skip
            questions.append(Question(f"brain at {lock}", f"{measure}, {contrast}", test.observed, test.null))
            mean, low, high = _mean_with_interval(x[whole, k])
            maps.append(MapOfScalp(lock, contrast, measure, t_s, channels, mean, low, high, test))
            others = {v: y[whole] for v, y in by_variant.items() if v != asked}
            for rank, cluster in enumerate(test.clusters[:LISTED]):
                row = _cluster_row(cluster, lock, contrast, measure, asked)
                row |= _beside(test.masks[rank], x[whole], k, others, eyes[whole] if eyes is not None else None)
                rows.append(row)
                if settings.sources and measure == "erp" and cluster.p < LOCALISED_P:
                    times = test.masks[rank].any(axis=0)
                    try:
                        sources[lock, contrast, cluster.start_s, cluster.stop_s] = localised(
                            x[whole, k][:, :, times].mean(axis=2), channels, seed=settings.seed
                        )
                    except DataError as error:
                        notes.append(f"brain at {lock}, {contrast}: {error}")
            if step:
                step("scalp maps", done * len(ASKED) + k + 1, len(todo) * len(ASKED))
    return tuple(maps), rows, sources


def _common(subjects: Sequence[SubjectAnalysis], variant: str, notes: list[str]) -> tuple[str, ...]:
    """Channels with a known place that every recording has with a signal."""
    first = subjects[0].evoked[variant, LOCKS[0]].channels
    known = electrode_places(first)
    kept: list[str] = []
    gone: list[str] = []
    for name in first:
        there = name in known
        for one in subjects:
            means = one.evoked[variant, LOCKS[0]]
            values = [v for c, v in means.values.items() if means.counts[c]]
            there = there and name in means.channels
            there = there and all(np.isfinite(v[0, means.channels.index(name)]).all() for v in values)
        (kept if there else gone).append(name)
    if gone:
        notes.append(f"brain: without {', '.join(gone)}, which have no known place or no signal in every recording")
    return tuple(kept)


def _eyes(subjects: Sequence[SubjectAnalysis], lock: str, contrast: str) -> NDArray[np.float64] | None:
    """Difference of eye movement per subject, ``(n_subjects, n_times)``, NaN without eye channels; None if none has any."""
    known = next((one.eyes[lock, "micro"] for one in subjects if (lock, "micro") in one.eyes), None)
    if known is None:
        return None
    nothing = np.full(known.shape, np.nan)
    micro, macro = (
        np.array(
            [one.eyes.get((lock, kind), nothing) - one.eyes.get((lock, f"neutral-{kind}"), nothing) for one in subjects]
        )
        for kind in ("micro", "macro")
    )
    return _by_subject(subjects, {"micro": micro, "macro": macro, "micro-macro": micro - macro}[contrast])


def _cluster_row(cluster: Cluster, lock: str, contrast: str, measure: str, variant: str) -> Row:
    return {
        "lock": lock,
        "contrast": contrast,
        "measure": measure,
        "eeg": variant,
        "sign": cluster.sign,
        "p": cluster.p,
        "mass": cluster.mass,
        "start_s": cluster.start_s,
        "stop_s": cluster.stop_s,
        "peak_channel": cluster.peak_channel,
        "peak_s": cluster.peak_s,
        "peak_t": cluster.peak_t,
        "difference": cluster.difference,
        "dz": cluster.dz,
        "channels": " ".join(cluster.channels),
    }


def _beside(
    mask: NDArray[np.bool_],
    x: NDArray[np.float64],
    k: int,
    others: Mapping[str, NDArray[np.float64]],
    eyes: NDArray[np.float64] | None,
) -> Row:
    """Describe muscles and eyes in a cluster's channels and times, and the same measure in other variants of the EEG."""
    own = x[:, k][:, mask].mean(axis=1)
    row: Row = {}
    for name, values in {
        "muscle_db": x[:, MEASURES.index("muscle")][:, mask].mean(axis=1),
        **({"eyes_uv": eyes[:, mask.any(axis=0)].mean(axis=1)} if eyes is not None else {}),
        **{v.replace(" ", "_"): y[:, k][:, mask].mean(axis=1) for v, y in others.items()},
    }.items():
        known = np.isfinite(values)
        enough = known.sum() >= LEAST_SUBJECTS and values[known].std() > 0
        t, p = stats.ttest_1samp(values[known], 0.0) if enough else (np.nan, np.nan)
        r = np.corrcoef(own[known], values[known])[0, 1] if enough and own[known].std() > 0 else np.nan
        mean = float(values[known].mean()) if known.any() else float("nan")
        row |= {name: mean, f"{name}_t": float(t), f"{name}_p": float(p), f"{name}_r": float(r)}
    return row


def _contrast(
    subjects: Sequence[SubjectAnalysis], micro: NDArray[Any], macro: NDArray[Any]
) -> dict[str, NDArray[np.float64]]:
    found = {"micro": micro, "macro": macro, "micro-macro": micro - macro}
    return {name: _by_subject(subjects, rows) for name, rows in found.items()}


def _networks(
    subjects: Sequence[SubjectAnalysis], settings: GroupSettings, questions: list[Question], notes: list[str]
) -> tuple[dict[tuple[str, str], NetworkTest], list[Row], tuple[str, ...]]:
    have = [one for one in subjects if one.networks]
    if not have:
        return {}, [], ()
    nodes = tuple(c for c in have[0].network_channels if all(c in one.network_channels for one in have))
    tests: dict[tuple[str, str], NetworkTest] = {}
    rows: list[Row] = []
    for band in NETWORK_BANDS_HZ:
        matrices = {kind: _matrices(have, band, kind, nodes) for kind in ("micro", "macro")}
        measured = {kind: _graph_differences(pair, settings.seed) for kind, pair in matrices.items()}
        links = _contrast(have, *(pair[0] - pair[1] for pair in matrices.values()))
        for contrast in CONTRASTS:
            x = links[contrast]
            whole = np.isfinite(x).all(axis=(1, 2))
            if whole.sum() < LEAST_SUBJECTS:
                notes.append(
                    f"networks, {band}, {contrast}: {whole.sum()} subjects have enough events, {LEAST_SUBJECTS} needed"
                )
                continue
            test = network_based_statistic(
                x[whole], forming_p=settings.forming_p, n_permutations=settings.n_permutations, seed=settings.seed
            )
            tests[band, contrast] = test
            questions.append(Question("networks", f"links, {band}, {contrast}", test.observed, test.null))
        for name in GRAPH_MEASURES:
            for contrast, values in _contrast(have, measured["micro"][name], measured["macro"][name]).items():
                row = _tested("networks", f"{name}, {band}, {contrast}", values, settings, questions)
                if row:
                    rows.append({"measure": name, "band": band, "contrast": contrast, **row})
    return tests, rows, nodes


def _matrices(
    subjects: Sequence[SubjectAnalysis], band: str, kind: str, nodes: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Networks of the expressions and of their neutral moments; NaN where a subject has too few."""
    pair = []
    for condition in (kind, f"neutral-{kind}"):
        own = []
        for one in subjects:
            rows = [one.network_channels.index(c) for c in nodes]
            matrix = one.networks.get((band, condition))
            own.append(np.full((len(nodes),) * 2, np.nan) if matrix is None else matrix[np.ix_(rows, rows)])
        pair.append(np.array(own))
    return pair[0], pair[1]


def _graph_differences(pair: tuple[NDArray[np.float64], NDArray[np.float64]], seed: int) -> dict[str, NDArray[np.float64]]:
    found = {name: np.full(len(pair[0]), np.nan) for name in GRAPH_MEASURES}
    whole = np.isfinite(pair[0]).all(axis=(1, 2)) & np.isfinite(pair[1]).all(axis=(1, 2))
    if whole.any() and pair[0].shape[1] > 4:
        shown, neutral = (graph_measures((m + m.swapaxes(1, 2))[whole] / 2, seed=seed)[0] for m in pair)
        for name in GRAPH_MEASURES:
            found[name][whole] = shown[name] - neutral[name]
    return found


def _tested(
    family: str, name: str, by_subject: NDArray[np.float64], settings: GroupSettings, questions: list[Question]
) -> Row | None:
    """Test subjects' differences and ask the question; None where too few subjects have a value."""
    known = np.isfinite(by_subject)
    if known.sum() < LEAST_SUBJECTS or by_subject[known].std() == 0:
        return None
    found = paired_response(
        by_subject[known], [f"{i}" for i in np.flatnonzero(known)], n_draws=settings.n_permutations, seed=settings.seed
    )
    questions.append(Question(family, name, found.observed, found.null))
    return {
        "n_subjects": found.n_subjects,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "dz": found.dz,
        "dz_low": found.dz_low,
        "dz_high": found.dz_high,
        "t": found.t,
    }


def _event_rows(subjects: Sequence[SubjectAnalysis], column: str) -> tuple[list[Any], NDArray[np.float64]]:
    """Subject and pair of each event, and the difference of a column from its neutral moment."""
    events = [(one, pair) for one in subjects for pair in one.pairs]
    parts = [
        one.responses[column, "shown"] - one.responses[column, "neutral"]
        if (column, "shown") in one.responses
        else np.full(len(one.pairs), np.nan)
        for one in subjects
        if one.pairs
    ]
    return events, np.concatenate(parts) if parts else np.empty(0)


def _responses(
    subjects: Sequence[SubjectAnalysis], settings: GroupSettings, questions: list[Question], notes: list[str]
) -> list[Row]:
    rows: list[Row] = []
    names = list(dict.fromkeys(one.subject for one in subjects))
    for column, (signal, text, _) in RESPONSES.items():
        events, values = _event_rows(subjects, column)
        who, kinds = np.array([e[0].subject for e in events]), np.array([e[1].kind for e in events])
        means = {kind: _means(values, who, kinds == kind, names) for kind in ("micro", "macro")}
        found = {**means, "micro-macro": means["micro"] - means["macro"]}
        for contrast in CONTRASTS:
            row = _tested("body", f"{column}, {contrast}", found[contrast], settings, questions)
            if row is None:
                notes.append(f"body, {column}, {contrast}: fewer than {LEAST_SUBJECTS} subjects have values that vary")
                continue
            row = {"measure": column, "what": text, "signal": signal, "contrast": contrast, **row}
            if contrast != "micro-macro":
                row |= _mixed(values, events, kinds == contrast, notes, f"{column}, {contrast}")
            rows.append(row)
    return rows


def _means(
    values: NDArray[np.float64], who: NDArray[np.str_], wanted: NDArray[np.bool_], names: Iterable[str]
) -> NDArray[np.float64]:
    known = np.isfinite(values) & wanted
    return np.array([values[known & (who == n)].mean() if (known & (who == n)).any() else np.nan for n in names])


def _mixed(
    values: NDArray[np.float64], events: Sequence[Any], wanted: NDArray[np.bool_], notes: list[str], what: str
) -> Row:
    own = [e for e, yes in zip(events, wanted, strict=True) if yes]
    try:
        found = mixed_effect(values[wanted], [e[0].subject for e in own], [e[1].shown.stimulus for e in own])
    except (DataError, np.linalg.LinAlgError) as error:
        notes.append(f"mixed model of {what}: {error}")
        return {}
    return {
        "mixed_estimate": found.estimate,
        "mixed_low": found.low,
        "mixed_high": found.high,
        "mixed_p": found.p,
        "sd_subject": found.sd_subject,
        "sd_stimulus": found.sd_stimulus,
        "sd_rest": found.sd_rest,
        "n_events": found.n_events,
        "mixed_note": found.note,
    }


def _exploratory(subjects: Sequence[SubjectAnalysis], by: str) -> list[Row]:
    """Responses by emotion or action unit; false discovery rate over the whole table."""
    rows: list[Row] = []
    names = list(dict.fromkeys(one.subject for one in subjects))
    for column in RESPONSES:
        events, values = _event_rows(subjects, column)
        who = np.array([e[0].subject for e in events])
        shown = [e[1].aus if by == "unit" else (e[1].shown.label,) for e in events]
        for group in sorted({name for own in shown for name in own if name}):
            wanted = np.array([group in own for own in shown])
            means = _means(values, who, wanted, names)
            known = means[np.isfinite(means)]
            if known.size < LEAST_SUBJECTS or known.std() == 0:
                continue
            t, p = stats.ttest_1samp(known, 0.0)
            mean, low, high = _mean_with_interval(known[:, None])[:, 0]
            found = {"difference": mean, "low": low, "high": high, "t": t, "p": p}
            counts = {"n_subjects": int(known.size), "n_events": int(wanted.sum())}
            rows.append({by: group, "measure": column, **counts, **{k: float(v) for k, v in found.items()}})
    if rows:
        for row, q in zip(rows, stats.false_discovery_control([row["p"] for row in rows]), strict=True):
            row["q"] = float(q)
    return rows


def _courses(subjects: Sequence[SubjectAnalysis]) -> tuple[CourseMeans, ...]:
    found = []
    for name in COURSES:
        have = [one for one in subjects if one.pairs and (name, "shown") in one.courses]
        for kind in ("micro", "macro"):
            own = [one for one in have if any(p.kind == kind for p in one.pairs)]
            if len({one.subject for one in own}) < 2:
                continue
            sides = {}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                for side in ("shown", "neutral"):
                    rows = [one.courses[name, side][[p.kind == kind for p in one.pairs]] for one in own]
                    sides[side] = _by_subject(own, np.array([np.nanmean(r, axis=0) for r in rows]))
            difference = sides["shown"] - sides["neutral"]
            shown, neutral, apart = (_mean_with_interval(x) for x in (sides["shown"], sides["neutral"], difference))
            found.append(CourseMeans(name, kind, own[0].courses_t_s, shown, neutral, apart, difference))
    return tuple(found)


def _coupling(
    subjects: Sequence[SubjectAnalysis], settings: GroupSettings, questions: list[Question], notes: list[str]
) -> tuple[dict[tuple[str, str], GroupLag], list[Row]]:
    lags: dict[tuple[str, str], GroupLag] = {}
    rows: list[Row] = []
    for key in dict.fromkeys(k for one in subjects for k in one.lags):
        own = _lags_by_subject([(one.subject, one.lags) for one in subjects], key)
        try:
            found = group_lag(own, seed=settings.seed)
        except DataError as error:
            notes.append(f"coupling of face and {key[1]}, {key[0]}: {error}")
            continue
        lags[key] = found
        questions.append(Question("coupling", f"{key[1]}, {key[0]}", found.observed, found.null))
        bits = [one.information[key[1]] for one in subjects if key[1] in one.information]
        rows.append(
            {
                "signal": key[1],
                "scope": key[0],
                "n_subjects": found.n_subjects,
                "peak_r": found.peak_r,
                "peak_lag_s": found.peak_lag_s,
                "peak_low_s": found.peak_low_s,
                "peak_high_s": found.peak_high_s,
                "leads": _leads(found),
                "information_bit": float(np.mean([b[0] for b in bits])) if bits else float("nan"),
                "information_by_chance_bit": float(np.mean([b[1:].mean() for b in bits])) if bits else float("nan"),
                "information_p": _pooled_p(bits),
            }
        )
    canonical = [one.information["canonical"] for one in subjects if "canonical" in one.information]
    if canonical:
        rows.append(
            {
                "signal": "all (first canonical correlation)",
                "scope": "continuous",
                "n_subjects": len(canonical),
                "peak_r": float(np.mean([c[0] for c in canonical])),
                "information_by_chance_bit": float("nan"),
                "chance_r": float(np.mean([c[1:].mean() for c in canonical])),
                "information_p": _pooled_p(canonical),
            }
        )
    return lags, rows


def _coupling_by_group(subjects: Sequence[SubjectAnalysis], settings: GroupSettings) -> list[Row]:
    """Lagged relations by emotion and by action unit; false discovery rate over each of both."""
    rows: list[Row] = []
    for key in sorted({k for one in subjects for k in one.lags_by_group}):
        own = _lags_by_subject([(one.subject, one.lags_by_group) for one in subjects], key)
        if len(own) < LEAST_SUBJECTS:
            continue
        found = group_lag(own, n_draws=settings.n_permutations, seed=settings.seed)
        by, _, group = key[0].partition(" ")
        rows.append(
            {
                "by": by,
                "group": group,
                "signal": key[1],
                "n_subjects": found.n_subjects,
                "peak_r": found.peak_r,
                "peak_lag_s": found.peak_lag_s,
                "peak_low_s": found.peak_low_s,
                "peak_high_s": found.peak_high_s,
                "leads": _leads(found),
                "p": float((1 + np.count_nonzero(found.null >= found.observed)) / (1 + found.null.size)),
            }
        )
    for by in ("emotion", "unit"):
        own_rows = [row for row in rows if row["by"] == by]
        if own_rows:
            for row, q in zip(own_rows, stats.false_discovery_control([row["p"] for row in own_rows]), strict=True):
                row["q"] = float(q)
    return rows


def _lags_by_subject(
    subjects: Iterable[tuple[str, Mapping[tuple[str, str], LaggedRelation]]], key: tuple[str, str]
) -> list[LaggedRelation]:
    """Average the relations of one subject's recordings."""
    own: dict[str, list[LaggedRelation]] = {}
    for name, lags in subjects:
        if key in lags:
            own.setdefault(name, []).append(lags[key])
    return [
        LaggedRelation(
            found[0].lag_s, np.mean([f.r for f in found], axis=0), np.mean([f.null for f in found], axis=0), len(found)
        )
        for found in own.values()
    ]


def _pooled_p(found: Sequence[NDArray[np.float64]]) -> float:
    """Mean over subjects against that of their turned copies, draw by draw."""
    if not found:
        return float("nan")
    n = min(len(one) for one in found)
    mean = np.mean([one[:n] for one in found], axis=0)
    return float((1 + np.count_nonzero(mean[1:] >= mean[0])) / n)


def _leads(found: GroupLag) -> str:
    if found.peak_low_s > 0:
        return "face"
    return "body" if found.peak_high_s < 0 else "neither, or not to be told"
