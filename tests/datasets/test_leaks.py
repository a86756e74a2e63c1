"""What must not be in a study is found wherever it hides, and what merely resembles it is not."""

import datetime as dt
import gzip
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.datasets.leak_patterns import ByteFilter, Search
from mmme.datasets.leaks import find_leaks, not_scanned
from mmme.errors import DataError

NAMES = {"Anna Schmidt": "S03", "simalfa": "S01", "an": "S02", "Zoë Müller": "S04", "张三": "S05"}
DATES = ["20240630", dt.date(2023, 4, 17)]


def kinds(folder, **more):
    return sorted({leak.what for leak in find_leaks(folder, names=NAMES, dates=DATES, **more)})


def of_text(tmp_path, text, name="notes.txt", **more):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return kinds(tmp_path, **more)


@pytest.mark.parametrize(
    "text",
    [
        "anna schmidt",
        "SCHMIDT_ANNA",
        "annaschmidt",
        "Schmidt, Anna",
        "anna-schmidt20240101",
        "Schmidt",
        "x anna x",
        "Anna%20Schmidt",
    ],
)
def test_two_word_name(tmp_path, text):
    """A two-word name is found in either order, with any sign or none between, and by its parts."""
    assert of_text(tmp_path, f"a line\n{text}\n") == ["name of S03"]


@pytest.mark.parametrize(
    "text",
    [
        "Annamaria",
        "Schmidtke",
        "banana",
        "an emotional film of an hour",
        "Japan",
        "sand",
        "n/a\t0.1",
        "annas",
        "so, an\nother",
        "- an `x`",
        "(an hour)",
    ],
)
def test_resembling_words(tmp_path, text):
    """Parts of other words and the article 'an' are no names."""
    assert of_text(tmp_path, text) == []


@pytest.mark.parametrize(
    "text", ["n/a\tan\t1", "an20230101_eeg", "Subject: an", "sub,an,3", "film seen by An today", '{"who": "an"}']
)
def test_short_name(tmp_path, text):
    """A name of two letters counts as a whole token that is no word of a sentence."""
    assert of_text(tmp_path, text) == ["name of S02"]


@pytest.mark.parametrize(
    ("text", "what"), [("ZOE MUELLER", "S04"), ("müller", "S04"), ("Mu\u0308ller", "S04"), ("受试者张三的记录", "S05")]
)
def test_other_scripts(tmp_path, text, what):
    """Accents may be missing or decomposed; scripts without spaces have no ends of words."""
    assert of_text(tmp_path, text) == [f"name of {what}"]


@pytest.mark.parametrize(
    "text",
    [
        "20240630", "2024-06-30T12:00", "30.06.2024", "30.6.2024", "06/30/2024", "30/06/2024", "2024年06月30日", "2024年6月30日",
        "2024/6/30", "2024:06:30 10:11:12", "30 June 2024", "30-Jun-2024", "June 30, 2024", "20240630145127123456", "rec_20240630.eeg",
    ],
)  # fmt: skip
def test_dates(tmp_path, text):
    """A day of recording is found in every usual form."""
    assert of_text(tmp_path, f"x {text} y") == ["day of recording"]


@pytest.mark.parametrize(
    "text", ["2024-07-30", "120240630", "0.20240630", "202406301", "1924-06-30", "30.06.2025", "20240630999"]
)
def test_other_days(tmp_path, text):
    """Other days and digits of longer numbers are no days of recording."""
    assert of_text(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("write to a.b@lab.edu.cn", "e-mail address"),
        ("/home/lab/x.py", "path of a computer"),
        ('"C:\\\\Users\\\\lab\\\\x"', "path of a computer"),
        ("D:\\data\\raw\\x.mat", "path of a computer"),
        ("/Users/lab/x", "path of a computer"),
        ("from Shanghai", "text that must not occur"),
    ],
)
def test_addresses_and_paths(tmp_path, text, what):
    """E-mail addresses, paths and given texts are found."""
    assert of_text(tmp_path, text, texts=["shanghai"]) == [what]


@pytest.mark.parametrize("text", ["https://lab.org/home/x and ../home/y", "5 µV @ 10 Hz", "beh/sub-S01.tsv", "\\n \\t a:b"])
def test_harmless_signs(tmp_path, text):
    """Addresses of the web, relative paths and signs are harmless."""
    assert of_text(tmp_path, text) == []


def test_find_tells_place_and_never_the_name(tmp_path):
    """A find has file, line and kind; the name is masked in the path and not told."""
    folder = tmp_path / "sub-S01" / "AnnaSchmidt"
    folder.mkdir(parents=True)
    (folder / "anna_schmidt_20240630.tsv").write_text("a\nb\nAnna Schmidt\nAnna\n", encoding="utf-8")
    leaks = find_leaks(tmp_path, names=NAMES, dates=DATES)
    told = [str(leak) for leak in leaks]
    assert "line 3 and 1 more: name of S03" in told[2]
    assert {(leak.place.split(" and ")[0], leak.what) for leak in leaks} == {
        ("name", "name of S03"),
        ("name", "day of recording"),
        ("line 3", "name of S03"),
    }
    for text in told:
        assert "anna" not in text.lower()
        assert "schmidt" not in text.lower()
        assert "20240630" not in text


def test_names_without_codes(tmp_path):
    """Without codes a find is called that of a participant; names of digits alone are not searched."""
    (tmp_path / "a.txt").write_text("simalfa 003", encoding="utf-8")
    assert [leak.what for leak in find_leaks(tmp_path, names=["simalfa", "003"], dates=[])] == ["name of a participant"]


def test_public_texts(tmp_path):
    """An author of the citation may have the name of a participant; elsewhere the name still counts."""
    citation = 'Schmidt A, "Faces" (2020)'
    (tmp_path / "README").write_text(f"Cite\n{citation}\n", encoding="utf-8")
    (tmp_path / "d.json").write_text('{"x": "Schmidt A, \\"Faces\\" (2020)"}', encoding="utf-8")
    assert kinds(tmp_path, public=[citation]) == []
    (tmp_path / "notes.txt").write_text("Schmidt", encoding="utf-8")
    assert kinds(tmp_path, public=[citation]) == ["name of S03"]


def test_gzip_content_and_header(tmp_path):
    """A packed table is searched, and so are the name and the time in its header."""
    with gzip.GzipFile(tmp_path / "a.tsv.gz", "wb", mtime=0) as file:
        file.write(b"1.0\t2.0\n" * 300_000 + b"simalfa\n")
    assert [(leak.place, leak.what) for leak in find_leaks(tmp_path, names=NAMES, dates=DATES)] == [
        ("line 300001", "name of S01")
    ]
    (tmp_path / "a.tsv.gz").unlink()
    noon = dt.datetime(2024, 6, 30, 12, tzinfo=dt.UTC).timestamp()
    with (tmp_path / "b.tsv.gz").open("wb") as raw, gzip.GzipFile("simalfa.tsv", "wb", fileobj=raw, mtime=noon) as file:
        file.write(b"1\n")
    assert kinds(tmp_path) == ["day of recording", "name of S01"]


def test_several_gzip_members_and_a_cut_one(tmp_path):
    """Members one after the other are all read; one that is cut short is read as far as it goes."""
    packed = gzip.compress(b"1\n", mtime=0) + gzip.compress(b"simalfa\n" * 1000, mtime=0)
    (tmp_path / "a.tsv.gz").write_bytes(packed[:-12])
    assert kinds(tmp_path) == ["name of S01"]


def test_documents(tmp_path):
    """Cells, properties and dates of Office files are searched, and a word that is cut into runs."""
    sheet = '<row><c r="B3" s="4"><v>45473</v></c><c r="C3"><v>45033</v></c></row>'
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/worksheets/sheet1.xml", sheet)
        file.writestr("docProps/core.xml", "<dc:creator>Anna Schmidt</dc:creator>")
    with zipfile.ZipFile(tmp_path / "b.docx", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("word/document.xml", "<w:p><w:r><w:t>Sim</w:t></w:r><w:r><w:t>alfa</w:t></w:r></w:p>")
    assert kinds(tmp_path) == ["day of recording", "name of S01", "name of S03"]


def test_pictures(tmp_path):
    """Text chunks (packed ones too) of PNG, comments of JPEG and tags of TIFF are searched."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + b"\0\0\0\0"

    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"zTXt", b"Author\0\0" + zlib.compress(b"Schmidt"))
    (tmp_path / "a.png").write_bytes(png + chunk(b"tIME", struct.pack(">HBBBBB", 2024, 6, 30, 1, 2, 3)))
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff\xfe\x00\x09simalfa\xff\xda")
    text = b"2023:04:17 10:00:00\0"
    entries = struct.pack("<HHHII", 1, 306, 2, len(text), 26) + struct.pack("<I", 0)
    (tmp_path / "c.tif").write_bytes(b"II*\0" + struct.pack("<I", 8) + entries + text)
    found = {(leak.path, leak.place, leak.what) for leak in find_leaks(tmp_path, names=NAMES, dates=DATES)}
    assert found >= {
        ("a.png", "text chunk", "name of S03"),
        ("a.png", "time chunk", "day of recording"),
        ("b.jpg", "comment", "name of S01"),
        ("c.tif", "tag 306", "day of recording"),
    }


def test_tags_of_a_video(tmp_path):
    """Tags of a video are searched; its encoder is no leak."""
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mkv"), "w", options={}) as film:
        film.metadata["title"] = "simalfa"
        stream = film.add_stream("ffv1", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "gray"
        for packet in stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16), np.uint8), format="gray")):
            film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)
    leaks = find_leaks(tmp_path, names=NAMES, dates=DATES)
    assert ("container tag title", "name of S01") in {(leak.place, leak.what) for leak in leaks}
    assert {leak.what for leak in leaks} == {"name of S01"}


def test_headers_of_devices(tmp_path):
    """The time of a BrainVision segment is found whatever its day, unless it is shifted; the start in an EDF header too."""
    (tmp_path / "a.vmrk").write_text("Mk1=New Segment,,1,1,0,20190102101112000000\n", encoding="utf-8")
    (tmp_path / "b.vmrk").write_text("Mk1=New Segment,,1,1,0,18190102101112000000\n", encoding="utf-8")
    head = b"0       " + b"X X X simalfa".ljust(80) + b"Startdate".ljust(80) + b"30.06.2410.00.00"
    (tmp_path / "c.edf").write_bytes(head.ljust(252) + b"0   ")
    found = {(leak.path, leak.place, leak.what) for leak in find_leaks(tmp_path, names=NAMES, dates=DATES)}
    assert ("a.vmrk", "time of a segment", "day of recording") in found
    assert ("c.edf", "header, start date", "day of recording") in found
    assert ("c.edf", "header", "name of S01") in found
    assert not any(path == "b.vmrk" for path, _, _ in found)


@pytest.mark.parametrize("place", [0, 1, 5_000_001, (1 << 18) - 3, (1 << 18) - 200, (1 << 19) + 1])
def test_names_among_samples(tmp_path, place):
    """A name of six letters is found among samples at any place, and its byte is told."""
    data = np.full(6_000_000, 200, np.uint8)
    data[max(place - 1, 0) : place + 8] = 0
    data[place : place + 7] = np.frombuffer(b"SIMALFA", np.uint8)
    data.tofile(tmp_path / "a.eeg")
    leaks = find_leaks(tmp_path, names=NAMES, dates=DATES)
    assert [(leak.place, leak.what) for leak in leaks] == [(f"byte {place}", "name of S01")]


def test_chance_among_samples(tmp_path):
    """Random bytes hold no names, short names are not searched there, and a mixture of cases is chance."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, 4_000_000, dtype=np.uint8)
    noise.tofile(tmp_path / "a.eeg")
    (tmp_path / "b.eeg").write_bytes(b"\0\xff an \0 sImAlFa \0 xsimalfa \xffsimalfa")
    assert kinds(tmp_path) == []


def test_text_in_arrays(tmp_path):
    """Texts in NumPy arrays have four bytes a letter and are found, in archives too."""
    np.save(tmp_path / "a.npy", np.array(["x", "Simalfa"]))
    np.savez_compressed(tmp_path / "b.npz", who=np.array(["schmidt"]))
    assert kinds(tmp_path) == ["name of S01", "name of S03"]


def test_source_data_are_not_scanned(tmp_path):
    """Raw files are left alone, and that they were is told."""
    assert not_scanned(tmp_path) == ()
    (tmp_path / "sourcedata").mkdir()
    assert of_text(tmp_path / "sourcedata", "simalfa") == ["name of S01"]
    assert kinds(tmp_path) == []
    assert not_scanned(tmp_path) == ("sourcedata",)


def test_many_finds_stop_early(tmp_path):
    """A table with a name in every row is reported once, with how often at least."""
    (tmp_path / "a.tsv").write_text("simalfa\n" * 1_000_000, encoding="utf-8")
    (leak,) = find_leaks(tmp_path, names=NAMES, dates=DATES)
    assert leak.place.startswith("line 1 and ")
    assert leak.place.endswith(" more at least")


def test_faults(tmp_path):
    """A missing folder and a wrong day are one sentence each; the day is not repeated."""
    with pytest.raises(DataError, match="expected the folder of a study, got none"):
        find_leaks(tmp_path / "x", names=[], dates=[])
    with pytest.raises(DataError, match="expected YYYYMMDD or YYYY-MM-DD, got a text of 5 characters"):
        find_leaks(tmp_path, names=[], dates=["hello"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(min_size=2, max_size=12), min_size=1, max_size=6),
    st.lists(st.sampled_from([b"2024-", b".2024", b"20240630"]), max_size=3),
    st.binary(max_size=200),
    st.data(),
)
def test_filter_finds_all(words, dated, noise, data):
    """The filter finds exactly the places at which a plain comparison finds a string, in any case."""
    text = noise
    for word in data.draw(st.lists(st.sampled_from([*words, *dated]), max_size=4)):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + word.upper() + text[at:]
    folded = bytes(b | 0x20 for b in text)
    plain = [k for k in range(len(text)) if any(folded.startswith(bytes(b | 0x20 for b in s), k) for s in [*words, *dated])]
    assert ByteFilter(words, dated).starts(text).tolist() == plain


def test_filter_refuses_single_bytes():
    """A string of one byte would be everywhere."""
    with pytest.raises(DataError, match="expected at least 2 bytes, got 1"):
        ByteFilter([b"a"])


def test_anchors_hold_every_find():
    """Whatever the patterns find, its anchors lead to it, so the filter loses nothing."""
    search = Search.build(NAMES, DATES)
    for text in ("Schmidt  Anna", "张三", "30th June 2024", "MU\u0308LLER"):
        assert search.masked(text) == "*", text
