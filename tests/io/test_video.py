"""Video: what is written comes back, and frame i is frame i in any container."""

from __future__ import annotations

import pickle
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mmme.errors import DataError
from mmme.io.ffv1 import write_ffv1
from mmme.io.video import frame_times, open_video

N = 130


def numbered(k: int) -> np.ndarray:
    """A picture that carries its number as ten vertical bars, robust to lossy codecs."""
    image = np.zeros((32, 160), np.uint8)
    for bit in range(10):
        image[:, 16 * bit : 16 * bit + 16] = 255 * (k >> bit & 1)
    return image


def number(image: np.ndarray) -> int:
    return sum(int(image[16, 16 * bit + 8] > 127) << bit for bit in range(10))


def encode(path: Path, codec: str, pixels: str = "yuv420p", **options: str) -> Path:
    av.logging.set_level(av.logging.ERROR)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 160, 32, pixels, options
        for k in range(N):
            frame = av.VideoFrame.from_ndarray(np.repeat(numbered(k)[..., None], 3, 2), format="rgb24")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def lossless(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A written video with lost frames and a pause, and its times."""
    path = tmp_path_factory.mktemp("video") / "a.mkv"
    t = 60_000 + np.cumsum(np.where(np.arange(N) % 10 == 7, 2, 1) / 150) + np.where(np.arange(N) >= 60, 30.0, 0.0)
    assert write_ffv1(path, (numbered(k) for k in range(N)), t) == N
    return path, t


def test_what_is_written_comes_back(lossless):
    """Every grey level of every frame is kept; times are kept to half a millisecond from the first frame on."""
    path, t = lossless
    video = open_video(path)
    assert video.shape == (N, 32, 160)
    assert (video.dtype, video.ndim, len(video)) == (np.dtype(np.uint8), 3, N)
    np.testing.assert_array_equal(video[:], np.stack([numbered(k) for k in range(N)]))
    assert np.abs(video.t_s - (t - t[0])).max() <= 0.0005 + 1e-9
    assert repr(video) == "VideoFrames('a.mkv', shape=(130, 32, 160))"


def test_noise_survives_and_odd_sizes_are_no_exception(tmp_path: Path):
    """Lossless holds for noise and for sizes that are no multiple of anything."""
    frames = np.random.default_rng(0).integers(0, 256, (5, 37, 53), dtype=np.uint8)
    write_ffv1(tmp_path / "a.mkv", iter(frames), np.arange(5) / 150)
    np.testing.assert_array_equal(open_video(tmp_path / "a.mkv")[:], frames)


def test_equal_input_gives_equal_bytes(lossless, tmp_path: Path):
    """The container holds neither date nor random number."""
    path, t = lossless
    write_ffv1(tmp_path / "b.mkv", (numbered(k) for k in range(N)), t)
    assert (tmp_path / "b.mkv").read_bytes() == path.read_bytes()


CONTAINERS = [
    pytest.param("a.mp4", "libx264", {"bf": "3", "g": "40"}, id="h264-with-b-frames-mp4"),
    pytest.param("a.avi", "mjpeg", {}, id="mjpeg-avi"),
    pytest.param("a.avi", "mpeg4", {"bf": "2"}, id="mpeg4-with-b-frames-avi"),
    pytest.param("a.avi", "libx264", {"bf": "2"}, id="h264-without-presentation-times-avi"),
    pytest.param("a.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}, id="vp9-webm"),
    pytest.param("a.ts", "libx264", {"bf": "3", "g": "40"}, id="h264-transport-stream"),
    pytest.param("a.mov", "mpeg4", {}, id="mpeg4-mov"),
]


@pytest.mark.parametrize(("name", "codec", "options"), CONTAINERS)
def test_frame_i_is_frame_i_in_any_container(name: str, codec: str, options: dict[str, str], tmp_path: Path):
    """In order, at random, by slices and by list, each frame carries its own number; colour becomes grey."""
    path = encode(tmp_path / name, codec, "yuvj420p" if codec == "mjpeg" else "yuv420p", **options)
    video = open_video(path)
    assert video.shape == (N, 32, 160)
    assert [number(image) for image in video] == list(range(N))
    rng = np.random.default_rng(0)
    for i in rng.integers(0, N, 25):
        assert number(video[int(i)]) == i
    assert number(video[-1]) == N - 1
    assert [number(image) for image in video[20:100:33]] == [20, 53, 86]
    assert [number(image) for image in video[np.array([90, 3, 3])]] == [90, 3, 3]
    assert video[5:5].shape == (0, 32, 160)
    assert np.all(np.diff(video.t_s) > 0)
    colour = video.colour(1)
    assert colour.shape == (32, 160, 3)
    assert np.ptp(colour[16, 8].astype(int)) < 30  # white
    assert colour[16, 8].min() > 200


def test_reading_goes_on_in_another_process(lossless):
    """A video can be pickled while its decoder is open; the copy opens the file anew."""
    path, _ = lossless
    video = open_video(path)
    assert number(video[40]) == 40
    again = pickle.loads(pickle.dumps(video))
    assert (number(again[41]), number(video[41])) == (41, 41)
    video.close()
    assert number(video[7]) == 7


def test_indices_outside_are_refused(lossless):
    """Frame n of n frames does not exist."""
    video = open_video(lossless[0])
    for index in (N, -N - 1):
        with pytest.raises(IndexError, match=f"a.mkv: expected a frame 0..129, got {index}"):
            video[index]


def test_what_is_no_video_is_refused(tmp_path: Path):
    """Missing, folder, empty, text and sound files each have one sentence."""
    with pytest.raises(DataError, match="a.mkv: expected a video file, got no file"):
        open_video(tmp_path / "a.mkv")
    with pytest.raises(DataError, match="expected a video file, got a folder"):
        open_video(tmp_path)
    (tmp_path / "a.mkv").touch()
    with pytest.raises(DataError, match="a.mkv: expected a video file, got 0 bytes; was the copy cut short"):
        open_video(tmp_path / "a.mkv")
    (tmp_path / "b.mp4").write_text("no video at all " * 100, encoding="utf-8")
    with pytest.raises(DataError, match="b.mp4: expected a video file, got one that cannot be read"):
        open_video(tmp_path / "b.mp4")
    with av.open(str(tmp_path / "c.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(DataError, match="c.wav: expected a video stream, got none; is it a sound file"):
        open_video(tmp_path / "c.wav")


def test_a_file_cut_short_is_read_as_far_as_it_goes_or_refused(lossless, tmp_path: Path):
    """Half a file never gives a wrong frame."""
    whole = lossless[0].read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    video = open_video(tmp_path / "half.mkv")
    assert 10 < len(video) < N
    for i in range(len(video) - 1):
        assert number(video[i]) == i


@pytest.mark.parametrize(
    ("frames", "n", "message"),
    [
        ([np.zeros((8, 8), np.uint8)] * 3, 2, "a.mkv: expected 2 frames, one per time, got more"),
        ([np.zeros((8, 8), np.uint8)] * 2, 3, "a.mkv: expected 3 frames, one per time, got 2"),
        ([], 0, "a.mkv: expected 0 frames, one per time, got 0"),
        (
            [np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8)],
            2,
            r"expected frame 1 as uint8 of \(8, 8\), got uint8 \(8, 9\)",
        ),
        ([np.zeros((8, 8), np.uint16)] * 2, 2, r"expected frame 0 as uint8 of \(8, 8\), got uint16 \(8, 8\)"),
        ([np.zeros((8, 8, 2), np.uint8)] * 2, 2, r"expected frames \(height, width\) or \(height, width, 3\), got shape"),
        (
            [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)],
            2,
            r"expected frame 1 as uint8 of \(8, 8, 3\), got uint8 \(8, 8\)",
        ),
    ],
)
def test_frames_that_do_not_fit_leave_no_file(frames, n: int, message: str, tmp_path: Path):
    """A faulty sequence is refused, and nothing is left behind."""
    with pytest.raises(DataError, match=message):
        write_ffv1(tmp_path / "a.mkv", iter(frames), np.arange(n) / 150)
    assert list(tmp_path.iterdir()) == []


IRREGULAR = np.cumsum([0, 33, 33, 90, 10, 33, 200, 33, 34, 40])  # ms from frame to frame


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"bf": "2", "g": "4"}),
        ("a.mkv", "libx264", {"bf": "3"}),
        ("a.mkv", "mpeg4", {"bf": "2"}),
        ("a.mov", "mjpeg", {}),
    ],
)
def test_a_varying_rate_is_kept(name: str, codec: str, options: dict[str, str], tmp_path: Path):
    """Times are those that were given, to 0.1 ms, with frames out of order in the file; nothing is odd."""
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=1000)
        stream.width, stream.height, stream.options = 160, 32, options
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for k, ms in enumerate(IRREGULAR.tolist()):
            frame = av.VideoFrame.from_ndarray(np.repeat(numbered(k)[..., None], 3, 2), format="rgb24")
            frame.pts, frame.time_base = ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video = open_video(path)
    np.testing.assert_allclose(video.t_s - video.t_s[0], IRREGULAR / 1000, atol=1e-4)
    np.testing.assert_array_equal(frame_times(path), video.t_s)
    assert [number(video[k]) for k in (7, 2, 9, 0, 4)] == [7, 2, 9, 0, 4]
    assert video.findings == ()


@pytest.mark.parametrize(("codec", "pixels"), [("rawvideo", "bgr24"), ("mjpeg", "yuvj420p"), ("libx264", "yuv420p")])
def test_avi_tells_that_it_knows_no_times(codec: str, pixels: str, tmp_path: Path):
    """A frame lies at its number divided by the rate, and that is told."""
    path = encode(tmp_path / "a.avi", codec, pixels)
    video = open_video(path)
    np.testing.assert_allclose(video.t_s - video.t_s[0], np.arange(N) / 25)
    assert number(video[77]) == 77
    assert video.findings == ("AVI knows the number of a frame, not its time; times are number / 25 Hz",)


def test_a_bare_stream_is_read_by_counting(tmp_path: Path):
    """H.264 without a container has no times at all: frames are counted, and that is told."""
    path = encode(tmp_path / "a.h264", "libx264", bf="2")
    video = open_video(path)
    assert [number(video[k]) for k in (0, 129, 64, 65)] == [0, 129, 64, 65]
    np.testing.assert_allclose(video.t_s, np.arange(N) / 25)
    assert video.findings == ("the file holds no times; they are number / 25 Hz",)


@pytest.mark.parametrize(("matrix", "turns"), [((0, 1, -1, 0), -1), ((0, -1, 1, 0), 1), ((-1, 0, 0, -1), 2)])
def test_pictures_of_a_turned_telephone_are_upright(matrix: tuple[int, ...], turns: int, tmp_path: Path):
    """The matrix of an MP4 track turns what is shown: by 90 degrees to the right or left, or upside down."""
    path = encode(tmp_path / "a.mp4", "libx264")
    straight = open_video(path)[5]
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version, times, track, duration, layer and volume come before the matrix
    a, b, c, d = (value * 65_536 for value in matrix)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    video = open_video(path)
    assert video.shape[1:] == ((160, 32) if turns % 2 else (32, 160))
    np.testing.assert_array_equal(video[5], np.rot90(straight, turns))
    assert video.colour(5).shape == (*video.shape[1:], 3)


def test_colour_becomes_grey_by_luma(tmp_path: Path):
    """Red, green and blue have exactly the grey levels of BT.601: 76, 150, 29."""
    path = tmp_path / "a.mkv"
    image = np.zeros((16, 48, 3), np.uint8)
    for k in range(3):
        image[:, 16 * k : 16 * k + 16, k] = 255
    write_ffv1(path, iter([image]), np.zeros(1))
    video = open_video(path)
    assert video[0][8, 8::16].tolist() == [76, 150, 29]
    np.testing.assert_array_equal(video.colour(0), image)


def test_colour_survives(tmp_path: Path):
    """Red, green and blue of noise come back as written, odd sizes too; the container says that there is colour."""
    frames = np.random.default_rng(0).integers(0, 256, (5, 37, 53, 3), dtype=np.uint8)
    write_ffv1(tmp_path / "a.mkv", iter(frames), np.arange(5) / 150)
    video = open_video(tmp_path / "a.mkv")
    assert (video.has_colour, video.kept_as, video.shape) == (True, "RGB", (5, 37, 53))
    np.testing.assert_array_equal(np.stack([video.colour(i) for i in range(5)]), frames)
    write_ffv1(tmp_path / "b.mkv", iter(frames[..., 0]), np.arange(5) / 150)
    grey = open_video(tmp_path / "b.mkv")
    assert (grey.has_colour, grey.kept_as) == (False, "grey")
    np.testing.assert_array_equal(grey.colour(3), np.repeat(frames[3, :, :, :1], 3, 2))


SMOOTH = np.stack([np.add.outer(np.arange(32), np.arange(48)) * k % 256 for k in (1, 2, 3)], axis=2).astype(np.uint8)


def source(path: Path, codec: str, pixels: str, full: bool = False) -> Path:
    """Ten frames of a colour ramp in some pixel format, of limited or of full range."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, pixels
        if full:
            stream.codec_context.color_range = 2
        for k in range(10):
            frame = av.VideoFrame.from_ndarray(np.roll(SMOOTH, 5 * k, axis=1), format="rgb24").reformat(format=pixels)
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


SOURCES = [
    ("a.mp4", "libx264", "yuv420p", "yuv420p"),
    ("a.mp4", "libx264", "yuvj420p", "yuv420p"),
    ("a.avi", "mjpeg", "yuvj422p", "yuv422p"),
    ("a.mp4", "libx264", "yuv422p10le", "yuv422p10le"),
    ("a.avi", "rawvideo", "yuyv422", "yuv422p"),
    ("a.avi", "rawvideo", "bgr24", "RGB"),
    ("a.mkv", "ffv1", "bgr0", "RGB"),
    ("a.mkv", "ffv1", "gray", "grey"),
]


@pytest.mark.parametrize(("name", "codec", "pixels", "kept"), SOURCES)
def test_what_a_container_shows_is_kept_as_it_was_decoded(name: str, codec: str, pixels: str, kept: str, tmp_path: Path):
    """Grey levels and colour read from the copy are those read from the source; nothing is resampled."""
    video = open_video(source(tmp_path / name, codec, pixels, full=pixels == "yuvj420p"))
    assert video.kept_as == kept
    write_ffv1(tmp_path / "kept.mkv", video.pictures(), video.t_s)
    copy = open_video(tmp_path / "kept.mkv")
    assert copy.kept_as == kept
    np.testing.assert_array_equal(copy[:], video[:])
    # Where chroma lies between pixels is not kept by the container: equal planes, nearly equal colours (more apart at 10 bit).
    if "10le" not in pixels:
        assert np.abs(copy.colour(4).astype(int) - video.colour(4)).max() <= (2 if kept.startswith("yuv") else 0)
    if kept.startswith("yuv"):
        for a, b in zip(next(video.pictures()).planes, next(copy.pictures()).planes, strict=True):
            used = a.width * (2 if "10le" in kept else 1)  # lines are padded
            rows = [np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[: p.height, :used] for p in (a, b)]
            np.testing.assert_array_equal(*rows)


@pytest.mark.parametrize(("matrix", "turns"), [((1, 0, 0, 1), 0), ((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2)])
@pytest.mark.parametrize(("pixels", "kept"), [("yuv420p", "yuv420p"), ("yuv422p", "yuv440p")])
def test_colour_of_a_turned_telephone_is_kept_upright(matrix, turns: int, pixels: str, kept: str, tmp_path: Path):
    """Planes are turned one by one: grey levels of the copy are those of the source, and stay upright."""
    path = source(tmp_path / "a.mp4", "libx264", pixels)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value * 65_536 for value in matrix)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    video = open_video(path)
    write_ffv1(tmp_path / "kept.mkv", video.pictures(), video.t_s)
    copy = open_video(tmp_path / "kept.mkv")
    assert copy.kept_as == (kept if turns % 2 else pixels)
    np.testing.assert_array_equal(copy[:], video[:])
    assert np.abs(copy.colour(3).astype(int) - video.colour(3)).mean() < 2  # interpolated across instead of along
