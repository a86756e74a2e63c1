"""Camera frames: names, order, and when they were taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.errors import ConfigError, DataError
from mmme.io.frames import frame_clock, frame_markers, index_frames, parse_frame_name


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def simulated_camera(
    seed: int,
    *,
    trials: int = 4,
    trial_s: float = 20.0,
    fps: float = 150.0 * (1 + 40e-6),
    drop: float = 0.01,
    stalls_hz: float = 0.3,
):
    """When frames were taken and when their stamps say: jitter 0-3 ms, stalls 20-60 ms with bursts after, lost frames."""
    rng = np.random.default_rng(seed)
    taken, stamps, start = [], [], 60_000 + rng.uniform()
    for _ in range(trials):
        k = np.arange(int(trial_s * fps))
        t = start + k[rng.random(k.size) >= drop] / fps
        arrival = t + rng.uniform(0, 0.003, t.size)
        for begin in np.sort(rng.uniform(t[0], t[-1], rng.poisson(stalls_hz * trial_s))):
            free, i = begin + rng.uniform(0.02, 0.06), int(np.searchsorted(t, begin))
            while i < t.size and arrival[i] < free:
                arrival[i] = free
                free += rng.uniform(0.002, 0.003)
                i += 1
        taken.append(t)
        stamps.append(np.floor(np.maximum.accumulate(arrival) * 1000) / 1000)
        start = t[-1] + rng.uniform(3, 30)
    taken, stamps = np.concatenate(taken), np.concatenate(stamps)
    return taken, stamps, np.arange(taken.size) % 1000 + 1


def test_a_name_says_time_code_and_marker():
    """The name shown in the release is read part by part; code 1000 has four digits."""
    frame = parse_frame_name("2023-07-21-16-45-38-257-410-112.tif")
    assert (str(frame.date), frame.code, frame.marker) == ("2023-07-21", 410, 112)
    assert frame.time_of_day_ms == ((16 * 60 + 45) * 60 + 38) * 1000 + 257
    assert parse_frame_name("2023-07-21-16-45-38-257-1000-112.TIFF").code == 1000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("img_001.tif", "frame 'img_001.tif': expected YYYY-MM-DD-HH-MM-SS-mmm-CODE-MARKER.tif, got another form"),
        ("2023-13-21-16-45-38-257-410-112.tif", "expected a date and a time of day, got month must be in 1..12"),
        ("2023-07-21-24-45-38-257-410-112.tif", "expected a date and a time of day, got hour must be in 0..23"),
        ("2023-07-21-16-45-38-257-000-112.tif", "expected a running code 1..1000, got 0"),
        ("2023-07-21-16-45-38-257-1001-112.tif", "expected a running code 1..1000, got 1001"),
        ("2023-07-21-16-45-38-257-410-256.tif", "expected a trigger value 0..255, got 256"),
    ],
)
def test_other_names_are_refused(name: str, message: str):
    """A name of another form, and parts out of range, each have their sentence."""
    with pytest.raises(DataError, match=message):
        parse_frame_name(name)


def test_frames_are_ordered_by_running_code_over_wraps_and_midnight(tmp_path: Path):
    """Code 1000 comes before 001 at the same stamp, crossed stamps follow the code, time runs on over midnight."""
    folder = touch(
        tmp_path / "f",
        "2023-07-21-23-59-59-990-999-100.tif",
        "2023-07-21-23-59-59-996-001-100.tif",
        "2023-07-21-23-59-59-996-1000-100.tif",
        "2023-07-22-00-00-00-009-002-101.tif",
        "2023-07-22-00-00-00-008-003-101.tif",
        ".DS_Store",
    )
    frames = index_frames(folder)
    assert frames.code.tolist() == [999, 1000, 1, 2, 3]
    np.testing.assert_allclose(frames.host_s[2:], [86399.996, 86400.009, 86400.008], atol=1e-9)
    assert frames.marker.tolist() == [100, 100, 100, 101, 101]
    assert frames.paths[0].name == "2023-07-21-23-59-59-990-999-100.tif"
    assert len(frames) == 5


def test_foreign_files_empty_and_missing_folders_are_refused(tmp_path: Path):
    """All foreign names are listed at once; frames that claim one place are named."""
    good = "2023-07-21-16-45-38-257-410-112.tif"
    with pytest.raises(DataError, match=r"f: 2 faults\n  - frame 'Thumbs.db'.*\n  - frame 'notes.txt'"):
        index_frames(touch(tmp_path / "f", good, "notes.txt", "Thumbs.db"))
    with pytest.raises(DataError, match="e: expected camera frames, got an empty folder; was the camera started"):
        index_frames(touch(tmp_path / "e"))
    with pytest.raises(DataError, match="none: expected a folder of camera frames, got none"):
        index_frames(tmp_path / "none")
    with pytest.raises(DataError, match="claim the same place"):
        index_frames(touch(tmp_path / "g", good, good.replace("257", "259")))


@pytest.mark.parametrize("seed", range(3))
def test_the_clock_finds_when_frames_were_taken(seed: int):
    """With jitter, stalls and 1 % lost frames: median error under 1 ms, 99 % under 2 ms, never two periods; 2 sigma hold."""
    taken, stamps, code = simulated_camera(seed)
    clock = frame_clock(stamps, code)
    error = np.abs(clock.t_s - taken)
    assert np.quantile(error, 0.5) < 0.001
    assert np.quantile(error, 0.99) < 0.002
    assert error.max() < 0.027  # a loss in the last frames of a trial cannot be told from a stall
    assert abs(clock.period_s * 150 * (1 + 40e-6) - 1) < 5e-6
    assert np.all(np.diff(clock.t_s) > 0)
    relative = np.abs(clock.t_s - taken - np.median(clock.t_s - taken))
    assert np.mean(relative <= 2 * clock.uncertainty_s) > 0.99
    lost = np.rint(np.diff(taken) / clock.period_s).astype(int) - 1
    inside = np.diff(clock.segment) == 0
    assert abs(int(clock.dropped_before[1:][inside].sum()) - int(lost[inside].sum())) <= 8
    assert np.quantile(np.abs(stamps - taken), 0.99) > 0.005  # the stamps themselves are far worse
    assert clock.n_stalls >= 5
    assert clock.segment[-1] == 3


@pytest.mark.parametrize(
    ("fps", "drop"), [(60.0, 0.01), (149.2, 0.0), (150.0, 0.3), (100.0, 0.05), (200.0, 0.0)], ids=lambda v: f"{v:g}"
)
def test_the_clock_needs_no_nominal_rate(fps: float, drop: float):
    """Other rates, and many lost frames, give the same quality; a nominal rate changes nothing."""
    taken, stamps, code = simulated_camera(7, trials=3, fps=fps, drop=drop)
    clock = frame_clock(stamps, code)
    assert abs(clock.period_s * fps - 1) < 2e-5
    assert np.quantile(np.abs(clock.t_s - taken), 0.95) < 0.002
    assert frame_clock(stamps, code, nominal_hz=fps * 1.001).period_s == pytest.approx(clock.period_s, rel=2e-6)


def test_frames_that_left_the_folder_leave_their_place():
    """A gap in the running code is counted apart from losses of the camera, and times stay right."""
    taken = 100 + np.arange(600) / 150
    keep = np.ones(600, dtype=bool)
    keep[200:203] = False
    code = np.arange(600) % 1000 + 1
    clock = frame_clock(np.round(taken[keep], 3), code[keep])
    assert clock.missing_before.sum() == 3
    assert clock.missing_before[200] == 3
    assert clock.dropped_before.sum() == 3
    assert np.abs(clock.t_s - taken[keep]).max() < 0.001


@given(st.integers(0, 10_000), st.floats(30, 240), st.floats(0, 0.2))
@settings(max_examples=25, deadline=None)
def test_times_always_increase(seed: int, fps: float, drop: float):
    """Whatever the camera did, times increase and uncertainties are above zero and finite."""
    _, stamps, code = simulated_camera(seed, trials=2, trial_s=2.0, fps=fps, drop=drop, stalls_hz=2.0)
    clock = frame_clock(stamps, code)
    assert np.all(np.diff(clock.t_s) > 0)
    assert np.all(clock.uncertainty_s > 0)
    assert np.all(np.isfinite(clock.uncertainty_s))
    assert np.all(clock.dropped_before >= clock.missing_before)


@pytest.mark.parametrize(
    ("stamps", "code", "message"),
    [
        ([1.0, 2.0], [1, 2], r"expected 3 or more stamps with one code each, got \(2,\) and \(2,\)"),
        ([1.0, 1.1, 1.2], [1, 3, 2], "expected increasing codes, got 3 then 2 at frame 1"),
        ([1.0, 1.0, 1.0], [1, 2, 3], "expected stamps that go on, got a median spacing of 0.0 s; are all stamps equal"),
    ],
)
def test_stamps_without_a_clock_are_refused(stamps, code, message: str):
    """Too few, out of order, or standing still: each has its sentence."""
    with pytest.raises(DataError, match=message):
        frame_clock(np.array(stamps), np.array(code))


def test_markers_of_frames_are_changes():
    """Each changed value dates from its first frame; before the first frame the value is the idle one."""
    t, codes = frame_markers(np.arange(6.0), np.array([101, 101, 100, 100, 103, 100]))
    assert (t.tolist(), codes.tolist()) == ([0.0, 2.0, 4.0, 5.0], [101, 100, 103, 100])
    assert frame_markers(np.arange(3.0), np.array([100, 100, 100]))[0].size == 0
    assert frame_markers(np.arange(3.0), np.array([7, 7, 8]), idle=7)[1].tolist() == [8]


@pytest.mark.parametrize("name", ["img{:03d}.jpg", "reg_img{}.bmp", "006_05{:03d}.png"])
def test_numbered_frames_are_in_the_order_of_their_numbers(tmp_path, name):
    """
    Names that end in a number tell no time; 9 comes before 10 whatever the alphabet says.
    """
    for k in (9, 10, 46, 100):
        (tmp_path / name.format(k)).touch()

    frames = index_frames(tmp_path)

    assert frames.host_s is None
    assert (frames.number - frames.number[0]).tolist() == [0, 1, 37, 91]


def test_another_laboratorys_names_are_read_by_their_pattern(tmp_path):
    """
    A pattern with named groups gives times, numbers and trigger values.
    """
    for k, stamp in enumerate(("10h00m01.250s", "10h00m01.257s", "10h00m01.263s")):
        (tmp_path / f"cam_{stamp}_n{k + 7}_t{11 if k else 0}.png").touch()

    frames = index_frames(
        tmp_path,
        pattern=r"cam_(?P<hour>\d+)h(?P<minute>\d+)m(?P<second>\d+)\.(?P<ms>\d+)s_n(?P<frame>\d+)_t(?P<marker>\d+)",
    )

    np.testing.assert_allclose(frames.host_s, [36001.250, 36001.257, 36001.263])
    assert (frames.number.tolist(), frames.marker.tolist()) == ([7, 8, 9], [0, 11, 11])


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "expected a regular expression"),
        (r"(?P<fram>\d+)", "no group 'fram'; did you mean 'frame'"),
        (r"[a-z]+(?P<code>\d+)", r"expected the group frame, or a time \(second or ms, .*\); got neither"),
        (r"(?P<frame>.*)", "f?img1.jpg': expected a whole number as frame, got 'img1.jpg'"),
        (r"x(?P<frame>\d+)", "frame 'img1.jpg': expected the form of frame_name, got another"),
    ],
)
def test_a_faulty_pattern_of_frames_is_refused(tmp_path, pattern, message):
    """
    Each fault in one sentence.
    """
    (tmp_path / "img1.jpg").touch()
    with pytest.raises((ConfigError, DataError), match=message):
        index_frames(tmp_path, pattern=pattern)


def test_names_are_read_as_a_table_and_alone_alike(tmp_path):
    """
    Codes of three and four digits, endings of all kinds, the 31st and midnight: as `parse_frame_name` reads each.
    """
    names = ["2024-01-31-23-59-59-999-998-100.tif", "2024-01-31-23-59-59-999-999-101.tiff"]
    names += ["2024-02-01-00-00-00-004-1000-101.TIF", "2024-02-01-00-00-00-012-001-101.png"]
    for name in names:
        (tmp_path / name).touch()

    frames = index_frames(tmp_path)

    parsed = [parse_frame_name(name) for name in frames.names]
    assert frames.names == tuple(names)
    assert frames.code.tolist() == [p.code for p in parsed] == [998, 999, 1000, 1]
    assert frames.marker.tolist() == [p.marker for p in parsed]
    day = [(p.date - parsed[0].date).days * 86_400 for p in parsed]
    np.testing.assert_allclose(frames.host_s, [d + p.time_of_day_ms / 1000 for d, p in zip(day, parsed, strict=True)])


@pytest.mark.parametrize(
    ("names", "pattern", "host_s"),
    [
        (("a_0000.jpg", "a_0040.jpg", "a_1040.jpg"), r"a_(?P<ms>\d+)", [0, 0.04, 1.04]),
        (("7.25.png", "8.5.png", "61.0.png"), r"(?P<second>\d+)\.(?P<ms>\d+)", [7.25, 8.5, 61.0]),
        (("x01m02s.bmp", "x01m03s.bmp"), r"x(?P<minute>\d+)m(?P<second>\d+)s", [62, 63]),
        (
            ("20240229T235959.999999.tif", "20240301T000000.006000.tif"),
            r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)\.(?P<ms>\d+)",
            [86400.0, 86400.006],
        ),
    ],
)
def test_parts_of_a_time_suffice(tmp_path, names, pattern, host_s):
    """Milliseconds alone, seconds with a fraction of any length, minutes, dates over the end of a February."""
    frames = index_frames(touch(tmp_path / "f", *names), pattern=pattern)
    np.testing.assert_allclose(frames.host_s, host_s, atol=1e-9)
    assert frames.names == names
    assert (frames.marker, frames.number) == (None, None)


def test_an_impossible_date_is_a_fault_of_its_name(tmp_path):
    """The 30th of February, beside a good name."""
    touch(tmp_path / "f", "2024-02-30-5.png", "2024-02-28-5.png")
    pattern = r"(?P<year>\d+)-(?P<month>\d+)-(?P<day>\d+)-(?P<second>\d+)"
    with pytest.raises(DataError, match="f: frame '2024-02-30-5.png': expected a date, got 2024-2-30"):
        index_frames(tmp_path / "f", pattern=pattern)
