"""
A spotter that learns: where the middle of an expression is, how far it reaches, and where it begins and ends.

One network has five outputs per kind: middle, onset, offset (likelihoods) and the logarithms of the time back to the onset
and on to the offset. Proposals are the peaks of the middle, as long as the network says, their ends moved to a likely
onset and offset nearby. Lengths are learned as shares of the kind's usual length, so that one network does for both kinds.
The number of epochs is fixed; no test video has a say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch.nn import functional

from mmme.errors import ConfigError, DataError, ProtocolError, unknown_name
from mmme.interval import Interval
from mmme.models.deep.layers import at_step
from mmme.models.deep.spotting_backbones import BACKBONES
from mmme.models.proposals import proposals_at_peaks, refined, soft_suppressed
from mmme.types import KINDS, Course, Kind, Proposal

__all__ = ["NetworkSpotter", "course_inputs"]

#: Values are seen less their mean over so long around [s]: slow drift is no expression.
SLOW_S = 4.0
#: Outputs of a kind.
MIDDLE, ONSET, OFFSET, BACK, ON = range(5)
N_OUTPUTS = 5
#: Width of the targets as shares of an expression's length, and their least width [s].
MIDDLE_SHARE, END_SHARE, LEAST_S = 0.12, 0.08, 0.04
#: Focal loss (arXiv:1708.02002); the share of the likely moments in it.
GAMMA, ALPHA = 2.0, 0.75
#: Weight of the lengths beside the likelihoods.
LENGTH_WEIGHT = 0.3
#: Moments of a segment in training.
SEGMENT = 384
#: Proposals kept per kind and minute, more than anybody will want.
MOST_PER_MINUTE = 20.0

Floats = NDArray[np.float32]


def course_inputs(course: Course) -> Floats:
    """
    Turn a course into what the network reads: values less their slow part, their steps, and how many are known.

    Returns
    -------
    (2 * n_columns + 1, n) float32
        Unknown values are 0 there; the last row is the share of columns that are known.

    Examples
    --------
    >>> x = course_inputs(Course(np.arange(5) / 30, np.array([[0.0], [0.0], [1.0], [np.nan], [0.0]], dtype=np.float32)))
    >>> x.shape, x[2].tolist()
    ((3, 5), [1.0, 1.0, 1.0, 0.0, 1.0])
    """
    X = np.asarray(course.X, dtype=np.float64)
    known = np.isfinite(X)
    filled = np.where(known, X, 0.0)
    width = max(3, 2 * round(0.5 * SLOW_S / max(course.step_s, 1e-9)) + 1)
    share = uniform_filter1d(known.astype(np.float64), width, axis=0, mode="nearest")
    slow = uniform_filter1d(filled, width, axis=0, mode="nearest") / np.maximum(share, 1e-9)
    level = np.where(known, filled - slow, 0.0)
    steps = np.zeros_like(level)
    # per 1/30 s, so that the same motion has the same step at every rate
    both = known[1:] & known[:-1]
    steps[1:] = np.where(both, np.diff(filled, axis=0), 0.0) / max(course.step_s * 30.0, 1e-9)
    return np.concatenate([level.T, steps.T, known.mean(axis=1)[None]]).astype(np.float32)


def _targets(course: Course, coded: Sequence[tuple[str, Interval]], usual_s: Mapping[Kind, float]) -> Floats:
    """Make the outputs that would be right, ``(2 * 5, n)``; lengths are NaN away from a middle."""
    t = course.t
    made = np.zeros((len(KINDS), N_OUTPUTS, len(t)), dtype=np.float32)
    made[:, BACK:] = np.nan
    for k, kind in enumerate(KINDS):
        for name, interval in coded:
            if name != kind:
                continue
            length = interval.duration_s
            wide, narrow = (max(LEAST_S, share * length) for share in (MIDDLE_SHARE, END_SHARE))
            for output, at, width in (
                (MIDDLE, interval.centre_s, wide),
                (ONSET, interval.start, narrow),
                (OFFSET, interval.stop, narrow),
            ):
                made[k, output] = np.maximum(made[k, output], np.exp(-0.5 * ((t - at) / width) ** 2))
            near = np.abs(t - interval.centre_s) <= 2 * wide
            made[k, BACK, near] = np.log(np.maximum(t[near] - interval.start, 0.2 * length) / usual_s[kind])
            made[k, ON, near] = np.log(np.maximum(interval.stop - t[near], 0.2 * length) / usual_s[kind])
    return made.reshape(-1, len(t))


def _loss(out: Tensor, target: Tensor) -> Tensor:
    """Focal loss of likelihoods and absolute error of lengths where there is one."""
    shape = (out.shape[0], len(KINDS), N_OUTPUTS, out.shape[2])
    out, target = out.reshape(shape), target.reshape(shape)
    said, right = out[:, :, :BACK], target[:, :, :BACK]
    p = torch.sigmoid(said)
    entropy = functional.binary_cross_entropy_with_logits(said, right, reduction="none")
    weight = (ALPHA * right + (1 - ALPHA) * (1 - right)) * (p - right).abs() ** GAMMA
    likely = (weight * entropy).sum() / (right.sum() + 1.0)
    known = torch.isfinite(target[:, :, BACK:])
    error = (out[:, :, BACK:] - torch.nan_to_num(target[:, :, BACK:])).abs() * known
    return torch.as_tensor(likely + LENGTH_WEIGHT * error.sum() / (known.sum() + 1.0))


class NetworkSpotter(BaseEstimator):
    """
    A network that proposes scored intervals in courses of values.

    Parameters
    ----------
    backbone
        Of `mmme.models.deep.spotting_backbones.BACKBONES`.
    epochs
        Passes over the training videos; the state after the last is used.
    batch_size
        Segments of a step.
    learning_rate
        Of AdamW, falling to zero along a cosine.
    reach
        Farthest move of an end to a likely boundary, as a share of the length; 0 for none.
    random_state
        Seed of everything random.

    Examples
    --------
    >>> t = np.arange(0, 60, 1 / 30)
    >>> rng = np.random.default_rng(0)
    >>> coded = [("micro", Interval(s, s + 0.4)) for s in np.arange(2.0, 58.0, 2.5)]
    >>> x = rng.normal(0, 0.02, len(t)) + sum(np.interp(t, [i.start, i.centre_s, i.stop], [0, 1, 0]) for _, i in coded)
    >>> course = Course(t, x[:, None].astype(np.float32))
    >>> model = NetworkSpotter("three-stream", epochs=30, batch_size=2).fit([course], [coded])
    >>> found = [p for p in model.propose([course])[0] if p.kind == "micro" and p.score > 0.5]
    >>> sum(any(p.interval.iou(i) >= 0.5 for _, i in coded) for p in found) > 15
    True
    """

    def __init__(
        self,
        backbone: str = "temporal-convolution",
        epochs: int = 24,
        batch_size: int = 8,
        learning_rate: float = 3e-3,
        reach: float = 0.25,
        random_state: int = 0,
    ) -> None:
        self.backbone = backbone
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.reach = reach
        self.random_state = random_state

    def fit(self, courses: Sequence[Course], coded: Sequence[Sequence[tuple[str, Interval]]]) -> NetworkSpotter:
        """
        Learn.

        Parameters
        ----------
        courses
            Training videos, all with the same columns.
        coded
            Kind and interval of the expressions of each.

        Raises
        ------
        ConfigError
            If the backbone is unknown, or a setting out of range.
        DataError
            If the columns differ, or there is no value at all.
        ProtocolError
            If no expression is coded.
        """
        if self.backbone not in BACKBONES:
            raise unknown_name("spotting network", self.backbone, BACKBONES)
        if self.epochs < 1 or self.batch_size < 1 or not self.learning_rate > 0:
            raise ConfigError(
                f"spotter: expected epochs and batch_size of 1 or more and a learning rate above 0, got {self.epochs}, "
                f"{self.batch_size} and {self.learning_rate}"
            )
        widths = sorted({course.X.shape[1] for course in courses})
        if len(widths) != 1:
            raise DataError(f"spotter: expected videos with the same columns, got {widths or 'none'} columns")
        lengths = {k: [i.duration_s for own in coded for name, i in own if name == k] for k in KINDS}
        if not any(lengths.values()):
            raise ProtocolError("spotter: expected coded expressions to learn from, got none")
        self.usual_s_ = {k: float(np.median(v)) if v else 1.0 for k, v in lengths.items()}
        self.kinds_ = tuple(k for k in KINDS if lengths[k])
        inputs = [course_inputs(course) for course in courses]
        self._learn_scale(inputs)
        targets = [_targets(c, own, self.usual_s_) for c, own in zip(courses, coded, strict=True)]
        with _one_thread():
            self._train([self._scaled(x) for x in inputs], targets)
        return self

    def _learn_scale(self, inputs: Sequence[Floats]) -> None:
        known = np.concatenate([x[:-1, x[-1] > 0] for x in inputs], axis=1).astype(np.float64)
        if not known.size:
            raise DataError("spotter: expected at least one moment with values, got none")
        # expressions are rare and large: the usual size of a column is that of its middle, not of its tails; what is
        # unknown, or never moves, is exactly 0
        moving = np.where(known != 0, np.abs(known), np.nan)
        moving[np.isnan(moving).all(axis=1)] = 0.0
        usual = np.nanmedian(moving, axis=1) / 0.6745
        self.scale_ = np.where(usual > 0, usual, 1.0).astype(np.float32)

    def _scaled(self, x: Floats) -> Floats:
        """In units of the usual size; what is far larger grows like a logarithm."""
        units = x[:-1] / self.scale_[:, None]
        return np.concatenate([np.arcsinh(units), x[-1:]])

    def _train(self, inputs: Sequence[Floats], targets: Sequence[Floats]) -> None:
        rng = np.random.Generator(np.random.Philox(key=[self.random_state, 7]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            net = BACKBONES[self.backbone](inputs[0].shape[0], len(KINDS) * N_OUTPUTS)
        with torch.no_grad():  # most moments are none: begin by saying so
            bias = dict(net.named_parameters())[f"{'rest.' if self.backbone == 'region-graph-spotter' else ''}head.bias"]
            bias.view(len(KINDS), N_OUTPUTS)[:, :BACK] = -3.0
            bias.view(len(KINDS), N_OUTPUTS)[:, BACK:] = float(np.log(0.5))
        optimiser = torch.optim.AdamW(net.parameters(), lr=self.learning_rate, weight_decay=1e-2)
        places = [(v, s) for v, x in enumerate(inputs) for s in range(0, x.shape[1], SEGMENT)]
        n_steps = self.epochs * -(-len(places) // self.batch_size)
        step = 0
        net.train()
        for _ in range(self.epochs):
            shift = int(rng.integers(SEGMENT))
            order = rng.permutation(len(places))
            for first in range(0, len(order), self.batch_size):
                rows = [places[k] for k in order[first : first + self.batch_size]]
                x = torch.from_numpy(np.stack([_segment(inputs[v], s + shift) for v, s in rows]))
                y = torch.from_numpy(np.stack([_segment(targets[v], s + shift) for v, s in rows]))
                for group in optimiser.param_groups:
                    group["lr"] = self.learning_rate * 0.5 * (1 + np.cos(np.pi * step / n_steps))
                at_step(net, self.random_state, step)
                optimiser.zero_grad()
                _loss(net(x), y).backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(net.parameters(), 5.0)
                optimiser.step()
                step += 1
        self.net_ = net.eval()

    def curves(self, course: Course) -> dict[str, NDArray[np.float64]]:
        """
        Read one video: by kind, ``(5, n)`` likelihoods of middle, onset and offset, and seconds back and on.

        Likelihoods are NaN where there are no values.
        """
        inputs = course_inputs(course)
        with torch.inference_mode(), _one_thread():
            out = self.net_(torch.from_numpy(self._scaled(inputs)[None]))[0].numpy().astype(np.float64)
        made = out.reshape(len(KINDS), N_OUTPUTS, -1)
        made[:, :BACK] = np.where(inputs[-1] > 0, 1 / (1 + np.exp(-np.clip(made[:, :BACK], -50, 50))), np.nan)
        for k, kind in enumerate(KINDS):
            made[k, BACK:] = np.exp(np.clip(made[k, BACK:], -3, 3)) * self.usual_s_[kind]
        return {kind: made[k] for k, kind in enumerate(KINDS)}

    def propose(self, courses: Sequence[Course]) -> list[list[Proposal]]:
        """Return scored intervals of each video, low scores included, in order of time."""
        return [self._of(course) for course in courses]

    def _of(self, course: Course) -> list[Proposal]:
        curves, found = self.curves(course), []
        most = max(5, round(MOST_PER_MINUTE * float(course.t[-1] - course.t[0]) / 60))
        for kind in self.kinds_:
            own = curves[kind]
            proposals = proposals_at_peaks(course.t, own[MIDDLE], own[BACK], own[ON], kind, most=most)
            if self.reach > 0:
                starts, stops = np.nan_to_num(own[ONSET]), np.nan_to_num(own[OFFSET])
                proposals = [refined(p, course.t, starts, stops, reach=self.reach) for p in proposals]
            found += soft_suppressed(proposals)
        return sorted(found, key=lambda p: p.interval.start)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Layers this small wait for one another's threads: one thread is several times faster than two on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _segment(x: Floats, start: int) -> Floats:
    """Moments ``start`` on of a video, read as a ring, so that every moment is seen as often, also in a short one."""
    return np.ascontiguousarray(x[:, (start + np.arange(SEGMENT)) % x.shape[1]])
