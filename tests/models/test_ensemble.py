"""An ensemble on flow images: chosen on training subjects, equal fold by fold and at once, blind to test rows."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.svm import SVC

from mmme.errors import ConfigError, DataError, ProtocolError
from mmme.evaluate import run
from mmme.features.face.flow_descriptors import signed_motion
from mmme.io.flow_npz import read_flow_npz
from mmme.models.ensemble import FAMILIES, MEMBERS, Family, FlowEnsemble, Member
from mmme.types import FeatureTable, FoldwiseEstimator

FLOW = Path(__file__).parents[2].parent / "shared" / "data" / "megc2019_flow" / "flow442.npz"
CLASSES = np.array(["negative", "positive", "surprise"])
GOOD = Member(Family("signed", 4), "linear", 0.3)
SIGNLESS = Member(Family("rectified", 8), "rbf", 2.0)
FEW = (SIGNLESS, GOOD, Member(Family("gradients", 4), "linear", 0.3))


def planted(n_subjects=6, n_each=6, seed=0, noise=1.0):
    """Each class lifts or lowers an own part of a face; returns images, classes, subjects."""
    rng = np.random.default_rng(seed)
    who = np.repeat([f"S{i}" for i in range(n_subjects)], n_each)
    y = np.tile(CLASSES, n_subjects * n_each // 3)
    X = rng.normal(scale=noise, size=(len(y), 16, 16, 3))
    X[y == "positive", 10:, 4:12, 1] -= 2
    X[y == "surprise", :4, 4:12, 1] -= 2
    return X, y, who


def folds_of(who):
    return [(np.flatnonzero(who != s), np.flatnonzero(who == s)) for s in np.unique(who)]


def test_every_fold_equals_a_clone_fitted_on_its_training_rows():
    """All folds at once give the very decision values of fit and predict on the training rows of each."""
    X, y, who = planted()
    model = FlowEnsemble(FEW, sizes=(1, 2, 0))
    assert isinstance(model, FoldwiseEstimator)
    made = model.predict_over_folds(X, y, folds_of(who), groups=who)
    for (train, test), one in zip(folds_of(who), made, strict=True):
        own = clone(model).fit(X[train], y[train], groups=who[train])

        np.testing.assert_allclose(one.values, own.decision_function(X[test]), atol=1e-10)
        np.testing.assert_array_equal(one.pred, own.predict(X[test]))
        assert one.word == "score"


def test_what_is_tested_cannot_reach_its_model():
    """Other labels and other pixels of test rows leave all predictions of other rows in that fold as they were."""
    X, y, who = planted()
    fold = folds_of(who)[2]
    before = FlowEnsemble(FEW, sizes=(1, 2, 0)).predict_over_folds(X, y, [fold], groups=who)[0].values
    X2, y2 = X.copy(), y.copy()
    y2[fold[1]] = np.roll(y[fold[1]], 1)
    X2[fold[1][1:]] *= -50
    after = FlowEnsemble(FEW, sizes=(1, 2, 0)).predict_over_folds(X2, y2, [fold], groups=who)[0].values

    np.testing.assert_array_equal(before[0], after[0])


def test_the_informative_member_is_chosen():
    """Of one member that sees the classes and one that cannot, the first is taken, and scores say why."""
    X, y, who = planted()
    X[..., 2] = np.random.default_rng(1).normal(size=X.shape[:3])
    blind = Member(Family("as-stored", 16), "linear", 0.1)
    model = FlowEnsemble((blind, GOOD), sizes=(1,)).fit(X, y, groups=who)

    assert model.members_ == (GOOD,)
    assert model.score_by_member_[1] > 0.9 > model.score_by_member_[0]
    assert model.size_ == 1


def test_choice_never_mixes_subjects():
    """Where labels are only the subject's own habit, members look no better than chance: nobody is on both sides."""
    rng = np.random.default_rng(0)
    who = np.repeat([f"S{i}" for i in range(8)], 9)
    faces = rng.normal(size=(8, 16, 16, 3))
    X = np.repeat(faces, 9, axis=0) + 0.1 * rng.normal(size=(72, 16, 16, 3))
    y = np.repeat(CLASSES[[0, 1, 2, 0, 1, 2, 0, 1]], 9)
    model = FlowEnsemble(FEW).fit(X, y, groups=who)

    assert max(model.score_by_member_) < 0.6
    assert np.mean(model.predict(X) == y) == 1  # it would know the faces it was fitted on


def test_a_single_linear_member_is_that_machine():
    """One member is a balanced support vector machine on standardised values; nothing is chosen, subjects not needed."""
    X, y, _ = planted()
    new, _, _ = planted(seed=1)
    F, G = signed_motion(X, block=4), signed_motion(new, block=4)
    Z, new_Z = (F - F.mean(0)) / F.std(0), (G - F.mean(0)) / F.std(0)
    size = (Z**2).sum(axis=1).mean()
    machine = SVC(kernel="linear", C=0.3 / size, class_weight="balanced").fit(Z, y)
    model = FlowEnsemble((GOOD,)).fit(X, y)

    np.testing.assert_allclose(model.decision_function(new), machine.decision_function(new_Z), atol=1e-2)
    np.testing.assert_array_equal(model.predict(new), machine.predict(new_Z))


def test_a_single_radial_member_is_that_machine():
    """The width counts in median squared distances of the training rows."""
    X, y, _ = planted()
    new, _, _ = planted(seed=1)
    F, G = signed_motion(X, block=4), signed_motion(new, block=4)
    Z, new_Z = (F - F.mean(0)) / F.std(0), (G - F.mean(0)) / F.std(0)
    distances = ((Z[:, None] - Z[None]) ** 2).sum(axis=2)
    machine = SVC(gamma=0.5 / np.median(distances), C=2.0, class_weight="balanced").fit(Z, y)
    model = FlowEnsemble((Member(Family("signed", 4), "rbf", 2.0, 0.5),)).fit(X, y)

    np.testing.assert_allclose(model.decision_function(new), machine.decision_function(new_Z), atol=1e-2)


def test_sizes():
    """0 is all, more than there are is all, and a single size is not chosen."""
    X, y, who = planted()
    model = FlowEnsemble(FEW, sizes=(0, 2, 99)).fit(X, y, groups=who)

    assert set(model.score_by_size_) == {2, 3}
    assert FlowEnsemble(FEW, sizes=(2,)).fit(X, y, groups=who).size_ == 2


def test_two_classes_and_a_class_with_one_subject():
    """Two classes give two columns; a class that an inner fold lacks is never predicted there, and nothing fails."""
    X, y, who = planted()
    two = y != "surprise"
    model = FlowEnsemble(FEW).fit(X[two], y[two], groups=who[two])
    assert model.decision_function(X[:5]).shape == (5, 2)
    assert np.mean(model.predict(X[two]) == y[two]) == 1

    rare = (y != "surprise") | (who == "S0")
    assert FlowEnsemble(FEW).fit(X[rare], y[rare], groups=who[rare]).decision_function(X[:5]).shape == (5, 3)


def test_the_evaluation_takes_it():
    """Run with leave-one-subject-out: images in, pooled scores out."""
    X, y, who = planted()
    ids = [f"{s}-{i}" for i, s in enumerate(who)]
    table = FeatureTable.build(X, [], ids, who.tolist(), ["film"] * len(y), y.tolist())
    result = run(table, FlowEnsemble(FEW, sizes=(1, 2, 0)), n_bootstrap=200, n_permutations=200)
    assert result.score("UF1").value > 0.9


def test_members_on_offer():
    """66 members, each family under the same six kernels."""
    assert len(MEMBERS) == 6 * len(FAMILIES) == len(set(MEMBERS)) == 66


def test_what_cannot_be_chosen_is_refused():
    """Subjects, classes, members, sizes, names and shapes are checked."""
    X, y, who = planted()
    with pytest.raises(ProtocolError, match="at least 2 subjects to choose members on, got 0"):
        FlowEnsemble(FEW).fit(X, y)
    with pytest.raises(ProtocolError, match="at least 2 subjects to choose members on, got 1"):
        FlowEnsemble(FEW).fit(X[:6], y[:6], groups=who[:6])
    one_each = np.where(who == "S0", "positive", "negative")
    with pytest.raises(ProtocolError, match="2 classes or more among the subjects of an inner fold, got only negative"):
        FlowEnsemble(FEW).fit(X, one_each, groups=who)
    with pytest.raises(ConfigError, match="got 0 members"):
        FlowEnsemble(()).fit(X, y, groups=who)
    with pytest.raises(ConfigError, match=r"sizes \[-1\]"):
        FlowEnsemble(FEW, sizes=(-1,)).fit(X, y, groups=who)
    with pytest.raises(ConfigError, match="rectified"):
        FlowEnsemble((Member(Family("rectifyed", 4), "linear", 1.0),)).fit(X, y, groups=who)
    with pytest.raises(DataError, match="expected u, v and strain"):
        FlowEnsemble(FEW).fit(X[..., :2], y, groups=who)


@pytest.mark.skipif(not FLOW.exists(), reason="flow images of MEGC2019 are not here")
def test_real_flow_of_one_source():
    """The 24 subjects of CASME II, three linear members: UF1 above .75 (three classes, chance about .33)."""
    table = read_flow_npz(FLOW)
    table = table.rows(table.strata["dataset"] == "casme2")
    members = tuple(m for m in MEMBERS if m.family.descriptor in {"gradients"} and m.kernel == "linear")
    result = run(table, FlowEnsemble(members, sizes=(0,)), n_bootstrap=200, n_permutations=200)
    assert result.score("UF1").value > 0.75


def test_flat_rows_are_the_same_images():
    """A fusion gives rows as vectors; with the shape they predict as the images do, with another they are refused."""
    X, y, who = planted()
    flat = X.reshape(len(X), -1)
    few = FlowEnsemble(FEW, shape=X.shape[1:]).fit(flat, y, groups=who)
    np.testing.assert_array_equal(few.decision_function(flat), FlowEnsemble(FEW).fit(X, y, groups=who).decision_function(X))
    with pytest.raises(DataError, match="expected 768 values per row for shape .16, 16, 3., got 767"):
        few.predict(flat[:, 1:])
