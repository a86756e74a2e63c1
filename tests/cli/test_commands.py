"""Every verb: what it prints, what it refuses, and with which exit code."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mmme.cli import cli
from mmme.cli.reference import reference

ROOT = Path(__file__).parents[2]


@pytest.fixture
def mmme():
    """Run a verb, return exit code, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        done = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.fixture
def flow_file(tmp_path):
    """A simulated table in the layout of the flow images: three classes that differ, 6 subjects."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 12)
    X = rng.integers(0, 40, (36, 28, 28, 3)).astype(np.uint8)
    for k, label in enumerate(y):
        X[k, 7 * label : 7 * label + 7] += 180
    path = tmp_path / "flow.npz"
    subject = np.repeat([f"s{i}" for i in range(6)], 6)
    np.savez(path, X=X, y=y, subject=subject, dataset=np.repeat(["a", "b"], 18), clip=[f"c{i}" for i in range(36)])
    return path


@pytest.fixture
def quick(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("[scores]\nn_bootstrap = 200\nn_permutations = 200\n", encoding="utf-8")
    return path


def test_the_reference_is_what_the_commands_say():
    """
    docs/cli.md is the commands' own help; `make docs` writes it anew.
    """
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference(cli)


def test_every_verb_and_option_explains_itself():
    """
    No verb and no option is without help.
    """
    for name, command in cli.commands.items():
        assert command.help, name
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{name} {parameter.name}"


def test_a_table_is_evaluated_stored_and_run_again(mmme, flow_file, quick, tmp_path):
    """
    Scores with intervals and chance, the confusion matrix, a report; the stored result repeats.
    """
    out = tmp_path / "out"
    code, text, _ = mmme("evaluate", flow_file, "--out", out, "--run", quick, "--quiet")

    assert code == 0
    for part in ("UF1", "UAR", "accuracy", "95 % interval", "chance", "negative", "report.html"):
        assert part in text
    stored = out / "recognition-flow.result.json"
    assert mmme("rerun", stored, "--quiet")[:2] == (0, f"{stored}: repeats, all 36 predictions are the same\n")
    assert "Micro-expression recognition on flow" in (out / "report.html").read_text(encoding="utf-8")


def test_a_result_that_does_not_repeat_ends_with_1(mmme, flow_file, quick, tmp_path):
    """
    A stored prediction that was tampered with is found.
    """
    mmme("evaluate", flow_file, "--out", tmp_path, "--run", quick, "--quiet")
    stored = tmp_path / "recognition-flow.result.json"
    data = json.loads(stored.read_text(encoding="utf-8"))
    data["predictions"]["pred"][4] = "negative" if data["predictions"]["pred"][4] != "negative" else "positive"
    stored.write_text(json.dumps(data), encoding="utf-8")

    code, text, _ = mmme("rerun", stored, "--quiet")

    assert code == 1
    assert "does not repeat: pred in row 4" in text


def test_scores_come_as_json(mmme, flow_file, quick, tmp_path):
    """
    --json prints what a machine needs, and nothing else.
    """
    code, text, _ = mmme("evaluate", flow_file, "--out", tmp_path, "--run", quick, "--quiet", "--json")
    data = json.loads(text)

    assert code == 0
    assert {"name", "value", "low", "high", "group", "n"} <= set(data["results"][0]["scores"][0])


def test_a_printed_run_file_is_accepted(mmme, tmp_path):
    """
    What `mmme config` prints is a complete run file.
    """
    code, text, _ = mmme("config")
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")

    assert code == 0
    assert mmme("config", "--run", path)[:2] == (0, text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ("evaluate", "none.npz"),
            "none.npz: expected a table (.npz) or an imported study, got nothing there",
            id="evaluate-missing",
        ),
        pytest.param(
            ("import", "none", "study", "--key", "key.csv"),
            "none: expected a folder of raw sessions, got none",
            id="import-missing",
        ),
        pytest.param(("align", "none"), "none: expected an imported study", id="align-missing"),
        pytest.param(("check", "none"), "none: expected a study folder", id="check-missing"),
        pytest.param(("features", "none"), "none: expected an imported study", id="features-missing"),
        pytest.param(("rerun", "none.json"), "none.json: expected", id="rerun-missing"),
        pytest.param(("report", "none.json"), "none.json: expected", id="report-missing"),
        pytest.param(("spot", "none.mp4"), "none.mp4: expected a video file, got no file", id="spot-missing"),
        pytest.param(("simulate", "out", "--subjects", "0"), "subjects: expected 1 to 676, got 0", id="simulate-range"),
        pytest.param(("evaluate", "none.npz", "--run", "none.toml"), "none.npz: expected", id="run-file-missing"),
        pytest.param(
            ("features", "none", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"),
            "expected one of them, got both",
            id="jobs-and-scheduler",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_3(mmme, tmp_path, monkeypatch, arguments, message):
    """
    One clear sentence on standard error, exit code 3, and nothing is written.
    """
    monkeypatch.chdir(tmp_path)
    code, out, err = mmme(*arguments)

    assert code == 3, out + err
    assert err.startswith("Error: ")
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_wrong_usage_is_exit_code_2(mmme):
    """
    An unknown option is wrong usage.
    """
    assert mmme("evaluate", "x.npz", "--jbos", "2")[0] == 2


def test_a_table_without_subjects_lists_what_it_lacks(mmme, tmp_path):
    """
    A foreign .npz is named with all keys that are missing.
    """
    np.savez(tmp_path / "foreign.npz", X=np.zeros((3, 4)))
    code, _, err = mmme("evaluate", tmp_path / "foreign.npz", "--out", tmp_path / "out", "--quiet")

    assert code == 3
    assert "subject" in err


def test_a_mistyped_key_of_the_run_file_is_answered(mmme, flow_file, tmp_path):
    """
    The nearest key is named.
    """
    (tmp_path / "bad.toml").write_text("[recognition]\nmodle = 'lda'\n", encoding="utf-8")
    code, _, err = mmme("evaluate", flow_file, "--run", tmp_path / "bad.toml", "--out", tmp_path / "out", "--quiet")

    assert code == 3
    assert "unknown key 'recognition.modle'; did you mean 'model'?" in err


def test_an_unknown_model_is_answered(mmme, flow_file, tmp_path):
    """
    The nearest model is named.
    """
    (tmp_path / "bad.toml").write_text("[recognition]\nmodel = 'svm-liner'\n", encoding="utf-8")
    code, _, err = mmme("evaluate", flow_file, "--run", tmp_path / "bad.toml", "--out", tmp_path / "out", "--quiet")

    assert code == 3
    assert "did you mean 'svm-linear'?" in err


def test_an_interruption_is_said_and_ends_with_130(monkeypatch, mmme, tmp_path):
    """
    Ctrl-C ends with a sentence that says how to go on.
    """
    from mmme import simulate

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "simulate_study", interrupted)
    code, _, err = mmme("simulate", tmp_path / "raw", "--quiet")

    assert code == 130
    assert "the same command goes on from there" in err


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"PK\x03\x04 cut short", b""], ids=["text", "truncated", "empty"])
def test_a_file_that_is_no_table_is_one_sentence(mmme, tmp_path, content):
    """
    Text, a truncated archive and an empty file are told the same way.
    """
    (tmp_path / "t.npz").write_bytes(content)
    code, _, err = mmme("evaluate", tmp_path / "t.npz", "--out", tmp_path / "out", "--quiet")

    assert code == 3
    assert "t.npz: expected a table (.npz), got a file that is none" in err
