"""Recognition runs: honest, deterministic, complete or not at all."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mmme.errors import DataError, ProtocolError
from mmme.evaluate import chance_by_refitting, confusion_of, run, scores_from_predictions
from mmme.io.flow_npz import read_flow_npz
from mmme.types import FeatureTable
from mmme.workers import Workers

ROOT = Path(__file__).parents[2]
FLOW = ROOT.parent / "shared" / "data" / "megc2019_flow" / "flow442.npz"
CLASSES = ["negative", "positive", "surprise"]
FEW = {"n_bootstrap": 200, "n_permutations": 200}


def planted(effect=2.0, n_subjects=8, n_each=9, seed=0, identity=0.0):
    """Three classes, each with an own shift in an own feature; ``identity`` adds an offset per subject."""
    rng = np.random.default_rng(seed)
    who = np.repeat([f"S{i}" for i in range(n_subjects)], n_each)
    labels = np.tile(CLASSES, n_subjects * n_each // 3)
    X = rng.normal(size=(len(who), 4)) + identity * rng.normal(size=(n_subjects, 4))[np.repeat(range(n_subjects), n_each)]
    for i, name in enumerate(CLASSES):
        X[labels == name, i] += effect
    ids = [f"{s}-{i}" for i, s in enumerate(who)]
    films = [f"film{i % 3}" for i in range(len(who))]
    return FeatureTable.build(
        X, list("abcd"), ids, who, films, labels, strata={"lab": np.where(who < "S4", "east", "west").tolist()}
    )


MODEL = make_pipeline(StandardScaler(), GaussianNB())


class Recorder(ClassifierMixin, BaseEstimator):
    """Predicts the first class and writes down what it was given."""

    seen: ClassVar[list] = []

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        Recorder.seen.append((X.copy(), y.copy(), groups.copy()))
        return self

    def predict(self, X):
        Recorder.seen[-1] += (X.copy(),)
        return np.repeat(self.classes_[0], len(X))


def test_training_sees_training_rows_only():
    """Fit gets the rows, labels and subjects of training; predict gets the rows left out; nothing else is passed."""
    table = planted()
    Recorder.seen = []
    run(table, Recorder(), **FEW)

    assert len(Recorder.seen) == 8
    for name, (X, y, groups, test) in zip(sorted(set(table.subjects)), Recorder.seen, strict=True):
        left = table.subjects == name
        assert np.array_equal(X, table.X[~left])
        assert np.array_equal(y, table.labels[~left])
        assert np.array_equal(groups, table.subjects[~left])
        assert np.array_equal(test, table.X[left])


def test_planted_effect_is_found_and_pooled():
    """A planted effect of two deviations is recognised; UF1 equals scikit-learn's over all stored predictions."""
    result = run(planted(), MODEL, title="face", by="lab", dataset={"name": "planted"}, **FEW)
    uf1 = result.score("UF1")

    assert uf1.value > 0.7
    assert uf1.low < uf1.value < uf1.high
    assert result.chance["UF1"]["p"] == pytest.approx(1 / 201)
    assert result.chance["UF1"]["mean"] == pytest.approx(1 / 3, abs=0.03)
    expected = f1_score(result.predictions["truth"], result.predictions["pred"], average="macro")
    assert uf1.value == pytest.approx(expected, abs=1e-12)
    assert confusion_of(result).sum() == len(planted()) == uf1.n
    assert result.predictions["fold"] == result.predictions["subject"]


def test_scores_per_stratum():
    """Strata are scored from the rows of the same folds; their samples add up to all."""
    result = run(planted(), MODEL, by="lab", **FEW)
    west = [p == "west" for p in result.predictions["stratum"]]
    truth, pred = (np.array(result.predictions[c])[west] for c in ("truth", "pred"))

    assert {s.group for s in result.scores} == {"all", "east", "west"}
    assert result.score("accuracy", "west").value == pytest.approx(np.mean(truth == pred))
    assert result.score("UF1", "east").n + result.score("UF1", "west").n == result.score("UF1").n
    assert confusion_of(result, "west").sum() == result.score("UF1", "west").n
    assert set(result.chance) >= {"UF1", "UF1 (east)", "UAR (west)"}


def test_shuffled_labels_give_chance():
    """Without any effect UF1 is at the permutation mean over 10 studies, which most intervals contain."""
    above, inside = [], 0
    for seed in range(10):
        result = run(planted(effect=0.0, seed=seed, n_subjects=20), MODEL, **FEW)
        above.append(result.score("UF1").value - result.chance["UF1"]["mean"])
        inside += result.score("UF1").low <= result.chance["UF1"]["mean"] <= result.score("UF1").high

    assert abs(np.mean(above)) < 0.04
    assert inside >= 7


def test_refitting_finds_chance_and_effect():
    """Whole evaluations on permuted labels give the level of guessing; a planted effect beats all, noise does not."""
    for effect, low, high in ((2.0, 0.0, 1 / 19.9), (0.0, 0.1, 1.0)):
        table, done = planted(effect=effect, n_subjects=5, seed=4), []
        level = chance_by_refitting(
            run(table, MODEL, **FEW), table, MODEL, n_draws=19, progress=lambda i, n, done=done: done.append((i, n))
        )
        assert level["UF1"]["mean"] == pytest.approx(1 / 3, abs=0.08)
        assert low <= level["UF1"]["p"] <= high
        assert done[-1] == (19, 19)


def test_refitting_within_subjects():
    """Inside subjects labels are exchanged between a subject's own rows: who is always one class stays so."""
    table = planted(n_subjects=4)
    labels = np.where(table.subjects < "S2", "negative", "positive")
    fixed = FeatureTable.build(table.X, table.columns, table.trial_ids, table.subjects, table.stimuli, labels)
    fixed = fixed.rows(np.random.default_rng(0).permutation(len(fixed)))
    level = chance_by_refitting(run(fixed, MODEL, **FEW), fixed, MODEL, within_subject=True, n_draws=5)

    assert level["accuracy"]["p"] == 1.0
    assert level["accuracy"]["mean"] == pytest.approx(level["accuracy"]["p95"])


def test_refitting_needs_the_same_rows():
    """A result of other rows is refused."""
    result = run(planted(), MODEL, title="face", **FEW)
    with pytest.raises(DataError, match="'face': expected recognition of the table's 36 rows, got other rows"):
        chance_by_refitting(result, planted(n_subjects=4), MODEL)


def test_random_folds_show_the_leak():
    """Where labels follow the subject, random folds score high by knowing faces, and leaving subjects out does not."""
    rng = np.random.default_rng(0)
    who = np.repeat([f"S{i:02d}" for i in range(12)], 10)
    X = np.repeat(rng.normal(size=(12, 6)), 10, axis=0) * 3 + rng.normal(size=(120, 6)) * 0.1
    labels = np.repeat(rng.permutation(["neg", "pos"] * 6), 10)
    table = FeatureTable.build(X, list("abcdef"), [str(i) for i in range(120)], who, ["v"] * 120, labels)
    tree = DecisionTreeClassifier()

    assert run(table, tree, "random-kfold", **FEW).score("accuracy").value > 0.95
    assert run(table, tree, "loso", **FEW).score("accuracy").value < 0.85


def test_same_seed_same_result():
    """Everything random hangs on the seed: estimator, folds, intervals, chance."""
    tree = DecisionTreeClassifier(max_features=1)
    first, second, third = (run(planted(), tree, seed=s, **FEW) for s in (1, 1, 2))

    assert first.predictions == second.predictions
    assert first.scores == second.scores
    assert first.chance == second.chance
    assert first.predictions["pred"] != third.predictions["pred"]


# Beside another cluster, as of a second test process, Dask warns that it takes a free port, and drops the socket it tried.
@pytest.mark.filterwarnings("ignore:Port .* is already in use")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_workers_do_not_change_the_result():
    """Two processes give the predictions, scores and chance levels of one."""
    table, calls = planted(n_subjects=4), []
    inline = run(table, MODEL, **FEW)
    with Workers(jobs=2) as workers:
        shared = run(table, MODEL, workers=workers, progress=lambda done, total: calls.append((done, total)), **FEW)

    assert shared.predictions == inline.predictions
    assert shared.scores == inline.scores
    assert shared.chance == inline.chance
    assert calls == [(i, 4) for i in range(1, 5)]


def test_absent_class_counts():
    """A class that is named and absent lowers UF1 by its share and gets probability 0."""
    table = planted()
    named = run(table, MODEL, classes=[*CLASSES, "other"], **FEW)

    assert named.score("UF1").value == pytest.approx(run(table, MODEL, **FEW).score("UF1").value * 3 / 4)
    assert set(named.predictions["probability:other"]) == {0.0}
    assert sum(named.predictions[f"probability:{c}"][0] for c in CLASSES) == pytest.approx(1)


@pytest.mark.parametrize(
    ("estimator", "classes", "columns"),
    [
        pytest.param(SVC(kernel="linear"), 3, [f"score:{c}" for c in CLASSES], id="decision-values"),
        pytest.param(
            SVC(kernel="linear"), 2, ["score:negative", "score:positive"], id="one-decision-value-for-two-classes"
        ),
        pytest.param(SVC(kernel="linear", decision_function_shape="ovo"), 4, [], id="values-of-pairs-belong-to-no-class"),
        pytest.param(Recorder(), 3, [], id="classes-only"),
    ],
)
def test_values_per_class(estimator, classes, columns):
    """Probabilities or decision values are stored per class where the estimator has them."""
    table = planted()
    if classes == 2:
        table = table.rows(table.labels != "surprise")
    if classes == 4:
        labels = np.array(["w", "x", "y", "z"])[np.arange(len(table)) % 4]
        table = FeatureTable.build(table.X, list("abcd"), table.trial_ids, table.subjects, table.stimuli, labels)
    result = run(table, estimator, **FEW)

    assert [c for c in result.predictions if ":" in c] == columns
    if columns:
        values = np.array([result.predictions[c] for c in columns])
        assert [columns[i].removeprefix("score:") for i in values.argmax(axis=0)] == result.predictions["pred"]


class FailsWithout(ClassifierMixin, BaseEstimator):
    """Fails in folds that leave S1 or S3 out."""

    def fit(self, X, y, groups):
        missing = {f"S{i}" for i in range(8)} - set(groups)
        if missing & {"S1", "S3"}:
            raise RuntimeError("no memory")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[0], len(X))


class Forgets(Recorder):
    """Predicts one row too few."""

    def predict(self, X):
        return super().predict(X)[1:]


def test_failed_folds_are_all_named():
    """All folds are tried, then every failed one is named, and there is no score over the others."""
    done = []
    with pytest.raises(ProtocolError) as caught:
        run(planted(), FailsWithout(), progress=lambda i, _: done.append(i), **FEW)

    assert done[-1] == 8
    assert "2 of 8 folds failed, so there is no score" in str(caught.value)
    assert "fold S1: RuntimeError: no memory" in str(caught.value)
    assert "fold S3: RuntimeError: no memory" in str(caught.value)


class Uncloneable:
    """Not an estimator."""

    def fit(self, X, y):
        return self


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: run(planted(), Forgets(), **FEW), "expected 9 predictions, got 8", id="short"),
        pytest.param(
            lambda: run(planted(), MODEL, classes=CLASSES[:2], **FEW), "label 'surprise' is not among", id="label"
        ),
        pytest.param(
            lambda: run(planted().rows(planted().labels == "positive"), MODEL),
            "at least 2 different classes",
            id="one-class",
        ),
        pytest.param(lambda: run(planted(), MODEL, by="Lab"), r"'Lab': expected a stratum .* \(there are: lab\)", id="by"),
        pytest.param(
            lambda: run(planted(), Uncloneable()), "Uncloneable: expected one that scikit-learn can clone", id="clone"
        ),
    ],
)
def test_refusals(call, message):
    """What cannot be evaluated is refused in one sentence."""
    with pytest.raises(ProtocolError, match=message):
        call()


def test_standardised_outside_is_refused_by_run():
    """The check of the table is part of every run."""
    table = planted()
    X = StandardScaler().fit_transform(table.X.astype(float))
    outside = FeatureTable.build(X, table.columns, table.trial_ids, table.subjects, table.stimuli, table.labels)
    with pytest.raises(ProtocolError, match="standardise inside the estimator"):
        run(outside, MODEL)


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        pytest.param({"truth": ["a"]}, r"2 faults\n.*'pred', got none\n.*'subject', got none", id="columns"),
        pytest.param({"truth": ["a"], "pred": ["z"], "subject": ["S1"]}, "pred: expected one of a, b, got z", id="label"),
    ],
)
def test_predictions_that_cannot_be_scored(predictions, message):
    """Missing columns are named together, strange labels by name."""
    with pytest.raises(DataError, match=message):
        scores_from_predictions(predictions, ["a", "b"])


def test_confusion_of_refuses():
    """Confusion counts belong to recognition and to groups there are."""
    result = run(planted(), MODEL, title="face", **FEW)
    with pytest.raises(DataError, match="'face': expected a group among all, got 'east'"):
        confusion_of(result, "east")


@pytest.mark.skipif(not FLOW.exists(), reason="the MEGC2019 flow images are not on this machine")
def test_megc2019_composite_reaches_the_known_level():
    """A linear SVM (C 0.01, balanced) on flow averaged to 7x7 gives UF1 .728 and UAR .760 over 68 subjects left out."""
    images = read_flow_npz(FLOW)
    X = images.X.reshape(442, 7, 4, 7, 4, 3).mean(axis=(2, 4)).reshape(442, -1)
    columns = [f"flow_{i:03d}" for i in range(X.shape[1])]
    table = FeatureTable.build(
        X, columns, images.trial_ids, images.subjects, images.stimuli, images.labels, strata=images.strata
    )
    model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.01, class_weight="balanced"))
    result = run(table, model, by="dataset", **FEW)

    assert result.protocol["n_folds"] == 68
    assert result.score("UF1").value == pytest.approx(0.728, abs=0.005)
    assert result.score("UAR").value == pytest.approx(0.760, abs=0.005)
    assert result.score("UF1", "casme2").value > result.score("UF1", "smic").value > result.score("UF1", "samm").value
    assert result.chance["UF1"]["p95"] == pytest.approx(0.367, abs=0.01)
