"""Every network: as many weights as counted by hand, logits of the right shape, and all of it learns."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmme.errors import ConfigError, DataError
from mmme.metrics.recognition import confusion, uar, uf1
from mmme.models.catalogue import NETWORKS_TAKE, make_model, model_names, takes
from mmme.models.deep.htnet import htnet_of_published_size
from mmme.models.deep.networks import NETWORKS, spec_of
from mmme.models.deep.region_graph import JOINED, NAMES, PLACES, RegionGraphOfFlow
from mmme.models.deep.ststnet import ststnet_from_streams
from mmme.models.deep.training import seeded_module

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "megc2019_flow"
SHAPES = {
    "flow-image": (3, 28, 28),
    "clip": (1, 8, 64, 64),
    "region-motion": (2, 16, 12),
    "eeg": (6, 128),
    "band-power": (6, 5, 10),
    "window": (4, 64),
}


def conv(inputs, outputs, kernel, dims=2):
    return outputs * inputs * kernel**dims + outputs


def dense(inputs, outputs):
    return inputs * outputs + outputs


def inception(inputs, maps):
    return conv(inputs, maps, 1) + conv(inputs, maps, 3) + conv(inputs, maps, 5) + conv(inputs, maps, 1)


def attended(inputs, outputs):
    gate = conv(outputs, outputs // 4, 1) + conv(outputs // 4, outputs, 1)
    return conv(inputs, outputs, 3) + conv(outputs, outputs, 3) + 4 * outputs + gate + conv(inputs, outputs, 1)


def transformer(width):
    return 4 * width + dense(width, 3 * width) + dense(width, width) + dense(width, 2 * width) + dense(2 * width, width)


def graph(inputs, width=32):
    return 144 + 2 * (dense(inputs, width) + dense(width, width)) + dense(12 * width, 3)


def area_layer(width, heads):
    inner = width // heads * heads
    return 4 * width + 3 * width * inner + dense(inner, width) + dense(width, 4 * width) + dense(4 * width, width)


def areas(width, heads, repeats):
    total = conv(3, width, 7)
    for level, times in enumerate(repeats):
        own = width * 2**level
        total += times * area_layer(own, heads * 2**level)
        if level + 1 < len(repeats):
            total += conv(own, 2 * own, 3) + 4 * own
    last = width * 2 ** (len(repeats) - 1)
    return total + 2 * last + dense(last, 3)


def lstm(inputs, units):
    return 4 * units * (inputs + units + 2)


RCN = conv(3, 32, 5) + 64 + conv(32, 32, 1) + 64 + conv(32, 32, 3) + 64 + dense(32 * 25, 3)
EACH = {
    "ststnet": 1683,  # 3 -> 16 maps (448), their normalisation (32), 400 -> 3 (1203); the paper prints .00167 million
    "off-apexnet": 2 * (conv(1, 6, 5) + conv(6, 16, 5)) + dense(1568, 1024) + dense(1024, 1024) + dense(1024, 3),
    "rcn-a": RCN,
    "rcn-s": RCN,
    "featref": 2 * (inception(1, 6) + inception(24, 16)) + dense(6272, 192) + dense(192, 192) + 192 + dense(192, 3),
    "emr": conv(3, 16, 3) + 32 + conv(16, 32, 3) + 64 + dense(128, 3),
    "htnet": areas(32, 2, (2, 2, 2)),
    "slstt": conv(3, 48, 4) + 49 * 48 + 3 * transformer(48) + 96 + dense(48, 3),
    "csarnet": attended(3, 16) + attended(16, 32) + dense(288, 3),
    "region-graph-flow": graph(12),
    "region-graph": graph(32),
    "elrcn-flow": conv(3, 8, 3) + conv(8, 16, 3) + conv(16, 32, 3) + 112 + lstm(288, 32) + dense(32, 3),
    "elrcn": conv(1, 8, 3) + conv(8, 16, 3) + conv(16, 32, 3) + 112 + lstm(288, 32) + dense(32, 3),
    "cnn-3d-flow": conv(3, 8, 3, 3) + conv(8, 16, 3, 3) + 48 + dense(288, 3),
    "cnn-3d": conv(1, 8, 3, 3) + conv(8, 16, 3, 3) + 48 + dense(288, 3),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_and_learning(name):
    """As many weights as by hand; logits per row; one row alone works; every weight gets a gradient; the seed decides."""
    spec = spec_of(name)
    shape = (6, 5) if name == "dgcnn" else SHAPES[spec.takes]
    net = seeded_module(spec.build, shape, 3, 7)

    if name in EACH:  # the others are counted beside their own tests
        assert sum(p.numel() for p in net.parameters()) == EACH[name]
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    logits = net.train()(x)
    assert logits.shape == (4, 3)
    assert logits.dtype == torch.float32
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    again = seeded_module(spec.build, shape, 3, 7).eval()
    other = seeded_module(spec.build, shape, 3, 8).eval()
    one = seeded_module(spec.build, shape, 3, 7).eval()(x[:1])
    assert torch.equal(again(x[:1]), one)
    assert not torch.equal(other(x[:1]), one)
    assert torch.allclose(again(x)[:1], one, atol=1e-5)
    assert spec.paper.startswith(("doi:10.", "arXiv:"))


def test_published_size_of_htnet():
    """At the paper's widths and depths the hierarchical transformer has its 139.6 million weights."""
    with torch.device("meta"):
        net = htnet_of_published_size((3, 28, 28), 3)
    n = sum(p.numel() for p in net.parameters())

    assert n == areas(256, 3, (2, 2, 10))
    assert round(n / 1e6, 1) == 139.6


def test_regions_of_the_graph():
    """Joined regions exist, the graph is the same on both sides of the face, and each box lies inside the image."""
    other = {name: name.replace("right", "LEFT").replace("left", "right").replace("LEFT", "left") for name in NAMES}
    pairs = {frozenset(pair) for pair in JOINED}

    assert set(PLACES) == set(NAMES) == {n for pair in JOINED for n in pair}
    assert pairs == {frozenset(other[n] for n in pair) for pair in pairs}
    cells = RegionGraphOfFlow((3, 28, 28), 3).cells
    assert torch.allclose(cells.sum(dim=(2, 3)), torch.ones(12, 4))
    x = torch.zeros(1, 3, 28, 28)
    x[..., 19:, :] = 1.0  # the mouth's part of the face
    means = torch.einsum("nchw,rkhw->rk", x[:, :1], cells).mean(dim=1)
    assert means[NAMES.index("chin")] == 1.0
    assert means[NAMES.index("brow-inner")] == 0.0


def test_the_authors_weights_give_the_authors_figures():
    """The 68 released state dicts give the confusion, UF1 .7209 and UAR .7250 that their log gives, and per data set."""
    if not DATA.exists():
        pytest.skip("the released weights are not on this machine")
    table, states = np.load(DATA / "flow442.npz"), np.load(DATA / "ststnet_released_weights.npz")
    X = np.ascontiguousarray(np.moveaxis(table["X"][..., ::-1].astype(np.float32), -1, 1))
    subject, y, source = table["subject"], table["y"], table["dataset"]
    pred = np.full(len(y), -1)
    names = sorted({key.split("/")[0] for key in states.files})
    for name in names:
        arrays = {key.split("/", 1)[1]: states[key] for key in states.files if key.startswith(f"{name}/")}
        rows = np.flatnonzero(subject == name)
        with torch.inference_mode():
            pred[rows] = ststnet_from_streams(arrays)(torch.from_numpy(X[rows])).argmax(dim=1).numpy()

    def scores(rows):
        counts = confusion(y[rows], pred[rows], [0, 1, 2]).astype(float)
        return round(float(uf1(counts)), 4), round(float(uar(counts)), 4)

    assert len(names) == 68
    assert confusion(y, pred, [0, 1, 2]).tolist() == [[195, 39, 16], [36, 68, 5], [12, 7, 64]]
    assert scores(slice(None)) == (0.7209, 0.7250)
    assert {s: scores(source == s) for s in ("smic", "casme2", "samm")} == {
        "smic": (0.6871, 0.6876),
        "casme2": (0.8304, 0.8304),
        "samm": (0.5993, 0.6145),
    }


def test_other_arrays_are_refused():
    """Arrays of another image size do not become a network."""
    spec = {f"conv{k}.weight": np.zeros((m, 3, 3, 3)) for k, m in ((1, 3), (2, 5), (3, 8))}
    spec |= {f"conv{k}.bias": np.zeros(m) for k, m in ((1, 3), (2, 5), (3, 8))}
    parts = ("weight", "bias", "running_mean", "running_var")
    spec |= {f"bn{k}.{part}": np.ones(m) for k, m in ((1, 3), (2, 5), (3, 8)) for part in parts}
    with pytest.raises(DataError, match="expected arrays for 28 x 28 pixels, got other shapes"):
        ststnet_from_streams({**spec, "fc.weight": np.zeros((3, 16)), "fc.bias": np.zeros(3)})


def test_the_catalogue_knows_every_network():
    """Names and inputs in the catalogue, which does not import PyTorch, are those of the networks themselves."""
    assert {name: spec.takes for name, spec in NETWORKS.items()} == dict(NETWORKS_TAKE)
    assert model_names()[0] == "svm-linear"
    assert takes("lda") == "columns"
    with pytest.raises(ConfigError, match="no model 'ststnt'; did you mean 'ststnet'"):
        make_model("ststnt")
    with pytest.raises(ConfigError, match="no parameter of model 'ststnet' 'epoch'"):
        make_model("ststnet", {"epoch": 3})
    with pytest.raises(ConfigError, match="no network 'ststnt'"):
        spec_of("ststnt")
    assert make_model("ststnet", {"epochs": 3, "mirror": None}, random_state=5).get_params()["random_state"] == 5


@pytest.mark.parametrize("name", ["htnet", "slstt"])
def test_sizes_that_would_lose_pixels(name):
    """Images that patches do not cover are refused, not cut."""
    with pytest.raises(DataError, match="got 30 x 30"):
        spec_of(name).build((3, 30, 30), 3)
