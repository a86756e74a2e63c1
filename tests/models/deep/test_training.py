"""Training follows from the seed and the rows alone; what is asked for happens, and nothing else."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from mmme.errors import ConfigError, DataError
from mmme.evaluate import run
from mmme.features.face.regions import REGIONS
from mmme.models.deep import training as training_module
from mmme.models.deep.classifier import NetworkClassifier
from mmme.models.deep.inputs import Scale, channels_first, mirror_of
from mmme.models.deep.layers import Dropout, at_step
from mmme.models.deep.stacking import train_stacked
from mmme.models.deep.training import Training, batches, learning_rate_at, loss_function, train
from mmme.types import FeatureTable

CLASSES = ("negative", "positive", "surprise")


def images(n_subjects=6, n_each=9, seed=0, effect=1.5):
    """Flow images whose class shows as upward or downward motion of the lower face, or of the upper."""
    rng = np.random.default_rng(seed)
    n = n_subjects * n_each
    labels = np.tile(CLASSES, n // 3)
    X = rng.normal(size=(n, 12, 12, 3)).astype(np.float32)
    X[labels == "positive", 6:, :, 1] -= effect
    X[labels == "negative", 6:, :, 1] += effect
    X[labels == "surprise", :6, :, 1] -= effect
    who = np.repeat([f"S{k}" for k in range(n_subjects)], n_each)
    return X, labels, who


def network(**params):
    return NetworkClassifier("ststnet", **{"epochs": 12, "learning_rate": 1e-2, "batch_size": 16, **params})


def test_a_network_is_an_estimator():
    """Planted classes are recognised on left-out subjects; clones, seeds and repeated fits behave as they should."""
    X, y, who = images()
    table = FeatureTable.build(X, [], [f"r{k}" for k in range(len(y))], who, ["film"] * len(y), y)
    result = run(table, network(), n_bootstrap=200, n_permutations=200)

    assert result.score("UF1").value > 0.8
    assert {k for k in result.predictions if k.startswith("probability:")} == {f"probability:{c}" for c in CLASSES}
    one, two = network().fit(X, y), clone(network()).fit(X, y)
    assert np.array_equal(one.predict_proba(X), two.predict_proba(X))
    assert not np.array_equal(one.predict_proba(X), network(random_state=1).fit(X, y).predict_proba(X))
    assert one.classes_.tolist() == list(CLASSES)
    assert np.allclose(one.predict_proba(X).sum(axis=1), 1)
    flat = network(shape=(12, 12, 3)).fit(X.reshape(len(X), -1), y)
    assert np.array_equal(flat.predict_proba(X.reshape(len(X), -1)), one.predict_proba(X))


@pytest.mark.parametrize("way", ["stacked", "auto"])
def test_folds_come_out_the_same_any_way(way):
    """Folds side by side, or by the clock, give the predictions of folds one by one; sizes may differ between folds."""
    X, y, who = images(n_subjects=4)
    keep = np.arange(len(y)) != 3  # one subject has a row less, so its fold has another size
    X, y, who = X[keep], y[keep], who[keep]
    folds = [(np.flatnonzero(who != s), np.flatnonzero(who == s)) for s in np.unique(who)]
    alone = network(way="one-by-one").predict_over_folds(X, y, folds)
    model = network(way=way)
    together = model.predict_over_folds(X, y, folds)

    assert model.way_ in ("one-by-one", "stacked")
    for (rows, test), one, other in zip(folds, alone, together, strict=True):
        assert np.allclose(one.values, other.values, atol=1e-4)
        assert one.pred.tolist() == other.pred.tolist()
        plain = network().fit(X[rows], y[rows])
        assert np.allclose(plain.predict_proba(X[test]), one.values, atol=1e-7)


def test_the_random_state_of_others_is_left_alone():
    """Training draws nothing from PyTorch's global numbers, so it changes none."""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    X, y, _ = images(n_subjects=2)
    network(epochs=1).fit(X, y)

    assert torch.equal(torch.rand(2), expected)


def test_order_of_rows():
    """Every row once per epoch, another order each epoch, the same for as many rows; a single last row joins the batch before."""
    training = Training(epochs=3, learning_rate=0.1, batch_size=4)
    y = np.array([0, 1] * 8 + [1])
    first, second = ([b.tolist() for b in batches(y, training, 0, epoch)] for epoch in (0, 1))

    assert sorted(row for batch in first for row in batch) == list(range(17))
    assert [len(b) for b in first] == [4, 4, 4, 5]
    assert first != second
    assert first == [b.tolist() for b in batches(1 - y, training, 0, 0)]
    assert first != [b.tolist() for b in batches(y, training, 1, 0)]


def test_balanced_sampling_draws_classes_alike():
    """As many rows of each class in an epoch, all rows of the rare one, none of the frequent one twice."""
    y = np.array([0] * 10 + [1] * 3 + [2] * 4)
    training = Training(epochs=1, learning_rate=0.1, batch_size=8, balanced_sampling=True)
    drawn = np.concatenate(list(batches(y, training, 0, 0)))

    assert np.bincount(y[drawn]).tolist() == [10, 10, 10]
    counts = np.bincount(drawn, minlength=17)
    assert counts[:10].tolist() == [1] * 10
    assert set(counts[10:13].tolist()) == {3, 4}


def test_losses_by_hand():
    """Class weights, focal loss and label smoothing give what their formulas give."""
    logits, codes = torch.tensor([[2.0, 0.0], [0.5, 1.0], [0.0, 0.0]]), torch.tensor([0, 0, 1])
    y = np.array([0, 0, 1])
    log_p = torch.log_softmax(logits, dim=1)
    own = log_p[torch.arange(3), codes]
    plain = Training(1, 0.1, 3)

    def loss(**asked):
        return float(loss_function(y, 2, Training(1, 0.1, 3, **asked))(logits, codes))

    assert float(loss_function(y, 2, plain)(logits, codes)) == pytest.approx(float(-own.mean()), abs=1e-6)
    weight = torch.tensor([0.75, 1.5])[codes]  # n / (classes * count)
    assert loss(class_weights=True) == pytest.approx(float(-(weight * own).sum() / weight.sum()), abs=1e-6)
    assert loss(focal_gamma=2.0) == pytest.approx(float(-((1 - own.exp()) ** 2 * own).mean()), abs=1e-6)
    smooth = 0.9 * own + 0.1 * log_p.mean(dim=1)
    assert loss(label_smoothing=0.1) == pytest.approx(float(-smooth.mean()), abs=1e-6)


def test_mirroring_respects_motion():
    """Left becomes right and motion to the right motion to the left, about zero motion, whatever the scale; twice is nothing."""
    raw = np.random.default_rng(0).normal(size=(5, 3, 8, 8)).astype(np.float32) + np.array([2, 0, 1])[:, None, None]
    raw = raw.astype(np.float32)
    scale = Scale.learned(raw)
    turn = mirror_of("flow-image", scale)
    expected = raw[..., ::-1].copy()
    expected[:, 0] *= -1

    assert torch.allclose(turn(scale(raw)), scale(expected), atol=1e-5)
    assert torch.allclose(turn(turn(scale(raw))), scale(raw), atol=1e-5)
    assert mirror_of("eeg", scale) is None
    motion = np.zeros((1, 2, 1, len(REGIONS)), dtype=np.float32)
    names = list(REGIONS)
    motion[0, :, 0, names.index("mouth-right")] = 1.0, 2.0
    regions = mirror_of("region-motion", Scale.none(motion))(torch.from_numpy(motion))
    assert regions[0, :, 0, names.index("mouth-left")].tolist() == [-1.0, 2.0]
    assert regions[0, 1, 0, names.index("mouth-right")] == 0
    X, y, _ = images(n_subjects=2)
    assert not np.array_equal(network(mirror=True).fit(X, y).predict_proba(X), network().fit(X, y).predict_proba(X))
    with pytest.raises(ConfigError, match="expected inputs with a left and a right to mirror"):
        train(
            lambda shape, n: nn.Linear(*shape, n),
            torch.zeros(4, 2),
            np.array([0, 1, 0, 1]),
            2,
            Training(1, 0.1, 2, mirror=True),
            0,
        )
    with pytest.raises(ConfigError, match="expected inputs with a left and a right to mirror"):
        train_stacked(
            lambda shape, n: nn.Linear(*shape, n),
            torch.zeros(2, 4, 2),
            np.array([[0, 1, 0, 1]] * 2),
            2,
            Training(1, 0.1, 2, mirror=True),
            0,
            mirrors=[None, None],
        )


def test_dropout_is_keyed():
    """The mask follows from seed, step and layer; it is off in evaluation."""
    net = nn.Sequential(Dropout(0.5), Dropout(0.5))
    x = torch.ones(1, 64)
    at_step(net, 1, 5)
    first = net(x)
    at_step(net, 1, 6)
    second = net(x)
    at_step(net, 1, 5)

    assert torch.equal(first, net(x))
    assert not torch.equal(first, second)
    assert not torch.equal(net[0](x), net[1](x))
    assert torch.equal(net.eval()(x), x)


def test_optimisers_and_schedules():
    """Each optimiser lowers the loss of a simple problem; the cosine ends near zero."""
    X, y = torch.tensor([[0.0], [1.0]]).repeat(16, 1), np.array([0, 1] * 16)
    for optimiser in ("adam", "adamw", "sgd"):
        told = []
        training = Training(30, 0.05, 8, optimiser=optimiser, weight_decay=1e-4, schedule="cosine")
        train(
            lambda shape, n: nn.Linear(*shape, n), X, y, 2, training, 0, told=lambda e, loss, told=told: told.append(loss)
        )
        assert told[-1] < told[0]
        assert len(told) == 30
    assert learning_rate_at(training, 0) == 0.05
    assert learning_rate_at(training, 29) < 0.001


def test_what_cannot_be_trained_is_said():
    """Missing rows, a loss that is no number, wrong shapes and unknown words are one sentence each."""
    X, y, _ = images(n_subjects=2)
    holes = X.copy()
    holes[3, 0, 0, 0] = np.nan
    for scale in ("none", "channel"):
        with pytest.raises(DataError, match="expected rows without missing values, got 1 of 18 with some"):
            network(scale=scale).fit(holes, y)
    with pytest.raises(DataError, match=r"epoch \d+: expected a finite loss"):
        network(learning_rate=1e20, optimiser="sgd").fit(X, y)
    with pytest.raises(DataError, match=r"expected rows of kind flow-image, \(n, height, width, 3\), got \(18, 432\)"):
        network().fit(X.reshape(len(X), -1), y)
    with pytest.raises(DataError, match=r"expected 3 values per row for shape \(1, 1, 3\), got 432"):
        network(shape=(1, 1, 3)).fit(X.reshape(len(X), -1), y)
    with pytest.raises(ConfigError, match="expected a way among auto, one-by-one, stacked, got 'fast'"):
        network(way="fast").fit(X, y)
    with pytest.raises(ConfigError, match="expected a scale of channel or none, got 'row'"):
        network(scale="row").fit(X, y)
    with pytest.raises(ConfigError, match="epochs: expected at least 1, got 0"):
        Training(0, 0.1, 4)
    with pytest.raises(ConfigError, match="optimiser: expected adam, adamw, sgd, got 'lion'"):
        Training(1, 0.1, 4, optimiser="lion")
    assert channels_first(np.zeros((2, 4, 6, 6)), "clip", "x").shape == (2, 1, 4, 6, 6)
    assert channels_first(np.zeros((2, 5, 12, 2)), "region-motion", "x").shape == (2, 2, 5, 12)
    assert training_module.OPTIMISERS == ("adam", "adamw", "sgd")
