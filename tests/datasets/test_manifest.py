"""A manifest tells whether a copy of a study is whole."""

import hashlib
import shutil
import subprocess

import pytest

from mmme.datasets.manifest import MANIFEST, study_files, verify_manifest, write_manifest
from mmme.errors import DataError

LEFT_OUT = (
    "derivatives/a.txt",
    "sourcedata/b.txt",
    "sub-S01/c.partial",
    ".S01.partial/x.tsv",
    "sub-S01/.lock",
    ".git/config",
)
OWN = (".bidsignore", "README", "code/derivatives/x.py", "sub-S01/eeg/a b.eeg", "sub-S01/eeg/ä%0A.tsv")


@pytest.fixture
def study(tmp_path):
    for name in (*LEFT_OUT, *OWN):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return tmp_path


def test_what_is_in_it(study):
    """Every file of the study is in it, sorted, with its SHA-256; what is derived, raw, hidden or half-written is not."""
    assert write_manifest(study) == len(OWN)
    lines = (study / MANIFEST).read_text(encoding="utf-8").splitlines()
    expected = [f"{hashlib.sha256(name.encode()).hexdigest()}  {name.replace('%', '%25')}" for name in sorted(OWN)]
    assert lines == expected
    assert tuple(study_files(study)) == tuple(sorted(OWN))
    assert not list(study.glob(f"{MANIFEST}.*"))


def test_read_by_sha256sum(study):
    """The tool of every Unix reads it, as long as no name holds a percent sign."""
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not on this machine")
    (study / OWN[-1]).unlink()
    write_manifest(study)
    done = subprocess.run(["sha256sum", "-c", "--strict", MANIFEST], cwd=study, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_differences(study):
    """Missing, changed and new files are told apart; the same size and time do not hide a change."""
    write_manifest(study)
    assert verify_manifest(study).whole
    (study / "README").write_text("readme", encoding="utf-8")
    (study / OWN[3]).unlink()
    (study / "new.tsv").write_text("1", encoding="utf-8")
    report = verify_manifest(study)
    assert (report.missing, report.changed, report.extra, report.n) == ((OWN[3],), ("README",), ("new.tsv",), len(OWN))
    assert not report.whole


def test_written_again(study):
    """A second manifest replaces the first and does not list it."""
    write_manifest(study)
    assert write_manifest(study) == len(OWN)


def test_damaged_lines(study):
    """All damaged lines are told at once, by number."""
    write_manifest(study)
    good = (study / MANIFEST).read_text(encoding="utf-8").splitlines()
    (study / MANIFEST).write_text("\n".join([good[0], "abc  README", good[0], f"{'0' * 64}  ../x"]), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"(?s)3 faults.*line 2: expected a SHA-256.*line 3: .*once.*line 4: .*inside the study"
    ):
        verify_manifest(study)


def test_no_manifest(study):
    """Without a manifest, without files, and with an empty or binary one, one sentence says so."""
    with pytest.raises(DataError, match="expected manifest-sha256.txt, got none; was the import finished"):
        verify_manifest(study)
    (study / MANIFEST).write_bytes(b"")
    with pytest.raises(DataError, match="got an empty file"):
        verify_manifest(study)
    (study / MANIFEST).write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="expected text in UTF-8"):
        verify_manifest(study)
    (study / "empty").mkdir()
    with pytest.raises(DataError, match="expected a study with files to write a manifest of, got none"):
        write_manifest(study / "empty")
