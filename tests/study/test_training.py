"""Training on all subjects: what is written predicts what was fitted, says what it was trained on, and is refused when touched."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mmme.config import load_config
from mmme.errors import ConfigError, DataError, ProtocolError
from mmme.evaluate import save_result
from mmme.io.table_npz import write_table
from mmme.models.recogniser import fit_recogniser
from mmme.models.recogniser_files import load_recogniser, save_recogniser
from mmme.study.assembly import model_of
from mmme.study.evaluation import Run, evaluate_table
from mmme.study.training import rule_of, train_study, train_table
from mmme.types import FeatureTable
from mmme.workers import Workers

QUICK = {"scores": {"n_bootstrap": 100, "n_permutations": 100}}


def rows(n_subjects=9, n_columns=12, *, shift=1.5, seed=0, first=0, each=6):
    """Columns of which the first tells the class; simulated."""
    rng = np.random.default_rng(seed)
    n = n_subjects * each
    y = np.tile(["negative", "positive", "surprise"], n // 3)
    X = rng.normal(size=(n, n_columns))
    X[:, 0] += shift * (y == "positive")
    X[:, 1] += shift * (y == "surprise")
    who = np.repeat([f"S{first + k:02d}" for k in range(n_subjects)], each)
    names = [f"u_r00_c{k:02d}" for k in range(n_columns)]
    return FeatureTable.build(X, names, [f"{s}#{k}" for k, s in enumerate(who)], who, ["v"] * n, y)


@pytest.fixture
def flow_file(tmp_path):
    """Images in the public layout, 6 simulated subjects of 6 rows."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 12)
    X = rng.integers(0, 40, (36, 28, 28, 3)).astype(np.uint8)
    for k, label in enumerate(y):
        X[k, 7 * label : 7 * label + 7] += 180
    path = tmp_path / "flow.npz"
    subject = np.repeat([f"anna{i}" for i in range(6)], 6)
    np.savez(path, X=X, y=y, subject=subject, dataset=np.repeat(["a", "b"], 18), clip=[f"c{i}" for i in range(36)])
    return path


@pytest.mark.parametrize("source", ["face", "body", "both"])
def test_what_is_read_predicts_what_was_fitted(described, config, tmp_path, source):
    """
    Probabilities, distances and medians of a study's model equal those in memory to 1e-10, with and without the body.
    """
    fitted = train_study(described, config, source=source)
    read = load_recogniser(save_recogniser(tmp_path / "m", fitted))
    X = fitted.rows(described.tables)
    np.testing.assert_allclose(read.fusion.predict_proba(X), fitted.fusion.predict_proba(X), rtol=0, atol=1e-10)
    np.testing.assert_array_equal(read.fusion.predict(X), fitted.fusion.predict(X))
    if source == "both":
        X[:, fitted.places("body")] = np.nan
        np.testing.assert_allclose(read.fusion.predict_proba(X), fitted.fusion.predict_proba(X), rtol=0, atol=1e-10)
    for part, distance in fitted.distances(X).items():
        np.testing.assert_allclose(read.distances(X)[part], distance, rtol=1e-10)
    np.testing.assert_array_equal(read.median, fitted.median)
    assert read.about == json.loads(json.dumps(fitted.about))


@pytest.mark.parametrize("rule", ["late", "weighted", "product", "stacked", "fuzzy"])
def test_every_late_rule_is_kept(tmp_path, rule):
    """
    Face and body under each rule, some rows without body: read and fitted agree to 1e-10.
    """
    face, body = rows(seed=1), rows(seed=2, n_columns=5)
    X = body.X.copy()
    X[::4] = np.nan
    body = replace(body, X=X, reason=np.isnan(X).astype(np.uint16), reasons=("", "none"))
    config = load_config({"recognition": {"fusion": [rule]}})
    names = {"face": "ridge", "body": "lda"}
    models = {part: model_of(name, config) for part, name in names.items()}
    fitted = fit_recogniser({"face": face, "body": body}, models, names, rule=rule_of(config))
    read = load_recogniser(save_recogniser(tmp_path / rule, fitted))
    both = fitted.rows({"face": face, "body": body})
    np.testing.assert_allclose(read.fusion.predict_proba(both), fitted.fusion.predict_proba(both), rtol=0, atol=1e-10)
    assert np.isnan(read.distances(both)["body"][::4]).all()


def test_a_network_is_kept(flow_file, tmp_path):
    """
    STSTNet on flow images, fitted, written and read: probabilities equal to 1e-6; the model holds no training row.
    """
    pytest.importorskip("torch")
    config = load_config({"recognition": {"model": "ststnet"}, "network": {"epochs": 1}})
    fitted = train_table(flow_file, config)
    read = load_recogniser(save_recogniser(tmp_path / "m", fitted))
    X = np.random.default_rng(1).normal(size=(5, 28 * 28 * 3)).astype(np.float32)
    np.testing.assert_allclose(read.fusion.predict_proba(X), fitted.fusion.predict_proba(X), rtol=0, atol=1e-6)
    assert not read.holds_training_rows
    assert read.inputs["face"].shape == (28, 28, 3)
    assert read.references["face"].mean.shape == (588,)


def test_a_model_says_what_it_was_trained_on(described, config, tmp_path):
    """
    Classes, rows, signals, rates, sizes, lengths and the whole run file stand in the model; no subject and no row does.
    """
    fitted = train_study(described, config)
    folder = save_recogniser(tmp_path / "m", fitted)
    words = (folder / "model.json").read_text(encoding="utf-8")
    head, about = json.loads(words), json.loads(words)["about"]
    assert about["from"] == "both"
    assert about["simulated"] is True
    assert about["rows"]["n"] == len(described.tables["face"]) == sum(about["rows"]["by_class"].values())
    assert about["rows"]["n_subjects"] == 3
    assert set(about["signals"]) == {
        "eeg",
        "ecg",
        "ppg",
        "eda",
        "rsp",
    }  # 30 s of temperature after an apex were not recorded
    assert about["sampling"]["frame_rate_hz"] == pytest.approx([60, 60], rel=0.01)
    low, high = about["sampling"]["face_width_px"]
    assert 40 < low <= high < 96
    assert 0.1 < about["sampling"]["duration_s"][0] <= about["sampling"]["duration_s"][1] <= 0.6
    assert about["config"] == config.model_dump(mode="json")
    assert head["holds_training_rows"] is True  # support vectors of the face
    assert not [name for name in (*described.study.subjects, *described.tables["face"].trial_ids) if f'"{name}' in words]
    assert str(described.study.path) not in words
    only_body = save_recogniser(tmp_path / "b", train_study(described, config, source="body"))
    assert json.loads((only_body / "model.json").read_text(encoding="utf-8"))["holds_training_rows"] is False


def test_nothing_is_pickled(described, config, tmp_path):
    """
    A model is JSON and safetensors: a length, a JSON header and plain numbers; no byte of a pickle's frame, no class name.
    """
    folder = save_recogniser(tmp_path / "m", train_study(described, config))
    assert sorted(p.name for p in folder.iterdir()) == [
        "body.safetensors",
        "face.safetensors",
        "fusion.safetensors",
        "model.json",
    ]
    for path in folder.glob("*.safetensors"):
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        stop = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
        assert len(content) == 8 + length + stop
        assert {entry["dtype"] for entry in header.values()} <= {"F64", "F32", "I64", "I32"}
        assert not [word for word in (b"sklearn", b"numpy", b"mmme.", b"\x80\x04\x95", b"\x80\x05\x95") if word in content]


def test_a_touched_model_is_refused_by_name(tmp_path):
    """
    Cut short, altered by one bit, absent, foreign, of another version: one sentence with the file's name.
    """
    table = rows()
    fitted = fit_recogniser({"face": table}, {"face": model_of("ridge", load_config(None))}, {"face": "ridge"})
    folder = save_recogniser(tmp_path / "m", fitted)
    arrays, head = folder / "face.safetensors", json.loads((folder / "model.json").read_text(encoding="utf-8"))
    content = arrays.read_bytes()
    flipped = bytearray(content)
    flipped[-1] ^= 1
    for bad in (content[:-8], bytes(flipped), b""):
        arrays.write_bytes(bad)
        with pytest.raises(DataError, match=r"face\.safetensors: expected the bytes that were written"):
            load_recogniser(folder)
    arrays.unlink()
    with pytest.raises(DataError, match=r"face\.safetensors: expected a file of the model, got none"):
        load_recogniser(folder)
    arrays.write_bytes(content)
    assert load_recogniser(folder).classes == ("negative", "positive", "surprise")
    for change, sentence in (
        ({"version": 2}, "expected version 1, got 2; update mmme or train again"),
        ({"format": "x"}, "the file is foreign"),
        ({"fusion": {}}, "expected a rule of"),
        ({"inputs": {"face": {}}}, "expected a complete model"),
    ):
        (folder / "model.json").write_text(json.dumps({**head, **change}), encoding="utf-8")
        with pytest.raises(DataError, match=sentence):
            load_recogniser(folder)
    (folder / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"model\.json: expected JSON"):
        load_recogniser(folder)
    with pytest.raises(DataError, match="expected a model folder with model.json, got none"):
        load_recogniser(tmp_path / "none")


def test_a_folder_is_replaced_only_on_demand(tmp_path):
    """
    An existing folder stays, unless it is a model and replacing was asked for; nothing temporary is left.
    """
    fitted = fit_recogniser({"face": rows()}, {"face": model_of("ridge", load_config(None))}, {"face": "ridge"})
    folder = save_recogniser(tmp_path / "m", fitted)
    with pytest.raises(ConfigError, match="expected a folder that does not exist, got one"):
        save_recogniser(folder, fitted)
    save_recogniser(folder, fitted, overwrite=True)
    (tmp_path / "other").mkdir()
    with pytest.raises(ConfigError, match="expected a stored model to replace, got something else"):
        save_recogniser(tmp_path / "other", fitted, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "other"]


def test_thresholds_let_new_subjects_pass():
    """
    Of rows of subjects that no model saw, drawn as the training was, at most 5 % lie outside; rows far off all do.
    """
    config, new = load_config(None), rows(n_subjects=60, seed=9, first=50)
    fitted = fit_recogniser({"face": rows(n_subjects=30, seed=8)}, {"face": model_of("lda", config)}, {"face": "lda"})
    limit = fitted.references["face"].threshold
    X = fitted.rows({"face": new})
    assert np.mean(fitted.distances(X)["face"] > limit) <= 0.05
    assert (fitted.distances(X + 10)["face"] > limit).all()


def test_certainty_stays_within_what_rows_can_show():
    """
    Classes apart by far: held-out rows are all right, and still the usual row is no surer than n + 1 to 1, not 1.
    """
    table = rows(shift=50.0)
    fitted = fit_recogniser(
        {"face": table},
        {"face": model_of("ridge", load_config(None))},
        {"face": "ridge"},
        about={"rows": {"n": len(table)}},
    )
    proba = fitted.fusion.predict_proba(fitted.rows({"face": table}))
    assert np.median(proba.max(axis=1)) == pytest.approx((len(table) + 1) / (len(table) + 3), abs=0.02)
    assert (fitted.supported(proba) < 1 - 1 / (len(table) + 3)).all()
    np.testing.assert_allclose(fitted.supported(proba).sum(axis=1), 1)


def test_the_product_is_taken_where_it_is_named():
    """
    The recommended product comes before other late rules; without any late rule there is nothing to train.
    """
    assert rule_of(load_config({"recognition": {"fusion": ["late", "product"]}})) == "product"
    assert rule_of(load_config({"recognition": {"fusion": ["early", "late"]}})) == "mean"
    with pytest.raises(ConfigError, match="expected a late rule to train face and body together"):
        rule_of(load_config({"recognition": {"fusion": ["early"]}}))


def test_a_table_of_images_says_that_it_was_made_elsewhere(flow_file, tmp_path):
    """
    Images of the public layout are standardised, and the model says so; features of a body are refused.
    """
    fitted = train_table(flow_file, load_config(None))
    assert fitted.about["prepared"] == "standardised"
    assert fitted.about["sampling"] == {}
    assert fitted.about["simulated"] is None
    assert fitted.inputs["face"].shape == (588,)
    body = replace(rows(n_columns=2), columns=("hr_bpm", "skt_c"))
    write_table(body, tmp_path / "body.npz")
    with pytest.raises(DataError, match="expected features of a face described by 'flow-images', got hr_bpm, skt_c"):
        train_table(tmp_path / "body.npz", load_config(None))


def test_scores_are_kept_where_they_are_of_this_model(flow_file, tmp_path):
    """
    A result of the same table and run file stands in the model with its intervals; one of another run file is refused.
    """
    config = load_config(QUICK)
    result = evaluate_table(flow_file, tmp_path, Run(config, Workers()))
    path = tmp_path / "recognition-flow.result.json"
    kept = train_table(flow_file, config, result=path).about["cross_validated"]
    score = result.score("UF1")
    assert kept["scores"]["UF1"] == [score.value, score.low, score.high]
    with pytest.raises(ConfigError, match="expected the run file of this training, got another"):
        train_table(flow_file, load_config({**QUICK, "seed": 1}), result=path)
    save_result(replace(result, dataset={"files": {"other.npz": "0"}}), tmp_path / "other.json")
    with pytest.raises(ConfigError, match="expected a result of the same data"):
        train_table(flow_file, config, result=tmp_path / "other.json")


def test_an_ensemble_is_refused_before_it_is_fitted(flow_file):
    """
    What cannot be stored is not fitted first, and only classes of emotions are learned for new videos.
    """
    with pytest.raises(ConfigError, match="rows.target: expected emotion to train a model on, got valence"):
        train_table(flow_file, load_config({"rows": {"target": "valence"}}))
    with pytest.raises(ConfigError, match="model 'flow-ensemble': expected one that can be stored, got an ensemble"):
        train_table(flow_file, load_config({"recognition": {"model": "flow-ensemble"}}))


def test_too_little_is_refused(described, config):
    """
    Two subjects cannot be held out by turns; a study without physiology has no body to learn from.
    """
    with pytest.raises(ProtocolError, match="expected at least 3 subjects to hold out by turns, got 2"):
        fit_recogniser({"face": rows(2)}, {"face": model_of("ridge", config)}, {"face": "ridge"})
    body = described.tables["body"]
    empty = replace(body, X=np.full_like(body.X, np.nan), reason=np.ones_like(body.reason), reasons=("", "none"))
    bare = replace(described, tables={**described.tables, "body": empty})
    with pytest.raises(ProtocolError, match="training from both: expected physiology in the study, got none"):
        train_study(bare, config, source="both")
    assert train_study(bare, config).parts == ("face",)
