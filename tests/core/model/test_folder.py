import pytest
import yaml

from segment.core.errors import InputError
from segment.core.labels.classes import Class
from segment.core.model.folder import INFO_FILE, MODEL_FILE, load_model_info
from segment.core.model.info import LabelInfo
from tests.fakes import tiny_info

TABLE = [
    Class(name=name, color=color) for name, color in (("field", "#00FF00"), ("river", "#0000FF"))
]


def describe(**labels: object) -> dict[str, object]:
    info = tiny_info(
        task="classify", classes=TABLE, labels=LabelInfo(resize=0), versions={"keras": "3"}
    )
    content = info.model_dump(mode="json")
    content["labels"] |= labels
    return content


@pytest.mark.parametrize(
    "text, words",
    [
        (yaml.safe_dump(describe(), sort_keys=False).partition("openvino")[0], "cut off"),
        (yaml.safe_dump(describe(multi_label=True)), "2 thresholds"),
        (yaml.safe_dump(describe(thresholds=[0.5])), "0 thresholds"),
        ("labels: [", "model.yaml"),
        ("\xff", "model.yaml"),
    ],
)
def test_a_model_yaml_that_was_cut_or_changed_is_refused(tmp_path, text, words):
    (tmp_path / MODEL_FILE).touch()
    (tmp_path / INFO_FILE).write_text(yaml.safe_dump(describe()))
    assert load_model_info(tmp_path).labels.temperature == 1
    (tmp_path / INFO_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=words) as error:
        load_model_info(tmp_path)
    assert "\n" not in str(error.value)


def test_a_model_yaml_without_preprocessing_means_none(tmp_path):
    content = describe()
    del content["preprocess"]
    (tmp_path / MODEL_FILE).touch()
    (tmp_path / INFO_FILE).write_text(yaml.safe_dump(content))
    assert load_model_info(tmp_path).preprocess.is_off
    (tmp_path / INFO_FILE).write_text(yaml.safe_dump(content | {"preprocess": {"clahe": 2.5}}))
    assert str(load_model_info(tmp_path).preprocess) == "clahe 2.5 (clahe_cell 32)"


@pytest.mark.heavy
@pytest.mark.parametrize(
    "changes, words",
    [
        ({"range": [0, float("nan")]}, "range.1"),
        ({"range": [float("-inf"), 1]}, "range.0"),
        ({"range": [255, 0]}, "range: the first value is above the second"),
        ({"range": [0, 1e300]}, "range.1"),
        ({"bands": 10**9}, "bands"),
        ({"tile": 10**9}, "tile"),
        ({"multiple": 0}, "multiple"),
        ({"ground_sampling_distance": float("inf")}, "ground_sampling_distance"),
        ({"ground_sampling_distance": -0.3}, "ground_sampling_distance"),
        ({"dtype": "float128"}, "dtype"),
        ({"dtype": "object"}, "dtype"),
        ({"preprocess": {"clahe": float("nan")}}, "preprocess.clahe"),
        ({"checksums": {MODEL_FILE: "abc"}}, "checksums.model.keras"),
        ({"name": ["x" * 50] * 10_000}, "name"),
    ],
)
def test_absurd_values_of_a_model_yaml_are_refused_by_name(tmp_path, changes, words):
    (tmp_path / MODEL_FILE).touch()
    (tmp_path / INFO_FILE).write_text(yaml.safe_dump(describe() | changes))
    with pytest.raises(InputError, match=words) as error:
        load_model_info(tmp_path)
    assert len(str(error.value)) <= 500
    for key, value in {
        "temperature": float("inf"),
        "resize": -1,
        "rgb": [0, 1, 10**6],
        "read_bands": [0],
    }.items():
        (tmp_path / INFO_FILE).write_text(yaml.safe_dump(describe(**{key: value})))
        with pytest.raises(InputError, match=f"labels.{key}"):
            load_model_info(tmp_path)


def test_a_path_that_is_no_folder_is_named_as_such(tmp_path):
    with pytest.raises(InputError, match="no such model folder.*bundled model"):
        load_model_info(tmp_path / "bundled")
