"""Networks of fusion: the formulas of their papers by hand, and what is missing has no say."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mmme.models.deep.contrastive import ContrastiveFusion, pair_loss  # noqa: E402
from mmme.models.deep.cross_attention import CrossAttention  # noqa: E402
from mmme.models.deep.fusion_networks import HEADS, FusionTraining, probabilities_of, trained  # noqa: E402
from mmme.models.deep.tensor_fusion import LowRankFusion  # noqa: E402
from mmme.models.fusion.network import HEADS as NAMES  # noqa: E402

SIZES = [5, 3]
HOW = FusionTraining(
    epochs=30,
    pretraining_epochs=10,
    learning_rate=0.01,
    weight_decay=0.01,
    batch_size=32,
    width=8,
    dropout=0.1,
    left_out=0.2,
)


def rows(n=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, size, generator=generator) for size in SIZES], torch.ones(n, 2)


def head(name, **changes):
    torch.manual_seed(0)
    return HEADS[name](SIZES, 3, width=4, dropout=0.5, **changes).eval()


def test_names_agree():
    """Names known without PyTorch are those of the networks."""
    assert tuple(HEADS) == NAMES


@pytest.mark.parametrize("present", [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0)])
def test_low_rank_is_the_whole_tensor(present):
    """Logits are those of the outer product of features, a 1 appended to each, times the whole weight tensor."""
    module = head("tensor")
    parts, there = rows()
    there = there * torch.tensor(present)
    features = []
    for m, part in enumerate(parts):
        hidden = torch.relu(module.encoders[m][0](part)) * present[m]
        features.append(torch.cat([hidden, torch.ones(len(part), 1)], dim=1))
    weight = torch.einsum("r,rac,rbc->abc", module.share, module.factors[0], module.factors[1])
    whole = torch.einsum("na,nb,abc->nc", features[0], features[1], weight) + module.bias

    torch.testing.assert_close(module(parts, there), whole)


@pytest.mark.parametrize("name", HEADS)
def test_what_is_missing_has_no_say(name):
    """Logits do not depend on the values of a missing modality, and do on those of one that is there."""
    module = head(name)
    parts, there = rows()
    other, _ = rows(seed=1)
    there[:, 1] = 0.0

    torch.testing.assert_close(module(parts, there), module([parts[0], other[1]], there))
    assert not torch.allclose(module(parts, there), module([other[0], parts[1]], there))
    assert not torch.allclose(module(parts, there), module(parts, torch.ones_like(there)))


def test_attention_by_hand():
    """One row: softmax of query times keys over the other's tokens, values added, normalised, averaged."""
    module = head("cross-attention", n_tokens=2)
    parts, there = rows(n=1)
    tokens = [torch.relu(module.encoders[m][0](parts[m])).reshape(2, 4) for m in range(2)]
    pooled = []
    for m, o in ((0, 1), (1, 0)):
        score = module.queries[m](tokens[m]) @ module.keys[o](tokens[o]).T / 2
        mixed = tokens[m] + torch.softmax(score, dim=1) @ module.values[o](tokens[o])
        pooled.append(module.norms[m](mixed).mean(dim=0))

    torch.testing.assert_close(module(parts, there)[0], module.head(torch.cat(pooled)))


def test_contrast_by_hand():
    """Equal pairs among k unrelated rows of one subject cost log(1 + (k - 1) exp(-s)), alike ones log k; others do not count."""
    own = torch.eye(4)
    subjects = torch.tensor([0, 0, 0, 0])
    alike = torch.ones(4, 1)

    assert pair_loss(own, own, subjects, 5.0).item() == pytest.approx(np.log(1 + 3 * np.exp(-5)))
    assert pair_loss(alike, alike, subjects, 5.0).item() == pytest.approx(np.log(4))
    assert pair_loss(alike, alike, torch.tensor([0, 0, 1, 1]), 5.0).item() == pytest.approx(np.log(2))


def test_pretraining_brings_halves_together():
    """Pre-training on rows with a common cause makes a new row's own other half more alike than its subject's others."""
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(400, 3))
    parts = [cause @ rng.normal(size=(3, d)) + 0.1 * rng.normal(size=(400, d)) for d in SIZES]
    parts = [part.astype(np.float32) for part in parts]
    groups = np.arange(400) // 20
    there = np.ones((300, 2), dtype=bool)
    y = (np.arange(300) % 2).astype(np.intp)
    module = trained("contrastive", [p[:300] for p in parts], there, y, groups[:300], n_classes=2, how=HOW, seed=0)
    with torch.no_grad():
        coded = module.features([torch.from_numpy(p[300:]) for p in parts], torch.ones(100, 2))
    alike = (coded[:, 0] @ coded[:, 1].T).reshape(5, 20, 100)
    found = [int(alike[s, i, 20 * s : 20 * s + 20].argmax()) == i for s in range(5) for i in range(20)]

    assert isinstance(module, ContrastiveFusion)
    assert np.mean(found) > 0.5  # 0.05 by chance


@pytest.mark.parametrize("name", HEADS)
def test_training_learns_and_leaves_no_trace(name):
    """A planted effect is learned from both modalities; torch's generator is as before; seeds alone decide."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    parts = [rng.normal(size=(240, d)).astype(np.float32) for d in SIZES]
    parts[0][y == 1, :3] += 2
    parts[1][y == 2] += 2
    there = np.ones((240, 2), dtype=bool)
    there[::7, 1] = False
    parts[1][::7] = 0
    before = torch.random.get_rng_state()
    fitted = [trained(name, parts, there, y, np.arange(240) // 20, n_classes=3, how=HOW, seed=seed) for seed in (0, 0, 1)]
    first, again, other = (probabilities_of(module, parts, there) for module in fitted)

    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(first.sum(axis=1), 1)
    assert np.mean(first.argmax(axis=1) == y) > (0.6 if name == "contrastive" else 0.75)
    assert isinstance(fitted[0], LowRankFusion | CrossAttention | ContrastiveFusion)
