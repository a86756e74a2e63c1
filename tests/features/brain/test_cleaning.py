"""A recording from file to clean: equal to MNE, and honest about what is wrong with it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import mne
import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.brain.cleaning import CAUSES, EegSettings, read_eeg
from mmme.types import Stream

NAMES = ("FP1", "FP2", "F7", "F3", "FZ", "F4", "F8", "C3", "CZ", "C4", "P3", "PZ", "P4", "O1", "OZ", "O2")
FS = 1000.0


def recording(seconds: float = 30.0, fs: float = FS, names: tuple[str, ...] = NAMES) -> Stream:
    """Four common sources of falling noise, own noise, offsets of millivolts [V]."""
    rng = np.random.default_rng(4)
    n = round(seconds * fs)
    mixing = rng.normal(size=(4, len(names)))
    x = rng.normal(size=(n, 4)) @ mixing * 10 + rng.normal(size=(n, len(names))) * 3
    x += 0.1 * rng.normal(size=(n, len(names))).cumsum(axis=0) + 3000 * rng.normal(size=len(names))
    return Stream("eeg", "eeg", np.arange(n) / fs, 1e-6 * x, "V", fs, names)


def test_it_is_what_mne_makes():
    """Polyphase to 250 Hz, FIR 0.5 to 45 Hz, average reference: as MNE in double precision, to 1e-4 of the size."""
    stream = recording()
    clean = read_eeg(stream)
    raw = mne.io.RawArray(stream.x.T - stream.x[0][:, None], mne.create_info(list(NAMES), FS, "eeg"), verbose="ERROR")
    raw.resample(250, method="polyphase", pad="line", verbose="ERROR")
    raw.filter(0.5, 45.0, verbose="ERROR").set_eeg_reference("average", verbose="ERROR")
    expected = 1e6 * raw.get_data()

    assert clean.bad_channels == {}
    assert np.sqrt(np.mean((clean.x - expected) ** 2)) < 1e-5 * expected.std()
    assert np.abs(clean.x - expected).max() < 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(clean.t, np.arange(7500) / 250)


def test_every_step_is_told():
    """Rate, line, filter with its taps, reference with its channels."""
    steps = read_eeg(recording()).steps

    assert steps["eeg_rate"] == "1000 to 250 Hz"
    assert steps["eeg_filter"] == "0.5 to 45 Hz, zero-phase FIR of 1651 taps (6.6 s) at 250 Hz"
    assert steps["eeg_reference"] == "average of Fp1 Fp2 F7 F3 Fz F4 F8 C3 Cz C4 P3 Pz P4 O1 Oz O2"
    assert steps["eeg_line"].startswith("50 Hz holds ")


def test_the_power_line_is_measured_and_notched():
    """Half of the power of O1 at 50 Hz is told; a band that reaches 60 Hz keeps it, unless it is notched."""
    stream = recording()
    stream.x[:, 13] += 60e-6 * np.sin(2 * np.pi * 50 * stream.t)
    open_, notched = (read_eeg(stream, EegSettings(high_hz=80.0, line_hz=line)) for line in (0, 50))
    at_50 = [np.abs(np.fft.rfft(c.x[13]))[50 * 30] for c in (open_, notched)]

    share, name = open_.steps["eeg_line"].split("at most ")[1].split(";")[0].split(" % ")
    assert name == "(O1)"
    assert 60 < float(share) < 100
    assert at_50[1] < 0.02 * at_50[0]
    assert notched.steps["eeg_notch"] == "50 Hz and harmonics"


def test_bad_and_flat_channels_are_in_no_reference():
    """F4 20 times too large, P3 disconnected: named, not in the average, which is that of the others."""
    stream, sound = recording(), recording()
    stream.x[:, 5] *= 20
    stream.x[:, 10] = 0.003
    clean, without = read_eeg(stream), read_eeg(sound)

    assert list(clean.bad_channels) == ["F4"]
    assert np.array(clean.channels)[clean.flat].tolist() == ["P3"]
    assert clean.steps["eeg_reference"] == "average of Fp1 Fp2 F7 F3 Fz F8 C3 Cz C4 Pz P4 O1 Oz O2"
    rest = [k for k in range(16) if k not in (5, 10)]
    np.testing.assert_allclose(clean.x[rest], without.x[rest] - without.x[rest].mean(axis=0), atol=1e-2)


def test_they_are_replaced_only_when_asked():
    """Interpolated: named in ``interpolated``, good in the verdict; still listed with the reason they were bad for."""
    stream = recording()
    stream.x[:, 5] *= 20
    listed, mended = read_eeg(stream), read_eeg(stream, EegSettings(bad="interpolate"))

    assert listed.interpolated == ()
    assert mended.interpolated == ("F4",)
    assert mended.bad_channels == listed.bad_channels
    assert mended.steps["eeg_interpolated"] == "F4"
    assert listed.verdict.part_shares()[5] == 0.0
    assert mended.verdict.part_shares()[5] == 1.0
    assert np.std(mended.x[5]) < 0.2 * np.std(listed.x[5])


def test_references_of_choice():
    """Mastoids, one channel, as recorded; the mean of the named ones, after the same filter."""
    stream = recording(names=(*NAMES[:14], "M1", "M2"))
    as_recorded = read_eeg(stream, EegSettings(reference="none"))
    mastoids = read_eeg(stream, EegSettings(reference="mastoids"))
    cz = read_eeg(stream, EegSettings(reference="Cz"))

    assert mastoids.steps["eeg_reference"] == "mean of M1 M2"
    assert mastoids.channels == as_recorded.channels == cz.channels
    own = read_eeg(replace(stream, channels=(*NAMES[:14], "OZ", "O2")), EegSettings(reference="none")).x
    np.testing.assert_allclose(mastoids.x, own[:14] - own[14:].mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(cz.x, as_recorded.x - as_recorded.x[8], atol=1e-3)
    assert np.array(cz.channels)[cz.flat].tolist() == ["Cz"]


def test_a_reference_that_is_not_sound_is_refused():
    """A flat mastoid asked for by name; more than a fifth of bad channels for the average."""
    stream = recording(names=(*NAMES[:15], "M1"))
    stream.x[:, 15] = 0.0
    assert read_eeg(stream, EegSettings(reference="M1")).refused == "the reference M1 cannot be used: M1 is flat"
    assert read_eeg(stream, EegSettings(reference="mastoids")).refused == "no reference: M1 is flat"
    stream = recording()
    stream.x[:, :4] = 0.0
    assert read_eeg(stream).refused.startswith("4 of 16 channels are flat or bad, an average reference bears 20 %")
    assert read_eeg(stream, EegSettings(reference="Cz")).refused == ""


def test_holes_of_all_spoil_samples_holes_of_one_spoil_the_channel():
    """0.2 s missing everywhere: bad samples. A third of one channel missing: a bad channel, and no bad sample."""
    stream = recording()
    stream.x[10_000:10_200] = np.nan
    stream.x[15_000:25_000, 6] = np.nan
    clean = read_eeg(stream)
    where = clean.t[clean.bad]

    assert (where.min(), where.max()) == pytest.approx((9.96, 10.236), abs=0.005)
    assert clean.bad_channels == {"F8": "samples are missing in this channel alone"}
    assert " F8" not in clean.steps["eeg_reference"]
    missing = clean.verdict.codes == 1
    assert np.flatnonzero(missing[6]).tolist() == [9, 10, *range(14, 26)]
    assert np.flatnonzero(missing[0]).tolist() == [9, 10]
    assert np.isfinite(clean.x).all()


def test_a_short_hole_of_one_channel_is_no_bad_channel():
    """0.1 s of one of 16 channels: its samples are missing, the channel stays."""
    stream = recording()
    stream.x[10_000:10_100, 6] = np.nan
    clean = read_eeg(stream)

    assert clean.bad_channels == {}
    assert clean.bad.sum() == pytest.approx(45, abs=2)


def test_a_hole_in_the_reference_is_a_hole_everywhere():
    """M1 lacks 0.2 s: so does everything measured against it, and nothing measured against the average."""
    stream = recording(names=(*NAMES[:15], "M1"))
    stream.x[10_000:10_200, 15] = np.nan

    assert read_eeg(stream, EegSettings(reference="M1")).bad.any()
    assert not read_eeg(stream).bad.any()


def test_a_pause_of_the_recorder_is_bridged_and_marked():
    """Two seconds left out: the grid goes on, its samples are bad, times are those of the recorder."""
    stream = recording()
    keep = np.r_[0:12_000, 14_000:30_000]
    clean = read_eeg(replace(stream, t=stream.t[keep], x=stream.x[keep]))

    assert clean.t.size == 7500
    assert clean.t[clean.bad].min() == pytest.approx(11.96, abs=0.005)
    assert clean.t[clean.bad].max() == pytest.approx(14.036, abs=0.005)
    assert (clean.verdict.codes[:, 12:14] == 1).all()


def test_the_verdict_names_a_second_without_a_signal():
    """Flat for 3 s: those seconds, by their cause; white noise is muscle, where there is enough of it."""
    stream = recording()
    stream.x[10_000:13_000, 0] = stream.x[10_000, 0]
    verdict = read_eeg(stream).verdict

    assert verdict.causes == CAUSES
    assert verdict.parts[:2] == ("Fp1", "Fp2")
    assert np.flatnonzero(verdict.codes[0] == 2).tolist() == [10, 11, 12]
    assert np.isin(verdict.codes[1:], [0, 5]).all()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: replace(s, t=s.t[:4000], x=s.x[:4000]), "recording shorter than 5 s"),
        (lambda s: replace(s, x=np.zeros_like(s.x)), "all scalp channels are flat"),
        (lambda s: replace(s, channels=tuple(f"EMG{k}" for k in range(16))), "no channel on the scalp"),
        (lambda s: replace(s, x=np.where(s.t[:, None] > 10, np.nan, s.x)), "more than half of the recording is missing"),
        (lambda s: replace(s, x=np.full_like(s.x, np.nan)), "more than half of the recording is missing"),
    ],
)
def test_what_cannot_be_used_is_refused(change, why: str):
    """Short, flat, not on the scalp, mostly or wholly missing: one reason, and nothing in it."""
    clean = read_eeg(change(recording()))

    assert clean.refused == why
    assert clean.x.shape[1] == clean.t.size == 0
    assert clean.verdict.over_all()[0] == 0.0


def test_five_seconds_are_enough_to_be_read():
    """Exactly 5 s: filtered, and the text says that the filter is longer."""
    clean = read_eeg(recording(5.0))

    assert clean.refused == ""
    assert "longer than the recording of 5.0 s" in clean.steps["eeg_filter"]


def test_wrong_units_and_names_are_errors():
    """One sentence each, with the way out."""
    stream = recording(6.0)
    with pytest.raises(DataError, match="stream 'eeg': expected unit V, got µV; convert it where the file is read"):
        read_eeg(replace(stream, unit="µV"))
    with pytest.raises(DataError, match="expected 16 channel names, got 0; regions need them"):
        read_eeg(replace(stream, channels=()))
    with pytest.raises(DataError, match="expected every channel once, got Cz more than once"):
        read_eeg(replace(stream, channels=(*NAMES[:-1], "CZ")))
    with pytest.raises(DataError, match=r"channels of the reference, got none called NOSE"):
        read_eeg(stream, EegSettings(reference="Nose"))


def test_settings_are_checked():
    """A band the rate does not carry, unknown words, a power line that does not exist."""
    with pytest.raises(ConfigError, match=r"expected a band within 0 to 112.5 Hz at 250 Hz, got 0.5 to 120 Hz"):
        EegSettings(high_hz=120.0)
    with pytest.raises(ConfigError, match="expected 0 .none., 50 or 60 Hz, got 55 Hz"):
        EegSettings(line_hz=55)
    with pytest.raises(ConfigError, match="no treatment of bad channels 'interpolat'; did you mean 'interpolate'"):
        EegSettings(bad="interpolat")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no decomposition 'fastica'"):
        EegSettings(ica="fastica")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected average, mastoids, none or names of channels, got nothing"):
        EegSettings(reference=" ")


def test_types_of_the_file_win_over_names():
    """A channel typed MISC, whatever it is called, is not on the scalp."""
    stream = recording()
    types = ("EEG",) * 15 + ("MISC",)

    assert read_eeg(replace(stream, types=types)).channels[-1] == "Oz"


def test_a_file_on_disk_is_read_as_memory_is(tmp_path: Path):
    """Samples that lie on disk in other units than V: the same result as from an array."""
    stream = recording(10.0)
    numbers = (1e6 * stream.x).astype("<f4")
    numbers.tofile(tmp_path / "x.dat")

    class OnDisk:
        shape, dtype, ndim = numbers.shape, np.dtype(np.float64), 2

        def __getitem__(self, index: object) -> np.ndarray:
            return np.asarray(numbers[index], dtype=np.float64) * 1e-6

        def __len__(self) -> int:
            return len(numbers)

        def stored(self) -> tuple[np.ndarray, np.ndarray]:
            return np.memmap(tmp_path / "x.dat", dtype="<f4", mode="r", shape=numbers.shape), np.full(16, 1e-6)

    a, b = read_eeg(replace(stream, x=OnDisk())), read_eeg(replace(stream, x=numbers.astype(float) * 1e-6))
    np.testing.assert_allclose(a.x, b.x, atol=1e-3)


def test_it_can_be_sent_to_another_process():
    """Cleaned recordings are picklable."""
    clean = read_eeg(recording(6.0))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clean)).x, clean.x)
