"""Networks that propose intervals: they learn what is planted, at any rate, the same every time."""

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError, ProtocolError
from mmme.interval import Interval
from mmme.types import Course

torch = pytest.importorskip("torch")

from mmme.models.deep.spotter import NetworkSpotter, course_inputs  # noqa: E402
from mmme.models.deep.spotting_backbones import BACKBONES  # noqa: E402

#: As few as each needs here; the usual number is for long recordings.
EPOCHS = {
    "region-graph-spotter": 10,
    "recurrent": 25,
    "temporal-convolution": 15,
    "three-stream": 15,
    "window-transformer": 15,
}


def planted(seed, *, fps=30.0, seconds=60.0, columns=4):
    """A course with bumps of 0.4 s (micro) in all columns, of 1.5 s (macro), and fast wiggles that are nothing."""
    rng = np.random.default_rng(seed)
    t = np.arange(0, seconds, 1 / fps)
    x = rng.normal(0, 0.03, (len(t), columns))
    coded, at = [], 2.0
    while at < seconds - 4:
        kind = ("micro", "macro", "none")[int(rng.integers(3))]
        length = {"micro": 0.4, "macro": 1.5, "none": 1.0}[kind]
        bump = np.interp(t, [at, at + length / 2, at + length], [0, 1, 0])
        if kind == "none":
            bump = bump * np.sin(2 * np.pi * 6 * t)
        else:
            coded.append((kind, Interval(at, at + length)))
        x += bump[:, None] * np.where(np.arange(columns) % 2, 1.0, -0.6)
        at += length + float(rng.uniform(0.8, 2.0))
    return Course(t, x.astype(np.float32)), coded


def hits(found, coded, kind):
    """How many coded ones a proposal above one half reaches, and how many such proposals there are."""
    own = [p for p in found if p.kind == kind and p.score > 0.3]
    truth = [i for k, i in coded if k == kind]
    return sum(any(p.interval.iou(i) >= 0.5 for p in own) for i in truth), len(own), len(truth)


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_every_backbone_learns_what_is_planted(backbone):
    """
    On another recording most planted expressions are found, of either kind, with few false ones.
    """
    columns = 24 if backbone == "region-graph-spotter" else 4
    train = [planted(k, columns=columns) for k in range(3)]
    model = NetworkSpotter(backbone, epochs=EPOCHS[backbone], batch_size=4).fit(
        [c for c, _ in train], [e for _, e in train]
    )
    course, coded = planted(99, columns=columns)
    (found,) = model.propose([course])
    for kind in ("micro", "macro"):
        n_hits, n_found, n_coded = hits(found, coded, kind)
        assert n_hits >= 0.6 * n_coded, (kind, n_hits, n_found, n_coded)
        assert n_found <= 1.7 * n_coded, (kind, n_hits, n_found, n_coded)


def test_the_same_seed_learns_the_same_and_another_rate_reads_alike():
    """
    Bit for bit at one seed; what is sampled at 60 Hz after learning at 30 Hz keeps its steps' size.
    """
    train = [planted(k) for k in range(2)]
    courses, coded = [c for c, _ in train], [e for _, e in train]
    one, two = (NetworkSpotter("three-stream", epochs=3).fit(courses, coded).propose(courses) for _ in range(2))
    assert one == two
    t = np.arange(0, 4, 1 / 30)
    slow = course_inputs(Course(t, (0.1 * t)[:, None].astype(np.float32)))
    t = np.arange(0, 4, 1 / 60)
    fast = course_inputs(Course(t, (0.1 * t)[:, None].astype(np.float32)))
    assert slow[1, 5:].mean() == pytest.approx(fast[1, 5:].mean(), rel=1e-3)


def test_moments_without_values_are_never_proposed():
    """
    A stretch of NaN has no peak, and values elsewhere are read as before.
    """
    train = [planted(k) for k in range(3)]
    model = NetworkSpotter("three-stream", epochs=8).fit([c for c, _ in train], [e for _, e in train])
    course, _ = planted(7)
    X = course.X.copy()
    X[600:900] = np.nan
    (found,) = model.propose([Course(course.t, X)])
    assert not any(20.0 <= p.apex < 30.0 for p in found)
    assert found


def test_what_cannot_be_learned_is_one_sentence():
    """
    An unknown name, nothing coded, different columns, no values, settings out of range.
    """
    course, coded = planted(0, seconds=10)
    bare = Course(course.t, np.full_like(course.X, np.nan))
    with pytest.raises(ConfigError, match="spotting network"):
        NetworkSpotter("tcnn").fit([course], [coded])
    with pytest.raises(ConfigError, match="epochs and batch_size of 1 or more"):
        NetworkSpotter(epochs=0).fit([course], [coded])
    with pytest.raises(ProtocolError, match="expected coded expressions to learn from"):
        NetworkSpotter().fit([course], [[]])
    with pytest.raises(DataError, match="the same columns, got"):
        NetworkSpotter().fit([course, Course(course.t, course.X[:, :1])], [coded, coded])
    with pytest.raises(DataError, match="at least one moment with values"):
        NetworkSpotter().fit([bare], [coded])


def test_the_graph_is_one_where_columns_are_regions():
    """
    Two values of twelve regions are joined by a graph; other tables are read without one.
    """
    graph = BACKBONES["region-graph-spotter"](2 * 24 + 1, 10)
    other = BACKBONES["region-graph-spotter"](2 * 25 + 1, 10)
    assert (graph.regions, graph.joined.shape) == (12, (12, 12))
    assert other.regions == 1
    still = torch.zeros(1, 49, 50)
    moved = still.clone()
    moved[0, 4] = 1.0  # x of the third region
    with torch.no_grad():
        before, after = graph.eval()(still), graph.eval()(moved)
    assert not torch.equal(before, after)
