"""What every fusion promises, whatever is inside: probabilities, who decided, what was missing, and the same again by seed."""

import builtins
import sys

import numpy as np
import pytest
from sklearn.base import clone

from mmme.errors import ConfigError, ProtocolError
from mmme.models.classical import make_model
from mmme.models.fusion import FUSIONS, RECOMMENDED, HierarchicalFusion, LateFusion, make_fusion, usual_tree
from mmme.types import FoldwiseEstimator

COLUMNS = {"face": np.arange(6), "eeg": np.arange(6, 10), "ecg": np.arange(10, 12), "eda": np.arange(12, 14)}
NETWORKS = ("tensor", "cross-attention", "contrastive")
CLASSICAL = tuple(name for name in FUSIONS if name not in NETWORKS)


def study(seed=0, n_subjects=9, n_each=6):
    """Face tells neg and pos, body tells sur; some rows lack a modality, rows 0 and 1 lack all."""
    rng = np.random.default_rng(seed)
    n = n_subjects * n_each
    y = np.array(["neg", "pos", "sur"])[np.arange(n) % 3]
    who = np.repeat([f"S{i}" for i in range(n_subjects)], n_each)
    X = rng.normal(size=(n, 14)).astype(np.float32)
    X[y == "neg", :3] += 1.5
    X[y == "pos", 3:6] += 1.5
    X[y == "sur", 6:] += 1.0
    X[5::7, 6:] = np.nan
    X[3::9, 10:12] = np.nan
    X[[4, 15, 22, 37, 48], :6] = np.nan
    X[:2] = np.nan
    return X, y, who


def fusion(name, columns=COLUMNS, seed=0, **params):
    if name in NETWORKS:
        pytest.importorskip("torch")
        params = {"epochs": 2, "pretraining_epochs": 2, **params}
    elif name != "early":
        params = {"n_inner": 3 if name == "hierarchical" else 2, **params}
    body = "logistic" if name == "hierarchical" else "lda"  # its innermost rows are few
    parts = {m: make_model("svm-linear" if m == "face" else body) for m in columns}
    return make_fusion(name, parts, columns, seed, params=params)


@pytest.mark.parametrize("name", FUSIONS)
def test_who_decided_each_row(name):
    """Probabilities sum to 1; so do weights, which are 0 for a missing modality; a row with none gets the class shares."""
    X, y, who = study()
    model = fusion(name).fit(X, y, groups=who)
    proba, weight = model.predict_proba(X), model.decided_by(X)
    there = np.stack([~np.isnan(X[:, c]).all(axis=1) for c in COLUMNS.values()], axis=1)

    assert model.classes_.tolist() == ["neg", "pos", "sur"]
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(proba[:2], [[1 / 3] * 3] * 2)
    np.testing.assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
    assert weight.shape == (len(X), 4)
    assert (weight >= 0).all()
    assert (weight[~there] == 0).all()
    np.testing.assert_allclose(weight.sum(axis=1), there.any(axis=1), atol=1e-12)
    np.testing.assert_allclose(weight[12::7, 0], 1)


@pytest.mark.parametrize("name", FUSIONS)
def test_missing_modalities_are_said(name):
    """A sentence counts what is missing and says what was done; without anything missing there is none."""
    X, y, who = study()
    model = fusion(name).fit(X, y, groups=who)

    start = "54 rows: face missing in 7, eeg in 9, ecg in 14, eda in 9: "
    assert model.missing_note_.startswith(start)
    assert model.missing_note_.endswith("; 2 without any: shares of the training classes")
    assert model.missing_note(X) == model.missing_note_
    assert model.missing_note(X[-1:]) == ""


@pytest.mark.parametrize("name", FUSIONS)
def test_scikit_learn_contract(name):
    """Clones are equal and unfitted, arguments are untouched, and the same seed gives the same probabilities."""
    X, y, who = study()
    model = fusion(name)
    copy = clone(model)
    first = model.fit(X, y, groups=who).predict_proba(X)

    assert model.get_params()["columns"] is COLUMNS
    assert not hasattr(copy, "classes_")
    assert [k for k in vars(copy) if k.endswith("_")] == []
    np.testing.assert_array_equal(copy.fit(X, y, groups=who).predict_proba(X), first)
    np.testing.assert_array_equal(model.predict_proba(X[7:9]).argmax(axis=1), first[7:9].argmax(axis=1))


@pytest.mark.parametrize("name", FUSIONS)
def test_without_a_modality(name):
    """Leaving one out gives an unfitted fusion that no longer looks at its columns, the same as one built without it."""
    X, y, who = study()
    less = fusion(name).without("ecg")
    built = fusion(name, {k: v for k, v in COLUMNS.items() if k != "ecg"})
    blind = X.copy()
    blind[:, 10:12] = 1e6
    first = less.fit(X, y, groups=who).predict_proba(X)

    assert less.decided_by(X).shape == (54, 3)
    np.testing.assert_array_equal(first, less.predict_proba(blind))
    np.testing.assert_array_equal(first, built.fit(X, y, groups=who).predict_proba(X))
    with pytest.raises(
        ConfigError, match=r"expected one of several modalities to leave out \(face, eeg, eda\), got 'voice'"
    ):
        less.without("voice")
    with pytest.raises(ConfigError, match=r"modalities to leave out \(face\), got 'face'"):
        less.without("eeg").without("eda").without("face")


@pytest.mark.parametrize("name", CLASSICAL)
def test_folds_come_out_as_if_fitted_alone(name):
    """Many folds at once give exactly what a clone fitted on the training rows gives, with modalities missing."""
    X, y, who = study()
    X[(y == "sur") & (who != "S8"), 12:14] = np.nan  # a class that eda never saw
    parts = {m: make_model("svm-linear" if m in ("face", "ecg") else "logistic") for m in COLUMNS}
    if name == "stacked":  # a part that chooses a parameter on subjects of its own
        parts["eeg"] = make_model("svm-linear-nested")
    params = {} if name in ("early", "stacked") else {"n_inner": 3 if name == "hierarchical" else 2}
    model = make_fusion(name, parts, COLUMNS, 0, params=params)
    folds = [(np.flatnonzero(who != s), np.flatnonzero(who == s)) for s in ("S0", "S8")]
    together = model.predict_over_folds(X, y, folds, groups=who)

    assert isinstance(model, FoldwiseEstimator)
    for (train, test), fold in zip(folds, together, strict=True):
        alone = clone(model).fit(X[train], y[train], groups=who[train])
        assert fold.word == "probability"
        np.testing.assert_allclose(fold.values, alone.predict_proba(X[test]), atol=1e-9)
        np.testing.assert_array_equal(fold.pred, alone.predict(X[test]))
        np.testing.assert_array_equal(fold.classes, alone.classes_)


@pytest.mark.parametrize("name", FUSIONS)
def test_a_modality_that_cannot_be_learned(name):
    """One that is missing in all rows of all but one class is refused by name, never imputed."""
    X, y, who = study()
    X[y != "neg", 10:12] = np.nan
    with pytest.raises(
        ProtocolError, match="expected ecg in training rows of at least 2 classes, got it in [0-9]+ of 54 rows"
    ):
        fusion(name).fit(X, y, groups=who)


@pytest.mark.parametrize("name", sorted(set(CLASSICAL) - {"early"}))
def test_calibration_needs_subjects(name):
    """Without subjects, or with one, no row is unseen in a way that counts."""
    X, y, who = study()
    with pytest.raises(ProtocolError, match="expected groups of at least 2 training subjects to calibrate on, got none"):
        fusion(name).fit(X, y)
    with pytest.raises(ProtocolError, match=r"got 1; mmme\.evaluate gives the training subjects"):
        fusion(name).fit(X, y, groups=np.full(54, "S1"))
    del who


def test_a_modality_of_one_subject_cannot_be_calibrated():
    """Where only one training subject has a modality, no model of it can be asked about another."""
    X, y, who = study()
    X[who != "S4", 10:12] = np.nan
    with pytest.raises(ProtocolError, match="product fusion: expected ecg of at least 2 training subjects"):
        fusion("product").fit(X, y, groups=who)


def test_names():
    """Fusions are built by name with their parameters; a mistyped one gets the nearest; the recommended one exists."""
    parts = {m: make_model("lda") for m in COLUMNS}

    assert RECOMMENDED in FUSIONS
    assert make_fusion("late", parts, COLUMNS).calibrate
    assert make_fusion("stacked", parts, COLUMNS, 3, params={"n_inner": 4}).get_params()["n_inner"] == 4
    with pytest.raises(ConfigError, match="no fusion 'stackd'; did you mean 'stacked'"):
        make_fusion("stackd", parts, COLUMNS)
    with pytest.raises(ConfigError, match="no parameter of fusion 'tensor' 'epoch'; did you mean 'epochs'"):
        make_fusion("tensor", parts, COLUMNS, params={"epoch": 3})
    with pytest.raises(ConfigError, match="classifiers for ecg, eda, eeg and columns for ecg, eda, eeg, face"):
        make_fusion("late", {k: v for k, v in parts.items() if k != "face"}, COLUMNS)
    with pytest.raises(ConfigError, match="late fusion: expected a classifier .* for none and columns for none"):
        make_fusion("late", {}, {})


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("late", {"rule": "mode"}, "no rule of late fusion 'mode'"),
        ("stacked", {"weights": {"face": 1.0}}, "stacked fusion: expected no weights, got {'face': 1.0}"),
        ("late", {"n_inner": 1}, "expected at least 2 inner folds, got 1"),
        ("tensor", {"head": "tensr"}, "no network of fusion 'tensr'; did you mean 'tensor'"),
        ("tensor", {"epochs": 0}, "epochs: expected at least 1, got 0"),
        ("tensor", {"dropout": 1.0}, r"dropout: expected a share from 0 to below 1, got 1\.0"),
        ("tensor", {"learning_rate": 0.0}, r"learning_rate: expected above 0, got 0\.0"),
        (
            "hierarchical",
            {"tree": {"face": "face", "body": {"eeg": "eeg", "ecg": "ecg"}}},
            "expected eda once .*, got it 0",
        ),
        ("hierarchical", {"tree": {m: m for m in (*COLUMNS, "voice")}}, "modalities as leaves, got 'voice'"),
    ],
)
def test_parameters_out_of_range(name, params, message):
    """Parameters that cannot be meant are refused in one sentence."""
    X, y, who = study()
    with pytest.raises(ConfigError, match=message):
        fusion(name, **params).fit(X, y, groups=who)


def test_contrast_needs_two():
    """With one modality there is nothing to compare."""
    X, y, who = study()
    with pytest.raises(ConfigError, match="expected at least 2 modalities to compare, got face"):
        fusion("contrastive", {"face": COLUMNS["face"]}).fit(X, y, groups=who)


@pytest.mark.parametrize("name", NETWORKS)
def test_without_torch(name, monkeypatch):
    """Where PyTorch is missing, the sentence names the extra that brings it."""
    X, y, who = study()
    real = builtins.__import__

    def refuse(module, *args, **kwargs):
        if module == "torch" or module.startswith("torch."):
            raise ImportError(module)
        return real(module, *args, **kwargs)

    for module in [m for m in sys.modules if m.startswith("mmme.models.deep")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", refuse)
    if "mmme.models" in sys.modules and hasattr(sys.modules["mmme.models"], "deep"):
        monkeypatch.delattr(sys.modules["mmme.models"], "deep")
    parts = {m: make_model("lda") for m in COLUMNS}
    with pytest.raises(ConfigError, match=f"{name} fusion: expected PyTorch, got none installed; install the extra 'deep'"):
        make_fusion(name, parts, COLUMNS).fit(X, y, groups=who)


def test_quality_zero_is_missing():
    """A modality of quality 0 in a row has no part in it, whatever its values, in every fusion."""
    X, y, who = study()
    told = np.where(np.arange(54) % 4 == 0, 0.0, 1.0).astype(np.float32)[:, None]
    X = np.hstack([X, told])
    for name in ("early", "late", "product", "stacked", "fuzzy", "hierarchical", "tensor"):
        parts = {m: make_model("logistic") for m in COLUMNS}
        params = {"tensor": {"epochs": 2}, "hierarchical": {}, "early": {}}.get(name, {"n_inner": 2})
        if name == "tensor":
            pytest.importorskip("torch")
        model = make_fusion(name, parts, COLUMNS, 0, quality={"eeg": [14]}, params=params).fit(X, y, groups=who)
        other = X.copy()
        other[::4, 6:10] = 50.0
        assert (model.decided_by(X)[::4, 1] == 0).all()
        np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(other))


def test_usual_tree():
    """Autonomic signals are one branch of the body; a branch of one is that one."""
    assert usual_tree(["face", "body"]) == {"face": "face", "body": "body"}
    assert usual_tree(["face", "eeg", "ecg"]) == {"face": "face", "body": {"eeg": "eeg", "ecg": "ecg"}}
    assert usual_tree(["eeg", "ecg", "rsp"]) == {"eeg": "eeg", "autonomic": {"ecg": "ecg", "rsp": "rsp"}}


def test_hierarchy_weighs_along_the_branches():
    """A modality's weight is that of its branch times that in the branch; a tree of one level is late fusion."""
    X, y, who = study()
    model = fusion("hierarchical").fit(X, y, groups=who)
    top = model.fusion_.decided_by(X)
    flat = HierarchicalFusion(model.estimators, COLUMNS, tree={m: m for m in COLUMNS}, random_state=0)
    late = LateFusion(model.estimators, COLUMNS, random_state=0, rule="product", n_inner=3).fit(X, y, groups=who)

    np.testing.assert_allclose(model.decided_by(X)[:, 1:].sum(axis=1), top[:, 1])
    np.testing.assert_array_equal(flat.fit(X, y, groups=who).predict_proba(X), late.predict_proba(X))


def test_hierarchy_without_a_branch():
    """Leaving out both autonomic signals of a given tree leaves face and EEG."""
    tree = {"face": "face", "body": {"eeg": "eeg", "autonomic": {"ecg": "ecg", "eda": "eda"}}}
    less = fusion("hierarchical", tree=tree).without("ecg").without("eda")

    assert less.tree == {"face": "face", "body": "eeg"}
    assert less.without("eeg").tree == {"face": "face"}
