"""The complex steerable pyramid: nothing is lost, a shift turns phases, and bands see their own waves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.errors import ConfigError, DataError
from mmme.features.face.steerable import steerable_pyramid


def rebuilt(pyramid, images):
    spectra = pyramid.spectra(images)
    total = spectra * pyramid.rest
    for band in pyramid.bands:
        pyramid.add(total, pyramid.analysed(spectra, band), band)
    return pyramid.images(total)


@settings(deadline=None, max_examples=25)
@given(st.integers(16, 70), st.integers(16, 70), st.sampled_from([0.25, 0.5, 1.0]), st.integers(2, 8), st.integers(0, 99))
def test_bands_and_rest_add_up_to_the_image(height, width, octaves, directions, seed):
    """Perfect reconstruction: any size, odd or even, and any parameters; to float rounding of grey levels."""
    images = np.random.default_rng(seed).uniform(0, 255, (2, height, width)).astype(np.float32)
    pyramid = steerable_pyramid((height, width), octaves=octaves, directions=directions)
    np.testing.assert_allclose(rebuilt(pyramid, images), images, atol=2e-3)


def test_a_shift_turns_the_phase():
    """Waves of 16 px that move by 1 px turn by 2 pi / 16 in every band of their direction that holds them."""
    x = np.indices((96, 96))[1]
    images = np.array([128 + 50 * np.cos(2 * np.pi * (x - s) / 16) for s in (0.0, 1.0)], dtype=np.float32)
    pyramid = steerable_pyramid((96, 96))
    spectra = pyramid.spectra(images)
    band = next(b for b in pyramid.bands if b.wavelength_px == 16 and b.direction == 0)
    waves = pyramid.analysed(spectra, band)
    rows, columns = (slice(n // 4, -n // 4) for n in band.mask.shape)
    turned = np.angle(waves[1] * np.conj(waves[0]))[rows, columns]
    np.testing.assert_allclose(turned, -2 * np.pi / 16, rtol=0.05)


@pytest.mark.parametrize(("axis", "direction"), [(1, 0.0), (0, np.pi / 2)])
def test_stripes_are_in_the_band_of_their_length_and_direction(axis, direction):
    """Of all bands, the one of 8 px across the stripes holds most of stripes of 8 px."""
    stripes = (50 * np.cos(2 * np.pi * np.indices((80, 96))[axis] / 8)).astype(np.float32)
    pyramid = steerable_pyramid((80, 96))
    spectra = pyramid.spectra(stripes[None])
    held = [float((np.abs(pyramid.analysed(spectra, b)) ** 2).sum() * b.mask.size) for b in pyramid.bands]  # Parseval
    best = pyramid.bands[int(np.argmax(held))]
    assert (best.wavelength_px, best.direction) == (8.0, pytest.approx(direction))


def test_what_cannot_be_built_is_said():
    """Too small, wrong parameters, wrong frames: one sentence each."""
    with pytest.raises(DataError, match=r"expected images of at least 16 px, got 12 x 40 px"):
        steerable_pyramid((12, 40))
    with pytest.raises(ConfigError, match=r"expected 0.125 to 1 octaves and at least 2 directions, got 2 and 4"):
        steerable_pyramid((32, 32), octaves=2)
    with pytest.raises(DataError, match=r"expected images \(k, 32, 32\), got \(1, 32, 40\)"):
        steerable_pyramid((32, 32)).spectra(np.zeros((1, 32, 40), np.float32))
