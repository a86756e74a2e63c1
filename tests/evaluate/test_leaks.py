"""A model that is shown its test subject's answers, by any of eight ways, is caught; its honest twin passes."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmme.checks import check_table as findings_of
from mmme.errors import ProtocolError
from mmme.evaluate import audit, check_table, run, splits
from mmme.evaluate.leaks import near_copies
from mmme.types import FeatureTable, FoldPrediction

N_SUBJECTS, N_EACH, N_COLUMNS = 10, 12, 30


def table_of(seed=0, effect=0.4):
    """A weak effect in one of thirty columns: leaks have room to show."""
    rng = np.random.default_rng(seed)
    n = N_SUBJECTS * N_EACH
    labels = rng.permutation(["neg", "pos"] * (n // 2))
    X = rng.normal(size=(n, N_COLUMNS)) + rng.normal(size=(N_SUBJECTS, N_COLUMNS)).repeat(N_EACH, axis=0)
    X[labels == "pos", 0] += effect
    who = np.repeat([f"S{k:02d}" for k in range(N_SUBJECTS)], N_EACH)
    columns = [f"f{k}" for k in range(N_COLUMNS)]
    return FeatureTable.build(X, columns, [f"r{k}" for k in range(n)], who, ["film"] * n, labels)


def fitted(table, train, seed=0):
    return SGDClassifier(loss="log_loss", random_state=seed, max_iter=5, tol=None).fit(table.X[train], table.labels[train])


# the eight ways, each as a procedure, beside its honest twin -----------------------------------------------------------------


def scaler(table, split, *, leaking):
    """1: the scaler sees all rows, test rows included."""
    rows = np.arange(len(table)) if leaking else split.train
    scale = StandardScaler().fit(table.X[rows])
    model = fitted(replace(table, X=scale.transform(table.X).astype(np.float32)), split.train)
    return model.predict(scale.transform(table.X[split.test]).astype(np.float32))


def selection(table, split, *, leaking):
    """2: columns are selected by all labels."""
    rows = np.arange(len(table)) if leaking else split.train
    columns = SelectKBest(f_classif, k=3).fit(table.X[rows], table.labels[rows]).get_support()
    return (
        GaussianNB()
        .fit(table.X[split.train][:, columns], table.labels[split.train])
        .predict(table.X[split.test][:, columns])
    )


def best_epoch(table, split, *, leaking):
    """3: of many epochs the one that is best on the test subject is kept; the honest twin keeps the last."""
    model = SGDClassifier(loss="log_loss", random_state=0)
    kept, best = None, -1.0
    for _ in range(20):
        model.partial_fit(table.X[split.train], table.labels[split.train], classes=["neg", "pos"])
        pred = model.predict(table.X[split.test])
        accuracy = np.mean(pred == table.labels[split.test])
        if not leaking or accuracy > best:
            kept, best = pred, accuracy
    return kept


def duplicate(table, *, leaking):
    """4: the same event again, under another subject's code."""
    if not leaking:
        return table
    return replace(table, X=np.concatenate([table.X[:-1], table.X[:1]]))


def second_coder(table, *, leaking):
    """5: the other coder's copy of an event, a frame later, under another subject's code."""
    if not leaking:
        return table
    X = table.X.copy()
    X[-1] = X[0] + 0.02 * np.random.default_rng(1).normal(size=X.shape[1])
    return replace(table, X=X)


def subject_mean(table, split, *, leaking):
    """6: the share of each class in the subject, test subject included, becomes a feature."""
    share = np.zeros(len(table))
    for subject in np.unique(table.subjects):
        own = table.subjects == subject
        known = own if leaking else np.intersect1d(np.flatnonzero(own), split.train)
        share[own] = np.mean(table.labels[known] == "pos") if np.size(known) else 0.5
    X = np.column_stack([table.X, 4 * share])
    model = LogisticRegression(max_iter=500).fit(X[split.train], table.labels[split.train])
    return model.predict(X[split.test])


def seed_search(table, split, *, leaking):
    """7: of many seeds the one that is best on the test subject is reported."""
    seeds = range(12)
    if leaking:
        scores = [
            np.mean(fitted(table, split.train, s).predict(table.X[split.test]) == table.labels[split.test]) for s in seeds
        ]
        return fitted(table, split.train, int(np.argmax(scores))).predict(table.X[split.test])
    return fitted(table, split.train, 0).predict(table.X[split.test])


def threshold(table, split, *, leaking):
    """8: the threshold of the decision is tuned on the rows that are tested."""
    model = fitted(table, split.train)
    rows = split.test if leaking else split.train
    values, truth = model.decision_function(table.X[rows]), table.labels[rows] == "pos"
    best = max(values, key=lambda v: np.mean((values >= v) == truth))
    return np.where(model.decision_function(table.X[split.test]) >= best, "pos", "neg")


@pytest.mark.parametrize("way", [selection, best_epoch, subject_mean, seed_search, threshold], ids=lambda f: f.__name__)
def test_answers_of_the_test_subject(way):
    """Whatever is chosen on the answers of test rows moves when they change; the honest twin does not."""
    table = table_of()
    caught = audit(lambda t, s: way(t, s, leaking=True), table)
    honest = audit(lambda t, s: way(t, s, leaking=False), table)

    assert caught.labels
    assert str(caught).startswith("leak: predictions follow the labels of test rows (folds S0")
    assert honest.clean
    assert str(honest) == "no leak found in 3 folds: predictions depend on training rows and the row itself only"


def test_scaler_that_saw_the_test_rows():
    """A scaler fitted on all rows moves with test rows that are not asked about; as a ready table it is refused, too."""
    table = table_of()
    caught = audit(lambda t, s: scaler(t, s, leaking=True), table)

    assert not caught.labels
    assert caught.others
    assert "follow other test rows" in str(caught)
    assert audit(lambda t, s: scaler(t, s, leaking=False), table).clean
    with pytest.raises(ProtocolError, match="mean 0 and deviation 1 over all rows"):
        check_table(replace(table, X=StandardScaler().fit_transform(table.X).astype(np.float32)))


@pytest.mark.parametrize("way", [duplicate, second_coder], ids=lambda f: f.__name__)
def test_one_event_under_two_subjects(way):
    """The same event again, or its second coder's copy, is found although its subject has another code."""
    table = way(table_of(), leaking=True)
    last, first = table.trial_ids[-1], table.trial_ids[0]

    assert audit(lambda t, s: s.test.astype(str), table).copies == (f"{first} and {last}",)
    assert [f.code for f in findings_of(table)] == ["P003"]
    if way is duplicate:
        with pytest.raises(
            ProtocolError, match=r"1 pairs of identical rows of different subjects: r0 \(S00\) and r119 \(S09\)"
        ):
            run(table, GaussianNB())
    else:
        assert near_copies(table) == [(0, len(table) - 1)]
    honest = way(table_of(), leaking=False)
    assert not audit(lambda t, s: s.test.astype(str), honest).copies
    assert not findings_of(honest)


def test_named_events_stay_on_one_side():
    """Rows of one event are dealt together, also at random; a protocol that would part them refuses by name."""
    table = table_of()
    films = [f"film{k % 3}" for k in range(len(table))]
    event = [f"e{k // 2}" for k in range(len(table))]
    named = replace(table, strata={"event": np.array(event)}, stimuli=np.array(films))
    for split in splits(named, "random-kfold"):
        assert not set(np.array(event)[split.train]) & set(np.array(event)[split.test])
    with pytest.raises(ProtocolError, match="expected event e0 and .* more on one side"):
        splits(named, "lovo")
    blank = replace(named, strata={"event": np.full(len(table), "")})
    assert len(splits(blank, "lovo")) == 3


def test_a_procedure_that_differs_from_itself():
    """Without a fixed seed nothing can be told; the sentence says what to do. A wrong number of predictions is refused."""
    rng = np.random.default_rng(0)
    with pytest.raises(ProtocolError, match="expected the same predictions twice, got others; fix its random_state"):
        audit(lambda t, s: rng.normal(size=len(s.test)), table_of())
    with pytest.raises(ProtocolError, match="expected 12 predictions, got"):
        audit(lambda t, s: ["neg"], table_of())


class Sharing(ClassifierMixin, BaseEstimator):
    """Predicts all folds at once; with ``peek`` it lets its test rows in, which only the fold fitted alone can show."""

    def __init__(self, peek=False, at_once=None, lose=False):
        self.peek = peek
        self.at_once = at_once
        self.lose = lose

    @property
    def folds_at_once(self):
        return self.at_once

    def fit(self, X, y):
        self.model_ = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)

    def predict_over_folds(self, X, y, folds, *, groups=None):
        made = []
        for train, test in folds:
            rows = np.concatenate([train, test]) if self.peek else train
            one = Sharing().fit(X[rows], y[rows])
            made.append(FoldPrediction(one.predict(X[test]), "probability", one.predict_proba(X[test]), one.classes_))
        return made[1:] if self.lose else made


@pytest.mark.parametrize("at_once", [None, 3])
def test_sharing_among_folds_changes_nothing(at_once):
    """All folds at once, or three by three, give the result of every fold fitted alone."""
    table = table_of()
    few = {"n_bootstrap": 100, "n_permutations": 100}
    plain = run(table, make_pipeline(StandardScaler(), LogisticRegression()), **few)
    seen = []
    shared = run(table, Sharing(at_once=at_once), progress=lambda done, n: seen.append((done, n)), **few)

    assert shared.predictions == plain.predictions
    assert seen[-1] == ((2, 2) if at_once is None else (5, 5))


def test_sharing_that_peeks_is_refused():
    """An estimator that lets test rows into what folds share is caught by the one fold that is fitted alone."""
    with pytest.raises(
        ProtocolError, match="fold S00: expected the same from all folds at once as from its training rows alone"
    ):
        run(table_of(), Sharing(peek=True))
    with pytest.raises(ProtocolError, match="expected predictions of 10 folds, got 9"):
        run(table_of(), Sharing(lose=True))
