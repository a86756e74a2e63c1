"""Trigger values from texts, columns and digital lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmme.errors import ConfigError, DataError
from mmme.io.triggers import from_column, from_lines, from_texts
from mmme.types import Stream


def lines_of(codes: np.ndarray, high: float = 5.0, fs: float = 1000.0) -> Stream:
    levels = np.stack([high * ((codes >> k) & 1) for k in range(8)], axis=1)
    return Stream("lines", "biopac", np.arange(len(codes)) / fs, levels, "V", fs)


def column_of(x: np.ndarray, fs: float = 1000.0) -> Stream:
    return Stream("trigger", "eeg", np.arange(len(x)) / fs, np.asarray(x), "", fs)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("101", 101), (" 101 ", 101), ("101.0", 101), ("S101", 101), ("S  1", 1), ("s 12", 12), ("Stimulus/S 12", 12),
        ("Stimulus/S101", 101), ("Trigger#5", 5), ("trigger 5", 5), ("Event: 7", 7), ("DIN5", 5), ("TTL_5", 5),
        ("256", None), ("S300", None), ("1001", None), ("Comment/101", None), ("Response/R  3", None), ("New Segment/", None),
        ("boundary", None), ("T1", None), ("-1", None), ("1.5", None), ("BAD 3", None), ("", None),
    ],
)  # fmt: skip
def test_texts_that_are_trigger_values(text: str, code: int | None):
    """Digits up to 255, alone or after a word for a trigger, are a value; any other text is listed."""
    found = from_texts(np.array([1.5]), [text])
    assert (found.codes.tolist(), found.others) == (([], (text,)) if code is None else ([code], ()))
    assert found.t_s.tolist() == ([] if code is None else [1.5])


def test_an_own_pattern_decides_alone():
    """With a pattern, the group 'code' (or the first group, or the whole text) is the value and nothing else counts."""
    t, texts = np.array([0.0, 1.0, 2.0]), ["clip_07_on", "101", "clip_12_on"]
    for pattern in (r"clip_(?P<code>\d+)_on", r"clip_(\d+)_on"):
        found = from_texts(t, texts, pattern=pattern)
        assert (found.codes.tolist(), found.others, found.t_s.tolist()) == ([7, 12], ("101",), [0.0, 2.0])
    assert from_texts(t, texts, pattern=r"\d+").codes.tolist() == [101]
    with pytest.raises(ConfigError, match=r"marker_text '\(': expected a regular expression, got missing \)"):
        from_texts(t, texts, pattern="(")
    with pytest.raises(ConfigError, match="expected digits in the group 'code', got 'clip' in 'clip_07_on'"):
        from_texts(t, texts, pattern="(?P<code>clip).*")


def test_texts_out_of_order_are_told():
    """Markers are in order of time; where annotations were not, that is said."""
    found = from_texts(np.array([2.0, 1.0]), ["5", "6"])
    assert (found.codes.tolist(), found.t_s.tolist()) == ([6, 5], [1.0, 2.0])
    assert found.findings == ("annotations were not in order of time; trigger values are",)
    assert (found.initial, found.markers("eeg").device) == (None, "eeg")


def test_the_lines_of_the_release_mean_100():
    """Line k is bit k: 0 0 5 0 0 5 5 0 V in columns 8 to 15 of the released example is 4 + 32 + 64."""
    levels = np.tile([0, 0, 5, 0, 0, 5, 5, 0], (50, 1))
    found = from_lines(Stream("lines", "biopac", np.arange(50) / 1000, levels, "V", 1000.0))
    assert (found.initial, found.t_s.tolist(), found.codes.tolist(), found.n_unsettled) == (100, [], [], 0)


def test_the_trigger_column_of_the_release_means_100():
    """0.06538 V is 65380 µV = 0xFF64, whose low byte is 100; the upper byte is idle and no finding."""
    x = np.full(60, 0.06538)
    assert from_column(column_of(x), low_byte=True).codes.tolist() == []
    found = from_column(column_of(np.repeat([65380, 65381, 65380], 20) * 1e-6), low_byte=True)
    assert (found.initial, found.codes.tolist(), found.t_s.tolist(), found.findings) == (100, [101, 100], [0.02, 0.04], ())
    assert from_column(column_of(np.repeat([65380.0, 65381.0], 20)), low_byte=True).codes.tolist() == [101]


def test_volts_that_nobody_stated_are_refused():
    """Fractions without low_byte are V, another signal, or a mixture: one sentence each, with the way out."""
    with pytest.raises(
        DataError, match="expected whole numbers, got 0.06538 at most; is it in V. then state low_byte = true"
    ):
        from_column(column_of(np.full(20, 0.06538)))
    with pytest.raises(DataError, match="trigger column: expected whole numbers, got 1.5; is it another signal"):
        from_column(column_of(np.full(20, 1.5)))
    with pytest.raises(DataError, match="trigger column: expected finite values, got NaN or infinity"):
        from_column(column_of(np.array([0.0, np.nan, 0.0])))


def test_whole_numbers_that_a_file_has_rounded():
    """A trigger channel scaled to 16 bits misses whole numbers by up to 0.004, at rest as well."""
    step = 510 / 65535
    x = np.round((np.repeat([0.0, 101.0, 0.0], 50) + 255) / step) * step - 255
    assert np.any(x != np.rint(x))
    assert from_column(column_of(x)).codes.tolist() == [101, 0]


def test_bits_outside_the_mask_are_told():
    """BioSemi's Status holds states of the amplifier above bit 15; an upper byte of the code is left out and said."""
    status = np.repeat([0, 7, 0], 20) + (1 << 20) + 0xFF00
    found = from_column(column_of(status.astype(float)))
    assert found.codes.tolist() == [7, 0]
    assert found.findings == ("bits of the trigger column outside 0xFF held 0xFF00 and are left out",)
    signed = np.repeat([0, 7, 0], 20).astype(float) - (1 << 23)
    assert from_column(column_of(signed)).codes.tolist() == [7, 0]


def test_bits_that_switch_apart_are_one_change():
    """From 100 to 127 by bits that move one and two samples apart: one change, dated from the first movement."""
    codes = np.full(100, 100)
    codes[40:] = 127
    codes[40] = 101
    codes[41] = 103
    for found in (from_lines(lines_of(codes)), from_column(column_of(codes))):
        assert (found.t_s.tolist(), found.codes.tolist(), found.n_unsettled) == ([0.04], [127], 0)


def test_spikes_are_counted_not_taken():
    """A value held for 3 ms is no value; a recording that ends in movement says so; 10 ms hold at 500 Hz suffice."""
    codes = np.full(100, 100)
    codes[30:33] = 255
    codes[98:] = 7
    found = from_lines(lines_of(codes))
    assert (found.initial, found.codes.tolist(), found.n_unsettled) == (100, [], 2)
    codes = np.repeat([100, 101, 100], [50, 5, 50])
    assert from_lines(lines_of(codes, fs=500.0)).codes.tolist() == [101, 100]
    assert from_lines(lines_of(codes, fs=500.0), settle_s=0.02).codes.tolist() == []


def test_levels_of_a_line():
    """A line that never changes is judged at 2.5 V, noise makes no levels, 3.3 V are high, and so are whole ones."""
    rng = np.random.default_rng(0)
    quiet = lines_of(np.full(60, 100))
    noisy = Stream("lines", "biopac", quiet.t, quiet.x[:] + rng.normal(0, 0.05, (60, 8)), "V", 1000.0)
    assert from_lines(noisy).initial == 100
    assert from_lines(lines_of(np.repeat([100, 101], 30), high=3.3)).codes.tolist() == [101]
    assert from_lines(lines_of(np.repeat([100, 101], 30), high=1.0)).codes.tolist() == [101]
    bits = Stream("lines", "biopac", quiet.t, quiet.x[:] > 0, "", 1000.0)
    assert from_lines(bits).initial == 100
    off = Stream("lines", "biopac", quiet.t, rng.normal(0, 0.05, (60, 8)), "V", 1000.0)
    assert from_lines(off).initial == 0


def test_lines_that_cannot_be_decoded():
    """No held value, undefined levels, or more lines than bits: one sentence each."""
    with pytest.raises(DataError, match="digital lines: expected a value held for 5 samples, got none in 20 samples"):
        from_lines(lines_of(np.arange(20) % 2))
    t = np.arange(20) / 1000
    broken = np.zeros((20, 8))
    broken[3, 2] = np.nan
    with pytest.raises(DataError, match="digital lines: expected finite levels, got NaN or infinity in line 2"):
        from_lines(Stream("lines", "biopac", t, broken, "V", 1000.0))
    with pytest.raises(DataError, match=r"digital lines: expected one to eight columns, got \(20, 9\)"):
        from_lines(Stream("lines", "biopac", t, np.zeros((20, 9)), "V", 1000.0))


def test_pulses_do_not_return():
    """Codes that fall back to a rest level count once; equal codes in a row are two pulses; a late bit is part of one."""
    codes = np.zeros(200, dtype=int)
    codes[20:30], codes[50:60], codes[90:100] = 5, 5, 6
    codes[90] = 4
    for found in (from_lines(lines_of(codes), held=False), from_column(column_of(codes), held=False)):
        assert (found.codes.tolist(), found.t_s.tolist()) == ([5, 5, 6], [0.02, 0.05, 0.09])
        assert (found.initial, found.n_unsettled) == (0, 0)
    assert from_column(column_of(codes)).codes.tolist() == [5, 0, 5, 0, 6, 0]


def test_rest_is_where_the_column_is_most_of_the_time():
    """Pulses may rest at 255, and a recording may begin within one."""
    codes = np.repeat([9, 255, 3, 255], [5, 100, 5, 100])
    found = from_column(column_of(codes), held=False)
    assert (found.initial, found.codes.tolist(), found.t_s.tolist()) == (9, [3], [0.105])


def test_pulses_of_one_sample():
    """One sample between rests is a pulse in a column, but a spike on lines, and too short where a hold is asked for."""
    codes = np.zeros(60, dtype=int)
    codes[10], codes[30] = 5, 7
    assert from_column(column_of(codes), held=False).codes.tolist() == [5, 7]
    assert from_column(column_of(codes), held=False, settle_s=0.002).n_unsettled == 2
    lines = from_lines(lines_of(codes), held=False)
    assert (lines.codes.tolist(), lines.n_unsettled) == ([], 2)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=30), st.integers(3, 40), st.integers(0, 2**32 - 1))
def test_held_values_survive_late_bits(values: list[int], hold: int, seed: int):
    """Whatever is held comes back in order and on time, though every bit may switch up to two samples late."""
    rng = np.random.default_rng(seed)
    values = [v for k, v in enumerate(values) if k == 0 or v != values[k - 1]]
    hold += 10
    codes = np.repeat(values, hold)
    late = codes.copy()
    for k in range(1, len(values)):
        for bit in range(8):
            for wait in range(int(rng.integers(0, 3))):
                at = k * hold + wait
                late[at] = (late[at] & ~(1 << bit)) | (values[k - 1] & (1 << bit))
    found = from_lines(lines_of(late))
    assert [found.initial, *found.codes.tolist()] == values
    assert np.all(found.t_s - np.arange(1, len(values)) * hold / 1000 > -1e-9)
    assert np.all(found.t_s - np.arange(1, len(values)) * hold / 1000 < 0.0021)


def test_blocks_join_without_a_seam():
    """Changes at, before and after the borders of blocks are found once, in lazy columns and lines too."""
    n, border = 3 * (1 << 18) + 17, 1 << 18
    codes = np.full(n, 100)
    for k, at in enumerate((border - 1, border + 9, 2 * border, 3 * border + 1)):
        codes[at:] = 101 + k
    expected = [(border - 1) / 1000, (border + 9) / 1000, 2 * border / 1000, (3 * border + 1) / 1000]
    for found in (from_column(column_of(codes)), from_lines(lines_of(codes))):
        assert found.codes.tolist() == [101, 102, 103, 104]
        np.testing.assert_allclose(found.t_s, expected, atol=1e-9)
