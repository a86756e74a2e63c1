"""Spotting runs: planted expressions are found, everything is chosen without the tested, chance is known."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mmme.errors import DataError, ProtocolError
from mmme.evaluate import rescore, run_spotting, spotting_scores
from mmme.interval import Interval
from mmme.metrics.spotting import Counts, match, pooled
from mmme.types import FeatureTable
from mmme.workers import Workers

FEW = {"n_bootstrap": 200, "n_chance": 40}
MODEL = make_pipeline(StandardScaler(), GaussianNB())
STEP_S = 0.1


def decoder():
    """A decoder that travels to workers by value: they cannot import a test."""

    def decode(t, likelihood, *, threshold, half_width_s):
        """Runs at or above the threshold, none shorter than half the expected width; score is the highest likelihood."""
        edges = np.flatnonzero(np.diff(np.r_[False, likelihood >= threshold, False].astype(int))).reshape(-1, 2)
        runs = [(Interval(t[a] - STEP_S / 2, t[b - 1] + STEP_S / 2), float(likelihood[a:b].max())) for a, b in edges]
        return [(interval, score) for interval, score in runs if interval.duration_s >= half_width_s]

    return decode


decode = decoder()


def planted(effect=6.0, n_subjects=6, seed=0):
    """Two videos of 20 s per subject, the first with a micro (0.4 s) and a macro-expression (2 s), the second empty."""
    rng = np.random.default_rng(seed)
    rows = {"X": [], "t": [], "video": [], "who": [], "label": []}
    truth, spans = {}, {}
    t = np.arange(200) * STEP_S + STEP_S / 2
    for s in range(n_subjects):
        for v in range(2):
            video, label = f"S{s}-{v}", np.full(200, "neutral", dtype="<U7")
            spans[video] = Interval(0.0, 20.0)
            if v == 0:
                micro, macro = (Interval(a, a + d) for a, d in ((2.0 + 0.5 * s, 0.4), (10.0 + 0.5 * s, 2.0)))
                truth[video] = [("micro", micro), ("macro", macro)]
                for kind, i in truth[video]:
                    label[(t >= i.start - 1e-9) & (t < i.stop - 1e-9)] = kind
            X = rng.normal(size=(200, 3))
            X[label == "micro", 0] += effect
            X[label == "macro", 1] += effect
            for key, value in zip(rows, (X, t, [video] * 200, [f"S{s}"] * 200, label), strict=True):
                rows[key].append(value)
    joined = {k: np.concatenate(v) for k, v in rows.items()}
    ids = [f"{v}@{i}" for i, v in enumerate(joined["video"])]
    table = FeatureTable.build(joined["X"], list("abc"), ids, joined["who"], joined["video"], joined["label"])
    return {"table": table, "times_s": joined["t"], "videos": joined["video"], "spans": spans, "truth": truth}


@pytest.fixture(scope="module")
def outcome():
    """One run on planted expressions."""
    data = planted()
    return data, *run_spotting(**data, estimator=MODEL, decode=decode, title="face", **FEW)


def test_planted_expressions_are_found(outcome):
    """Expressions six deviations above noise are found in kind and time, far above randomly placed intervals."""
    _, result, _ = outcome

    assert result.score("F1 micro").value > 0.8
    assert result.score("F1 macro").value > 0.8
    assert result.chance["F1 micro"]["p"] == pytest.approx(1 / 41)
    assert result.chance["F1 micro"]["p95"] < 0.3
    assert result.score("F1 micro").low <= result.score("F1 micro").value <= result.score("F1 micro").high
    assert result.score("F1 overall").n == 12


def test_scores_equal_counts_by_hand(outcome):
    """Scores equal one-to-one counts pooled over all videos, also the empty ones, from the stored columns."""
    data, result, _ = outcome
    columns = result.predictions
    total = Counts(0, 0, 0)
    for kind in ("micro", "macro"):
        counts = pooled(
            match(
                [i for k, i in data["truth"].get(video, ()) if k == kind],
                [
                    Interval(a, b)
                    for v, k, a, b in zip(*(columns[c] for c in ("video", "kind", "onset_s", "offset_s")), strict=True)
                    if (v, k) == (video, kind)
                ],
            )
            for video in data["spans"]
        )
        total += counts
        for name in ("precision", "recall", "f1"):
            title = "F1" if name == "f1" else name
            assert result.score(f"{title} {kind}").value == pytest.approx(getattr(counts, name))
        assert result.score(f"false alarms per minute {kind}").value == pytest.approx(counts.fp / 4)
    assert result.score("F1 overall").value == pytest.approx(total.f1)
    assert result.score("false alarms per minute overall").value == pytest.approx(total.fp / 4)


def test_curves_are_of_models_that_never_saw_the_subject(outcome):
    """Every moment has a likelihood; it equals that of a model fitted without its subject."""
    data, _, curves = outcome
    table = data["table"]
    left = table.subjects == "S2"
    model = MODEL.fit(table.X[~left], table.labels[~left])
    expected = model.predict_proba(table.X[left])[:, list(model.classes_).index("micro")]

    np.testing.assert_allclose(curves.likelihood["micro"][left], expected, atol=1e-6)
    t, by_kind = curves.of("S2-1")
    assert t.shape == by_kind["macro"].shape == (200,)


def test_half_width_is_of_the_training_truth(outcome):
    """The half-width of a kind is half the median coded duration of the training subjects."""
    _, _, curves = outcome

    assert curves.half_width_s["S0"] == {"micro": pytest.approx(0.2), "macro": pytest.approx(1.0)}


def test_the_tested_truth_changes_no_choice(outcome):
    """Moving the tested subject's coded times leaves its curve, threshold and spotted intervals as they were."""
    data, result, curves = outcome
    moved = {**data["truth"], "S0-0": [("micro", Interval(17.0, 19.0))]}
    again, curves_again = run_spotting(**{**data, "truth": moved}, estimator=MODEL, decode=decode, **FEW)

    def of_s0(r):
        rows = [i for i, s in enumerate(r.predictions["subject"]) if s == "S0"]
        return [[column[i] for i in rows] for column in r.predictions.values()]

    assert curves_again.threshold["S0"] == curves.threshold["S0"]
    assert curves_again.half_width_s["S0"] == curves.half_width_s["S0"]
    assert of_s0(again) == of_s0(result)


def test_no_effect_is_chance():
    """Without any effect F1 stays at the level of randomly placed intervals."""
    data = planted(effect=0.0)
    result, _ = run_spotting(**data, estimator=MODEL, decode=decode, **FEW)

    assert result.score("F1 micro").value < 0.2
    assert result.chance["F1 overall"]["p"] > 0.02


# Beside another cluster, as of a second test process, Dask warns that it takes a free port, and drops the socket it tried.
@pytest.mark.filterwarnings("ignore:Port .* is already in use")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_workers_do_not_change_the_result(outcome):
    """Two processes give the predictions and scores of one."""
    data, result, _ = outcome
    with Workers(jobs=2) as workers:
        shared, _ = run_spotting(**data, estimator=MODEL, decode=decode, workers=workers, **FEW)

    assert shared.predictions == result.predictions
    assert shared.scores == result.scores
    assert shared.chance == result.chance


def test_rescoring_gives_the_same(outcome):
    """Scores computed again from the stored columns are the stored ones."""
    _, result, _ = outcome

    assert rescore(result).scores == result.scores
    assert rescore(result).chance == result.chance


def test_a_kind_without_training_truth_is_not_spotted():
    """Where no training subject shows a kind there is no threshold to choose, and nothing is spotted."""
    data = planted()
    truth = {v: [e for e in events if e[0] == "macro"] for v, events in data["truth"].items()}
    table = data["table"]
    labels = np.where(table.labels == "micro", "neutral", table.labels)
    plain = FeatureTable.build(table.X, table.columns, table.trial_ids, table.subjects, table.stimuli, labels)
    result, curves = run_spotting(**{**data, "truth": truth, "table": plain}, estimator=MODEL, decode=decode, **FEW)

    assert set(result.predictions["kind"]) == {"macro"}
    assert np.isnan(curves.threshold["S0"]["micro"])
    assert set(curves.likelihood["micro"]) == {0.0}
    assert (result.score("F1 micro").value, result.score("AP micro").value, result.score("AP micro").n) == (0, 0, 0)


class Sure(ClassifierMixin, BaseEstimator):
    """Has no probabilities and no decision values."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[0], len(X))


def changed(**changes):
    data = planted(n_subjects=3)
    return {"estimator": MODEL, "decode": decode, **FEW, **data, **{k: f(data) for k, f in changes.items()}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"protocol": lambda _: "lovo"}, "keeps subjects apart .*, got lovo", id="lovo"),
        pytest.param({"times_s": lambda d: d["times_s"][:-1]}, "expected 1200 times and videos, got 1199", id="lengths"),
        pytest.param(
            {"times_s": lambda d: d["times_s"][::-1]}, "6 faults\n.*'S0-0': expected increasing times", id="order"
        ),
        pytest.param(
            {
                "videos": lambda d: np.where(
                    d["videos"] == "S1-0", "S0-9", np.where(d["videos"] == "S0-1", "S0-9", d["videos"])
                )
            },
            "video 'S0-9': expected one subject, got S0, S1",
            id="two-faces",
        ),
        pytest.param(
            {"spans": lambda d: {**d["spans"], "S9": Interval(0, 1)}}, "'S9': expected rows for its span", id="span"
        ),
        pytest.param(
            {"spans": lambda d: {k: v for k, v in d["spans"].items() if k != "S0-0"}},
            "'S0-0': expected a span",
            id="no-span",
        ),
        pytest.param({"truth": lambda _: {"S7": []}}, "'S7': expected rows for its coded expressions", id="truth"),
        pytest.param(
            {"truth": lambda _: {"S0-0": [("mini", Interval(0, 1))]}}, "kind 'mini': expected one of micro", id="kind"
        ),
        pytest.param({"estimator": lambda _: SVC()}, r"SVC: expected probabilities \(predict_proba\)", id="svc"),
        pytest.param({"estimator": lambda _: Sure()}, r"3 of 3 folds failed[\s\S]*Sure: expected probabilities", id="sure"),
    ],
)
def test_refusals(changes, message):
    """Rows, spans and truth that do not fit, and models without probabilities, are refused."""
    with pytest.raises(ProtocolError, match=message):
        run_spotting(**changed(**changes))


def test_two_subjects_are_too_few():
    """One subject is tested and a threshold needs two to be chosen on."""
    with pytest.raises(ProtocolError, match="at least 3 subjects, one to test and two to choose on, got 2"):
        run_spotting(**planted(n_subjects=2), estimator=MODEL, decode=decode, **FEW)


VIDEOS = [{"video": v, "subject": v[:2], "start_s": 0.0, "stop_s": 30.0} for v in ("S1-a", "S1-b", "S2-a")]
PROTOCOL = {"videos": VIDEOS, "kinds": ["micro"], "min_iou": 0.5, "n_bootstrap": 100, "n_chance": 50}
TRUTH = {"video": ["S1-a"], "kind": ["micro"], "onset_s": [1.0], "offset_s": [1.4]}


def test_an_interval_as_long_as_the_video_is_placed_nowhere_else():
    """Random placement keeps lengths: an interval over the whole video always hits what it hit, so p is 1."""
    truth = {"video": ["S1-a"], "kind": ["micro"], "onset_s": [0.0], "offset_s": [25.0]}
    spotted = {"video": ["S1-a"], "kind": ["micro"], "onset_s": [0.0], "offset_s": [30.0], "score": [1.0]}
    scores, chance = spotting_scores(spotted, truth, PROTOCOL)

    assert scores[0].value == 1.0
    assert chance["F1 micro"] == {"mean": 1.0, "p95": 1.0, "p": 1.0}


def test_nothing_spotted_is_no_fault():
    """Without any prediction all scores are 0 and chance is no better."""
    empty = {"video": [], "kind": [], "onset_s": [], "offset_s": [], "score": []}
    scores, chance = spotting_scores(empty, TRUTH, PROTOCOL)

    assert {s.value for s in scores} == {0.0}
    assert chance["F1 overall"]["p"] == 1.0


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        pytest.param({"video": [], "kind": []}, r"3 faults[\s\S]*predictions: expected a column 'score'", id="columns"),
        pytest.param({**TRUTH, "score": [1.0], "video": ["S9"]}, "video 'S9' is not among the 3 videos", id="video"),
        pytest.param({**TRUTH, "score": [1.0], "kind": ["mini"]}, "expected kind micro, got 'mini'", id="kind"),
        pytest.param({**TRUTH, "score": [1.0], "offset_s": [1.0]}, "expected onset_s < offset_s, got 1 rows", id="empty"),
    ],
)
def test_columns_that_cannot_be_scored(predictions, message):
    """Missing columns, unknown videos and kinds, and reversed times are refused."""
    with pytest.raises(DataError, match=message):
        spotting_scores(predictions, TRUTH, PROTOCOL)
