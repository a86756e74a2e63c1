"""Splits keep apart what they promise, and what would leak is refused."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmme.errors import ConfigError, ProtocolError
from mmme.evaluate import PROTOCOLS, Protocol, Split, check_estimator, check_split, check_table, splits
from mmme.types import FeatureTable


def table_of(subjects, stimuli=None, X=None):
    n = len(subjects)
    X = np.random.default_rng(0).normal(size=(n, 3)) + 5 if X is None else X
    labels = ["neg", "pos"] * (n // 2) + ["neg"] * (n % 2)
    columns = [f"f{i}" for i in range(np.shape(X)[1])]
    return FeatureTable.build(X, columns, [f"r{i}" for i in range(n)], subjects, stimuli or ["v"] * n, labels)


@given(
    st.lists(st.sampled_from(["S1", "S2", "S3", "S4", "S5"]), min_size=4, max_size=30).filter(lambda s: len(set(s)) > 2),
    st.sampled_from([PROTOCOLS["loso"], Protocol("three", "subject", 3), Protocol("rows", "nothing", 4)]),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_every_row_is_tested_once(subjects, protocol, seed):
    """Tests of all folds together are all rows once; training is the rest; subject protocols divide no subject."""
    table = table_of(subjects)
    made = splits(table, protocol, seed=seed)

    assert sorted(np.concatenate([s.test for s in made]).tolist()) == list(range(len(table)))
    for split in made:
        assert sorted([*split.train.tolist(), *split.test.tolist()]) == list(range(len(table)))
        if protocol.apart == "subject":
            assert not set(table.subjects[split.train]) & set(table.subjects[split.test])


def test_lovo_keeps_stimuli_apart():
    """Leave one video out leaves one stimulus out, and says that subjects are on both sides."""
    made = splits(table_of(["S1", "S1", "S2", "S2"], ["v", "w", "v", "w"]), "lovo")

    assert [(s.name, s.test.tolist()) for s in made] == [("v", [0, 2]), ("w", [1, 3])]
    assert "flatters" in PROTOCOLS["lovo"].description
    assert "flatters" in PROTOCOLS["random-kfold"].description
    assert "flatters" not in PROTOCOLS["loso"].description
    assert "flatters" not in PROTOCOLS["subject-kfold"].description


def test_the_seed_deals_subjects():
    """The same seed deals the same folds, another deals others."""
    table = table_of([f"S{i:02d}" for i in range(30)])
    tests = [[s.test.tolist() for s in splits(table, "subject-kfold", seed=seed)] for seed in (0, 0, 1)]

    assert tests[0] == tests[1] != tests[2]
    assert [len(t) for t in tests[0]] == [3] * 10


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        pytest.param(
            lambda: splits(table_of(["S1"] * 4)),
            ProtocolError,
            "LOSO needs at least 2 subjects, got 1: S1",
            id="loso-of-one",
        ),
        pytest.param(
            lambda: splits(table_of(["S1", "S2"]), "lovo"), ProtocolError, "LOVO needs at least 2 stimuli", id="one-film"
        ),
        pytest.param(
            lambda: splits(table_of(["S1", "S2"]), "random-kfold"), ProtocolError, "at least 10 rows, got 2", id="few-rows"
        ),
        pytest.param(
            lambda: splits(table_of(["S1", "S2"]), "los"), ConfigError, "no protocol 'los'; did you mean 'loso'", id="typo"
        ),
        pytest.param(lambda: Protocol("one", "subject", 1), ConfigError, "at least 2 folds, got 1", id="one-fold"),
        pytest.param(
            lambda: Protocol("rows", "nothing"), ConfigError, "expected a number of folds", id="leave-one-row-out"
        ),
    ],
)
def test_impossible_protocols(call, error, message):
    """Too few subjects, stimuli or rows, and unknown names are refused in words."""
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("train", "test", "protocol", "message"),
    [
        pytest.param(
            [0, 2], [1, 3], "loso", "expected subject S1 and 1 more on one side, got it in training and test", id="subject"
        ),
        pytest.param([0, 1, 2], [2, 3], "loso", "expected subject S2 on one side", id="row-of-a-subject"),
        pytest.param([0, 2], [1, 3], "lovo", "expected stimulus v and 1 more on one side", id="stimulus"),
        pytest.param([0, 1, 2], [2, 3], "random-kfold", "expected row r2 on one side", id="row"),
        pytest.param([0, 1], [], "loso", "expected rows on both sides, got 2 for training and 0 for test", id="empty"),
    ],
)
def test_planted_leaks_in_splits(train, test, protocol, message):
    """A split with the same subject, stimulus or row on both sides is refused by name."""
    table = table_of(["S1", "S1", "S2", "S2"], ["v", "v", "w", "w"])
    with pytest.raises(ProtocolError, match=message):
        check_split(Split("x", np.array(train, dtype=int), np.array(test, dtype=int)), table, protocol)


def test_honest_split_passes():
    """A split that keeps subjects apart passes without a word."""
    check_split(Split("S1", np.array([2, 3]), np.array([0, 1])), table_of(["S1", "S1", "S2", "S2"]))


def test_standardised_outside_is_refused():
    """A table standardised over all rows is refused; raw features and features standardised per subject pass."""
    who = np.repeat(["S1", "S2", "S3"], 8).tolist()
    raw = np.random.default_rng(1).normal(size=(24, 4)) * [1, 2, 3, 4] + 7
    per_subject = np.concatenate([StandardScaler().fit_transform(raw[i : i + 8]) for i in (0, 8, 16)])
    check_table(table_of(who, X=raw))
    check_table(table_of(who, X=per_subject))
    check_table(table_of(who, X=np.ones((24, 2))))
    with pytest.raises(ProtocolError, match="mean 0 and deviation 1 over all rows, test rows included; standardise inside"):
        check_table(table_of(who, X=StandardScaler().fit_transform(raw)))


class Memory(BaseEstimator):
    """Brings its knowledge along as a parameter."""

    def __init__(self, known=None):
        self.known = known

    def fit(self, X, y):
        return self


class Frozen(LogisticRegression):
    """Survives cloning with what it has learned."""

    def __sklearn_clone__(self):
        return self


def test_estimators_that_know_the_test_rows():
    """An estimator fitted before, alone or in a pipeline, and one that holds the labels or the table are refused."""
    table = table_of(["S1", "S1", "S2", "S2"])
    frozen = Frozen().fit(table.X, table.labels)
    for estimator in (frozen, make_pipeline(StandardScaler(), frozen)):
        with pytest.raises(ProtocolError, match=r"expected an unfitted one, got .*coef_.* after cloning"):
            check_estimator(estimator, table)
    for known in (table.labels, table.X.copy()):
        with pytest.raises(ProtocolError, match="parameter known: expected settings, got the whole table's values"):
            check_estimator(Memory(known), table)
    check_estimator(make_pipeline(StandardScaler(), LogisticRegression()), table)
    check_estimator(Memory(np.arange(4)), table)


def strata(table, **columns):
    return replace(table, strata={k: np.asarray(v) for k, v in columns.items()})


def test_losovo_keeps_subject_and_video_apart():
    """Leave one subject and one video out: each pair that occurs is tested once, by rows that share neither."""
    table = table_of(["S1", "S1", "S2", "S2", "S3"], ["v", "w", "v", "w", "v"])
    made = splits(table, "losovo")

    assert [s.name for s in made] == ["S1 v", "S1 w", "S2 v", "S2 w", "S3 v"]
    assert sorted(np.concatenate([s.test for s in made]).tolist()) == [0, 1, 2, 3, 4]
    for split in made:
        assert not set(table.subjects[split.train]) & set(table.subjects[split.test])
        assert not set(table.stimuli[split.train]) & set(table.stimuli[split.test])
    with pytest.raises(ProtocolError, match="LOSOVO needs at least 2 subjects and 2 stimuli, got 2 and 1"):
        splits(table_of(["S1", "S2"]), "losovo")


def test_cross_dataset_leaves_one_data_set_out():
    """Each data set is tested by all others; a person who is in two of them is refused by code."""
    table = strata(table_of(["a1", "a2", "b1", "b2", "c1"]), dataset=["A", "A", "B", "B", "C"])
    made = splits(table, "cross-dataset")

    assert [(s.name, s.train.tolist(), s.test.tolist()) for s in made] == [
        ("A", [2, 3, 4], [0, 1]),
        ("B", [0, 1, 4], [2, 3]),
        ("C", [0, 1, 2, 3], [4]),
    ]
    with pytest.raises(ProtocolError, match="expected subject a1 on one side"):
        splits(strata(table_of(["a1", "a2", "a1"]), dataset=["A", "A", "B"]), "cross-dataset")
    with pytest.raises(ProtocolError, match="CROSS-DATASET needs at least 2 data sets, got 1: A"):
        splits(strata(table_of(["a1", "a2"]), dataset=["A", "A"]), "cross-dataset")
    for name in ("cross-dataset", "composite"):
        with pytest.raises(ProtocolError, match=f"protocol '{name}': expected the stratum dataset in the table, got none"):
            splits(table_of(["a1", "a2"]), name)
    assert [s.name for s in splits(table, "composite")] == ["a1", "a2", "b1", "b2", "c1"]


def test_fixed_split_is_as_stated():
    """Rows are trained on or tested as the owners say; rows of neither part are left out; subjects stay apart."""
    table = strata(table_of(["a", "b", "c", "d"]), split=["train", "test", "", "train"])

    assert [(s.train.tolist(), s.test.tolist()) for s in splits(table, "fixed-split")] == [([0, 3], [1])]
    with pytest.raises(ProtocolError, match="expected train, test or a blank in the stratum split, got dev"):
        splits(strata(table, split=["train", "test", "dev", "train"]), "fixed-split")
    with pytest.raises(ProtocolError, match="expected subject a on one side"):
        splits(strata(table_of(["a", "a"]), split=["train", "test"]), "fixed-split")
    with pytest.raises(ProtocolError, match="expected rows on both sides, got 0 for training and 1 for test"):
        splits(strata(table_of(["a", "b"]), split=["", "test"]), "fixed-split")
    with pytest.raises(ConfigError, match="expected no number of folds, which follows from the rows, got 3"):
        Protocol("x", "split", 3)


def test_every_protocol_says_what_it_does():
    """Each description is a sentence of its own, and only those that flatter say so."""
    said = {name: protocol.description for name, protocol in PROTOCOLS.items()}

    assert len(set(said.values())) == len(said)
    assert {name for name, text in said.items() if "flatters" in text} == {"lovo", "random-kfold"}
