"""A study from raw files to results, its failures, interruptions and repetition."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from click.testing import CliRunner

from mmme.cli import cli
from mmme.config import load_config
from mmme.datasets.importing import ImportSummary
from mmme.errors import ConfigError, DataError
from mmme.evaluate import load_result, save_result
from mmme.report import write_report
from mmme.study.checking import check_path
from mmme.study.describe import describe_study, gather, prune, stored_tables
from mmme.study.evaluation import Run, evaluate_study, evaluate_table, result_name
from mmme.study.importing import import_study
from mmme.study.modalities import by_signal, left_out_table, mean_weights, only_columns, signal_of
from mmme.study.repetition import differences, rerun
from mmme.study.reporting import report_of_results, report_of_study, report_of_table
from mmme.workers import Workers


@pytest.fixture(scope="module")
def evaluated(described, config, tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    return evaluate_study(described, out, Run(config, Workers())), out


def test_no_raw_name_survives_the_import(raw, study):
    """
    No file, header, table or video of a study holds the name or the folder name of a participant.
    """
    words = [folder.name[:-8].encode() for folder in raw.iterdir() if folder.is_dir()]
    assert len(words) == 3
    for path in study.rglob("*"):
        if path.is_file():
            content = path.read_bytes() + path.name.encode()
            assert not [word for word in words if word in content], path.name


def test_tables_are_stacked_with_subjects_and_reasons(described):
    """
    Face and body describe the same rows; what is missing says why.
    """
    face, body = described.tables["face"], described.tables["body"]

    assert face.trial_ids == body.trial_ids
    assert set(face.subjects.tolist()) == {"S01", "S02", "S03"}
    missing = body.reason > 0
    assert np.isnan(body.X[missing]).all()
    assert {body.reasons[i] for i in np.unique(body.reason[missing])} - {""}
    assert described.tables["face-moments"].trial_ids == described.tables["body-moments"].trial_ids


def test_a_described_recording_is_kept_until_its_configuration_changes(described, study, config):
    """
    Describing again does nothing; another run file describes anew.
    """
    folder = study / "derivatives" / "mmme"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    describe_study(study, config, workers=Workers())
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_one_broken_session_costs_no_other(raw, tmp_path):
    """
    A session without its physiology is reported in one sentence without a name; the others are imported; mended, it follows.
    """
    broken = tmp_path / "raw"
    shutil.copytree(raw, broken)
    folder = sorted(p for p in broken.iterdir() if p.is_dir())[1]
    (folder / "BIOPAC" / "Untitled1 (001).mat").rename(tmp_path / "kept.mat")

    made = import_study(broken, tmp_path / "study", key=tmp_path / "key.csv", workers=Workers())

    assert isinstance(made.summary, ImportSummary)
    assert len(made.summary.recordings) == 2
    (why,) = made.failures
    assert folder.name[:-8] not in why
    assert [(f.code, folder.name[-8:] in f.text) for f in made.summary.findings if f.level == "error"] == [("D020", False)]
    assert "BIOPAC" in why
    assert not list((tmp_path / "study").glob("*.partial"))

    (tmp_path / "kept.mat").rename(folder / "BIOPAC" / "Untitled1 (001).mat")
    made = import_study(broken, tmp_path / "study", key=tmp_path / "key.csv", workers=Workers())
    assert (len(made.summary.recordings), made.failures) == (3, ())


def test_an_interrupted_description_leaves_nothing_half_written(study, config, tmp_path, monkeypatch):
    """
    Interrupted in the middle of a recording, no folder of it exists; the same call goes on and finishes.
    """
    from mmme.study import describe

    copy = tmp_path / "study"
    shutil.copytree(study, copy, ignore=shutil.ignore_patterns("derivatives"))

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(describe, "read_body", interrupted)
        with pytest.raises(KeyboardInterrupt):
            describe_study(copy, config, workers=Workers())
    folder = copy / "derivatives" / "mmme"
    assert not list(folder.glob("sub-*"))
    finished = {p: p.stat().st_mtime_ns for p in folder.glob("store/??/*/table.json")}
    assert len(finished) == 3  # the face of the first recording was done

    assert describe.describe_recording(describe.RecordingJob(copy, "S01", config)) == "S01"
    assert sorted(p.name for p in folder.iterdir()) == ["store", "sub-S01.json"]
    assert {p: p.stat().st_mtime_ns for p in finished} == finished
    assert len(list(folder.glob("store/??/*/table.json"))) == 9
    assert not list(folder.rglob("*.partial"))


def test_a_change_makes_anew_only_what_it_touches(described, study, config, tmp_path):
    """
    Another length of clips leaves the body alone; corrected coding leaves the moments alone; the old tables can be pruned.
    """
    copy = tmp_path / "study"
    shutil.copytree(study, copy)

    def tables():
        return json.loads((copy / "derivatives" / "mmme" / "sub-S01.json").read_text())["tables"]

    before = tables()
    face = {"descriptors": ["region-motion"], "size_px": 14, "pulse": True}
    wider = load_config({**config.model_dump(), "face": face})
    assert [o.error for o in describe_study(copy, wider, workers=Workers())] == ["", "", ""]
    after = tables()
    assert {name for name in after if after[name] != before.get(name)} == {"face flow-images", "face region-motion"}
    assert {t.made_from["table"] for t in stored_tables(copy)} == set(after)
    found = gather(copy, ["S01", "S02"], wider)
    assert found.tables["face"].X.shape[1] == 7 * 7 * 3
    assert found.pulse is not None
    assert found.pulse.with_face == 0
    assert set(found.pulse.why_not) <= {"the video is grey: no pulse from the face"}
    n, n_bytes = prune(copy)
    assert (n, n_bytes > 0) == (6, True)  # the larger images of three recordings, and what was not asked for again
    with pytest.raises(DataError, match="expected expressions to describe, got none"):
        gather(copy, ["S01"], load_config({"recognition": {"face": "clips"}}))
    with pytest.raises(ConfigError, match="expected a descriptor with columns, or flow-images, got region-motion"):
        gather(copy, ["S01"], load_config({"recognition": {"face": "region-motion"}}))
    with pytest.raises(ConfigError, match="region-motions.*did you mean 'region-motion'"):
        describe_study(copy, load_config({"face": {"descriptors": ["region-motions"]}}), workers=Workers())

    describe_study(copy, config, workers=Workers())
    coding = (copy / "coding.tsv").read_text().splitlines(keepends=True)
    kept = [line for line in coding if not (line.startswith("S02") and "\tsad-1\t" in line)]
    assert len(kept) < len(coding)
    (copy / "coding.tsv").write_text("".join(kept))
    stamps = {path: path.stat().st_mtime_ns for path in (copy / "derivatives" / "mmme" / "store").glob("??/*")}
    describe_study(copy, config, workers=Workers())
    assert tables() == before
    changed = [p for p in (copy / "derivatives" / "mmme" / "store").glob("??/*") if p not in stamps]
    assert {json.loads((p / "table.json").read_text())["made_from"]["recording"] for p in changed} == {"S02"}

    (frames,) = (copy / "sub-S03").rglob("*frames.tsv")
    frames.write_text(frames.read_text() + "\n")  # a person touched the times of one recording
    stamps = {path: path.stat().st_mtime_ns for path in (copy / "derivatives" / "mmme" / "store").glob("??/*")}
    describe_study(copy, config, workers=Workers())
    changed = [p for p in (copy / "derivatives" / "mmme" / "store").glob("??/*") if p not in stamps]
    assert {json.loads((p / "table.json").read_text())["made_from"]["recording"] for p in changed} == {"S03"}


def test_gathering_nothing_says_what_to_do(study, config):
    """
    Without a described recording there is one sentence.
    """
    with pytest.raises(DataError, match="expected at least one described recording, got none"):
        gather(study, [], config)
    with pytest.raises(DataError, match="expected a description of S99, got none; run `mmme features"):
        gather(study, ["S99"], config)


def test_a_study_gives_recognition_and_spotting_from_face_body_and_both(evaluated):
    """
    Five recognitions and three spottings, all marked simulated, every score with an interval, all stored.
    """
    made, out = evaluated
    titles = [(r.task, r.title) for r in made.results]

    assert titles == [
        ("recognition", "face"),
        ("recognition", "body"),
        ("recognition", "face + body, early"),
        ("recognition", "face + body, late"),
        ("recognition", "face + body, product"),
        ("spotting", "face"),
        ("spotting", "body"),
        ("spotting", "face + body"),
    ]
    for result in made.results:
        assert result.dataset["simulated"] is True
        assert all(np.isfinite([s.low, s.high]).all() for s in result.scores if s.name in ("UF1", "F1 overall"))
        assert differences(load_result(out / result_name(result)), result) == ""


@pytest.mark.parametrize("index", [2, 4, 7])
def test_a_result_runs_again_from_itself(evaluated, index):
    """
    A stored recognition and a stored spotting give the same predictions again.
    """
    made, out = evaluated
    stored = load_result(out / result_name(made.results[index]))

    assert differences(stored, rerun(stored, out, workers=Workers())) == ""


def test_late_fusion_can_weigh_the_body_by_its_quality(described, config, tmp_path):
    """
    With the option the quality of the signals goes along; where all are good nothing changes, where none is the face decides.
    """
    weighed = load_config({**config.model_dump(), "recognition": {"weigh_by_quality": True, "fusion": ["late"]}})
    tables = dict(described.tables)
    made = {}
    for name, level in (("good", 1.0), ("bad", 0.0)):
        quality = described.tables["body-quality"]
        tables["body-quality"] = replace(quality, X=np.where(np.isfinite(quality.X), level, np.nan).astype(np.float32))
        (tmp_path / name).mkdir()
        found = evaluate_study(
            replace(described, tables=MappingProxyType(tables)), tmp_path / name, Run(weighed, Workers())
        )
        made[name] = next(r for r in found.results if r.title == "face + body, late")
    plain = load_config({**config.model_dump(), "recognition": {"fusion": ["late"]}})
    (tmp_path / "plain").mkdir()
    results = evaluate_study(described, tmp_path / "plain", Run(plain, Workers())).results
    alike = next(r for r in results if r.title == "face + body, late")

    assert made["good"].model["modalities"] == ["face", "body", "body-quality"]
    assert made["good"].predictions["pred"] == alike.predictions["pred"]
    face = next(r for r in results if r.title == "face")
    assert made["bad"].predictions["pred"] == face.predictions["pred"]
    assert differences(made["good"], rerun(made["good"], tmp_path / "good", workers=Workers())) == ""


def test_a_result_whose_table_changed_is_not_run_again(evaluated, tmp_path):
    """
    Another table under the same name is refused.
    """
    made, out = evaluated
    for file in out.glob("*.npz"):
        shutil.copy(file, tmp_path)
    shutil.copy(out / "body.npz", tmp_path / "face.npz")

    with pytest.raises(DataError, match=r"face.npz: expected the table this result was made from, got another"):
        rerun(made.results[0], tmp_path, workers=Workers())


def test_different_predictions_are_told(evaluated):
    """
    The first prediction that differs is named.
    """
    made, _ = evaluated
    first, second = made.results[0], made.results[1]

    assert "became" in differences(first, second)


def test_the_report_is_one_file_that_says_simulated(evaluated, described, config, tmp_path):
    """
    The page loads nothing, shows every task, clocks, findings and examples, and carries the word simulated.
    """
    made, out = evaluated
    page = write_report(report_of_study(described, made, config, [("S09", "lost")]), tmp_path / "report.html")
    html = page.read_text(encoding="utf-8")

    assert "simulated data" in html
    assert "http://" not in html.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "<script" not in html
    for part in (
        "recognition",
        "spotting",
        "What the face did",
        "How far the signals can be trusted",
        "muscles over the scalp",
        "Clocks",
        "Findings",
        "Single trials",
        "S09",
        "How to repeat it",
    ):
        assert part in html
    assert html.count("<svg") >= 6
    again = write_report(report_of_results([out / result_name(r) for r in made.results], "All"), tmp_path / "all.html")
    assert "Where they are: spotting" in again.read_text(encoding="utf-8")
    assert "What the face did" not in again.read_text(encoding="utf-8")


def test_the_evidence_of_the_report_is_the_mean_of_its_rows(described, evaluated, config):
    """
    Each column is the mean evidence of the expressions of a class, coded or predicted on held-out subjects.
    """
    made, _ = evaluated
    material = report_of_study(described, made, config, [])
    table = described.tables["au-evidence"]
    column = table.columns.index("au12_evidence_px")
    name = sorted(set(table.labels.tolist()))[0]
    rows = (table.labels == name) & table.valid.all(axis=1)
    shown = material.evidence[f"coded\n{name}\n(n = {int(rows.sum())})"]
    assert shown[list(material.action_units).index("AU12")] == pytest.approx(float(table.X[rows, column].mean()), abs=1e-6)
    face = next(r for r in made.results if (r.task, r.title) == ("recognition", "face"))
    n_predicted = sum(
        int(group.rpartition("= ")[2].rstrip(")")) for group in material.evidence if group.startswith("predicted")
    )
    assert n_predicted == sum(table.valid.all(axis=1)[list(table.trial_ids).index(t)] for t in face.predictions["trial"])


def test_checking_a_path_finds_what_was_planted(study, evaluated, tmp_path):
    """
    A study, a table and a result can be checked; anything else is one sentence.
    """
    made, out = evaluated
    codes = {f.code for f in check_path(study)}

    assert {"D004", "D008"} <= codes
    assert all(f.code.startswith("P") for f in check_path(out / "face.npz"))
    assert isinstance(check_path(out / result_name(made.results[0])), list)
    with pytest.raises(DataError, match="expected a study folder, a result"):
        check_path(tmp_path / "nothing")


def test_a_table_that_was_scaled_outside_the_folds_is_found(evaluated, tmp_path):
    """
    Standardising all rows at once is finding P002.
    """
    from dataclasses import replace

    from mmme.io.table_npz import read_table, write_table

    _, out = evaluated
    table = read_table(out / "face.npz")
    X = (table.X - table.X.mean(axis=0)) / table.X.std(axis=0)
    write_table(replace(table, X=X), tmp_path / "leaky.npz")

    assert "P002" in {f.code for f in check_path(tmp_path / "leaky.npz")}


def test_real_micro_expressions(config, tmp_path):
    """
    442 clips, 68 subjects: UF1 of a linear SVM that sees no test subject is at least 0.70 and far above chance.
    """
    path = Path(__file__).parents[2].parent / "shared" / "data" / "megc2019_flow" / "flow442.npz"
    if not path.exists():
        pytest.skip("the 442 flow images of the MEGC2019 composite are not on this machine")
    result = evaluate_table(path, tmp_path, Run(config, Workers()))

    assert len(result.predictions["truth"]) == 442
    assert len(set(result.predictions["subject"])) == 68
    assert result.score("UF1").value > 0.70
    assert result.chance["UF1"]["p95"] < 0.40
    assert {s.group for s in result.scores} == {"all", "casme2", "samm", "smic"}
    save_result(result, tmp_path / "r.json")
    assert differences(load_result(tmp_path / "r.json"), rerun(result, path.parent, workers=Workers())) == ""
    assert "casme2" in write_report(report_of_table(result, path), tmp_path / "r.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))


def test_a_subject_without_an_expression_to_recognise_is_still_searched(study, config, tmp_path):
    """
    Where false alarms can only be false, they count: no expression of the kind removes no one from spotting.
    """
    copy = tmp_path / "study"
    shutil.copytree(study, copy, ignore=shutil.ignore_patterns("derivatives"))
    lines = (copy / "coding.tsv").read_text(encoding="utf-8").splitlines()
    (copy / "coding.tsv").write_text("\n".join(x for x in lines if not x.startswith("S02")) + "\n", encoding="utf-8")

    outcomes = describe_study(copy, config, workers=Workers())
    found = gather(copy, [str(o.value) for o in outcomes], config)

    assert "S02" not in found.tables["face"].subjects
    assert "S02" in found.tables["face-moments"].subjects


def test_a_missing_modality_is_a_failure_and_not_a_score(described, config, tmp_path):
    """
    A body without a single value gives no score from imputed numbers; the face's results are made and stored.
    """
    nothing = {}
    for name, table in described.tables.items():
        if name.startswith("body"):
            reason = np.ones_like(table.reason)
            table = replace(table, X=np.full_like(table.X, np.nan), reason=reason, reasons=("", "no stream"))
        nothing[name] = table
    made = evaluate_study(replace(described, tables=MappingProxyType(nothing)), tmp_path, Run(config, Workers()))

    assert [(r.task, r.title) for r in made.results] == [("recognition", "face"), ("spotting", "face")]
    assert {place for place, _ in made.failures} == {
        "recognition from body",
        "recognition from face + body, early",
        "recognition from face + body, late",
        "recognition from face + body, product",
        "spotting from body",
        "spotting from face + body",
    }
    assert all("expected at least one value, got none (no stream)" in why for _, why in made.failures)
    assert (tmp_path / "recognition-face.result.json").exists()


def test_a_table_of_a_simulated_study_stays_simulated(evaluated, config, tmp_path):
    """
    Evaluated by itself, a table says where it came from.
    """
    _, out = evaluated
    result = evaluate_table(out / "body.npz", tmp_path, Run(config, Workers()))

    assert result.dataset["simulated"] is True
    assert result.model["classifiers"] == {"all": "svm-linear"}


def test_missing_numbers_and_edited_scores_are_told(evaluated):
    """
    A number that is missing on one side differs, on both sides it does not; a stored score must follow from its predictions.
    """
    from dataclasses import replace

    made, _ = evaluated
    result = made.results[0]
    name = next(n for n in result.predictions if n.startswith("score:"))
    missing = {**result.predictions, name: [None, *result.predictions[name][1:]]}
    nan = {**result.predictions, name: [float("nan"), *result.predictions[name][1:]]}

    assert differences(replace(result, predictions=missing), replace(result, predictions=nan)) == ""
    assert differences(result, replace(result, predictions=nan)).startswith(f"{name} in row 0")
    edited = (replace(result.scores[0], value=0.99), *result.scores[1:])
    assert "its predictions give" in differences(replace(result, scores=edited), result)


def test_a_recording_that_cannot_be_described_is_named_and_costs_no_other(study, tmp_path, monkeypatch):
    """
    `mmme features` names the recording with the reason, describes the others, and ends with 1.
    """
    from mmme.study import describe

    copy = tmp_path / "study"
    shutil.copytree(study, copy, ignore=shutil.ignore_patterns("derivatives"))
    plain = describe.aligned

    def broken(recording, config):
        if recording.subject != "S01":
            raise DataError("stream 'eda': expected unit µS, got V")
        return plain(recording, config)

    monkeypatch.setattr(describe, "aligned", broken)
    (tmp_path / "run.toml").write_text("[spotting]\nstep_s = 0.5\n[alignment]\nlimit_ms = 20.0\n", encoding="utf-8")
    done = CliRunner().invoke(cli, ["features", str(copy), "--run", str(tmp_path / "run.toml"), "--quiet"])

    assert done.exit_code == 1
    assert "failed: S02: stream 'eda': expected unit µS, got V" in done.stderr
    assert "1 recordings described, 2 failed" in done.stdout


def test_networks_and_every_fusion_work_on_a_study(described, config, tmp_path):
    """
    A network of the face, fusions of other kinds and fusions without one signal give results that say who decided, and repeat.
    """
    fusion = ["product", "hierarchical", "cross-attention"]
    asked = {"model": "region-graph-flow", "fusion": fusion, "leave_one_out": False}
    deep = load_config({**config.model_dump(), "recognition": asked, "network": {"epochs": 3, "mirror": True}})
    tables = dict(described.tables)
    tables["face"] = gather(described.study.path, sorted(described.clocks), deep).tables["face"]
    found = evaluate_study(replace(described, tables=MappingProxyType(tables)), tmp_path, Run(deep, Workers()))
    made = {r.title: r for r in found.results if r.task == "recognition"}

    assert tables["face"].X.ndim == 4
    assert {"face", "face + body, product", "face + body, cross-attention"} <= set(made), found.failures
    assert "at least 2 training subjects" in dict(found.failures)["recognition from face + body, hierarchical"]
    product = mean_weights(made["face + body, product"])
    assert sum(product.values()) == pytest.approx(1.0)
    assert set(product) == {"face", "body"}
    assert set(mean_weights(made["face + body, cross-attention"])) <= {"face", "body"}
    again = rerun(made["face + body, product"], tmp_path, workers=Workers())
    assert differences(made["face + body, product"], again) == ""
    early = load_config({**config.model_dump(), "recognition": {"model": "region-graph-flow", "fusion": ["early"]}})
    (tmp_path / "early").mkdir()
    found = evaluate_study(replace(described, tables=MappingProxyType(tables)), tmp_path / "early", Run(early, Workers()))
    assert "a tensor of face; fuse it late" in dict(found.failures)["recognition from face + body, early"]


def test_what_a_fusion_loses_without_a_signal(described, config, tmp_path):
    """
    Asked for, the fusion is evaluated without each signal of the body, and compared with the whole on the same subjects.
    """
    asked = load_config({**config.model_dump(), "recognition": {"fusion": ["product"], "leave_one_out": True}})
    found = evaluate_study(described, tmp_path, Run(asked, Workers()))
    rows = left_out_table(found.results)["face + body, product"]

    assert {row.signal for row in rows} == set(by_signal(described.tables["body"]))
    whole = next(r for r in found.results if r.title == "face + body, product").score("UF1").value
    for row in rows:
        assert row.loss.value == pytest.approx(whole - row.uf1)
    one = next(r for r in found.results if r.model.get("without"))
    assert differences(one, rerun(one, tmp_path, workers=Workers())) == ""
    page = write_report(report_of_study(described, found, asked, []), tmp_path / "report.html").read_text()
    assert "what it loses without a signal" in page
    assert "Who decided" in page
    table = described.tables["body"]
    assert [signal_of(c) for c in only_columns(table, [0]).columns] == [signal_of(table.columns[0])]
    with pytest.raises(ConfigError, match="expected at least one column to be left, got none"):
        only_columns(table, [])
