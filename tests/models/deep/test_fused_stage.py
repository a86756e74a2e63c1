"""The fused first stage is the plain layers: values, gradients, running statistics, whole trainings."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from mmme.errors import DataError
from mmme.models.deep.fused_stage import StageImages, pooled_maps
from mmme.models.deep.ststnet import STSTNet
from mmme.models.deep.training import Training, train

SIZES = [(28, 28), (8, 8), (14, 20), (15, 16), (9, 31)]


def plain_and_fused(size, *, dtype=torch.float64):
    """One plain step in double precision and one fused step, from the same images and weights."""
    torch.manual_seed(sum(size))
    images = torch.randn(20, 3, *size)
    images[:, :, :4] = 0  # flat parts, where all values of a window are equal
    net = STSTNet((3, *size), 3).train()
    with torch.no_grad():
        net.norm.weight[3:6] *= -0.7  # a falling normalisation turns largest into smallest
        net.norm.bias.normal_()
    double = copy.deepcopy(net).to(dtype)
    expected = double.pool(double.norm(torch.relu(double.convolution(images.to(dtype)))))
    got = pooled_maps(StageImages(images), net.convolution, net.norm)
    weights = torch.randn(expected.shape)
    (expected * weights.to(dtype)).sum().backward()
    (got * weights).sum().backward()
    return double, net, expected, got


@pytest.mark.parametrize("size", SIZES)
def test_a_fused_step_is_the_plain_step(size):
    """Values, gradients and running statistics agree with the plain layers in double precision, for any size of image."""
    plain, fused, expected, got = plain_and_fused(size)
    assert got.shape == expected.shape
    assert torch.allclose(got.double(), expected, atol=2e-5)
    for (name, a), b in zip(plain.named_parameters(), fused.parameters(), strict=True):
        if name.startswith(("convolution", "norm")):
            assert float((a.grad - b.grad).abs().max()) < 2e-4 * max(float(a.grad.abs().max()), 1), name
    for (name, a), b in zip(plain.named_buffers(), fused.buffers(), strict=True):
        assert torch.allclose(a.double(), b.double(), atol=1e-6), name


def test_a_subset_of_images_is_what_it_is_alone():
    """Rows of a step are taken in their order, from images laid out together."""
    torch.manual_seed(0)
    images, net = torch.randn(12, 3, 28, 28), STSTNet((3, 28, 28), 3).train()
    rows = torch.tensor([7, 0, 3, 11])
    together = pooled_maps(StageImages(images)[rows], net.convolution, net.norm).detach().clone()
    alone = pooled_maps(StageImages(images[rows]), net.convolution, net.norm).detach()
    assert torch.equal(together, alone)


def test_training_is_the_same_whichever_way_the_first_stage_is_computed():
    """A whole training through prepared images ends at the same probabilities as one that is kept from preparing."""

    class Unprepared(nn.Module):
        def __init__(self, shape, n_classes):
            super().__init__()
            self.net = STSTNet(shape, n_classes)

        def forward(self, x):
            return self.net(x)

    rng = np.random.default_rng(0)
    X, y = torch.from_numpy(rng.normal(size=(60, 3, 28, 28)).astype(np.float32)), rng.integers(0, 3, 60)
    training = Training(epochs=5, learning_rate=2e-3, batch_size=16)
    fused, plain = train(STSTNet, X, y, 3, training, 4), train(Unprepared, X, y, 3, training, 4)
    with torch.no_grad():
        assert torch.allclose(fused(X), plain(X), atol=1e-4)


def test_a_gradient_taken_too_late_is_refused():
    """The next step uses the same memory, so the gradient of a step before must not be taken from it."""
    torch.manual_seed(0)
    images, net = StageImages(torch.randn(4, 3, 8, 8)), STSTNet((3, 8, 8), 3).train()
    first = pooled_maps(images, net.convolution, net.norm)
    pooled_maps(images, net.convolution, net.norm)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        first.sum().backward()


def test_other_images_are_refused():
    """Two channels or double precision: one sentence with what was given."""
    with pytest.raises(DataError, match=r"expected float32 of shape \(n, 3, height, width\), got torch.float32 of shape"):
        StageImages(torch.zeros(2, 2, 8, 8))
    with pytest.raises(DataError, match="got torch.float64"):
        StageImages(torch.zeros(2, 3, 8, 8, dtype=torch.float64))
