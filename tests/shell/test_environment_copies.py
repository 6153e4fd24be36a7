"""deploy.sh env clone, rename, export, import: what goes with an environment, and what does not."""

from __future__ import annotations

import io
import itertools
import shutil
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.shell.conftest import CHECKOUT, Shell
from tests.shell.test_environments import create, definition, deploy, folder, listed, user

__all__ = ["user"]
KEPT = {"data/ai.csv": "a\n1\n", "jobs/dbos.sqlite": "jobs"}
SECRETS = ("keys.sqlite", "certificate.pem", "service.token")


def places(user: Shell, name: str) -> tuple[Path, Path]:
    """Where the embedded mode keeps data, and the rest."""
    return user.folder / f"data/ai-semble/environments/{name}", user.folder / f"state/ai-semble/{name}"


@pytest.fixture
def lab(user: Shell) -> Shell:
    """With an environment that has settings, data, jobs and keys."""
    create(user, "lab", "--memory", "2g")
    data, state = places(user, "lab")
    for path, text in ((data / "data/ai.csv", "a\n1\n"), (state / "jobs/dbos.sqlite", "jobs")):
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    for name in SECRETS:
        (state / name).write_text("secret", encoding="utf-8")
    (state / "run").mkdir()
    (state / "run/supervisor.json").write_text('{"pid":1}', encoding="utf-8")
    with folder(user, "lab").joinpath("ai-semble.toml").open("a", encoding="utf-8") as settings:
        settings.write("[fetch]\ntimeout_s = 7\n")
    return user


def has_all(user: Shell, name: str, secrets: bool) -> None:
    data, state = places(user, name)
    assert (data / "data/ai.csv").read_text(encoding="utf-8") == "a\n1\n"
    assert (state / "jobs/dbos.sqlite").read_text(encoding="utf-8") == "jobs"
    assert [(state / one).exists() for one in SECRETS] == [secrets] * len(SECRETS)
    settings = folder(user, name).joinpath("ai-semble.toml").read_text(encoding="utf-8")
    assert "timeout_s = 7" in settings
    assert f"[orchestrator]\nport = {definition(user, name)['port']}\n" in settings
    assert definition(user, name)["memory"] == "2g"


def test_a_clone_has_data_and_settings_but_no_keys_and_a_port_of_its_own(lab: Shell) -> None:
    deploy(lab, "env", "clone", "lab", "copy")
    has_all(lab, "copy", secrets=False)
    has_all(lab, "lab", secrets=True)
    assert definition(lab, "copy")["port"] != definition(lab, "lab")["port"]
    assert not (places(lab, "copy")[1] / "run").exists()


def test_a_renamed_one_is_the_same_with_its_keys_and_port(lab: Shell) -> None:
    before = definition(lab, "lab")
    deploy(lab, "env", "rename", "lab", "research")
    has_all(lab, "research", secrets=True)
    assert definition(lab, "research") == before
    assert not folder(lab, "lab").exists()
    assert not any(place.exists() for place in places(lab, "lab"))
    assert list(listed(lab)) == ["default", "research"]


def test_a_renaming_that_was_interrupted_goes_on(lab: Shell) -> None:
    data, _ = places(lab, "lab")
    elsewhere, _ = places(lab, "research")
    elsewhere.mkdir(parents=True)
    (data / "data").rename(elsewhere / "data")
    text = folder(lab, "lab").joinpath("environment.conf").read_text(encoding="utf-8")
    folder(lab, "research").mkdir()
    half = text.replace("state=ready", "state=making").replace("from=", "from=rename lab")
    folder(lab, "research").joinpath("environment.conf").write_text(half, encoding="utf-8")
    for words in (
        ["start", "--env", "lab"],
        ["uninstall", "--env", "lab", "--yes", "--data"],
        ["start", "--env", "research"],
        ["env", "create", "research", "--embedded"],
        ["env", "clone", "lab", "copy"],
        ["env", "rename", "lab", "copy"],
        ["env", "delete", "lab", "--yes"],
        ["env", "delete", "research", "--yes"],
    ):
        assert "env rename lab research" in deploy(lab, *words, status=1).stderr, words
    deploy(lab, "env", "rename", "lab", "research")
    has_all(lab, "research", secrets=True)


# At its nth call, `rm` or `mv` ends all that the test has started.
KILLS = """#!/bin/bash
echo >>"$HOME/calls"
if (($(wc -l <"$HOME/calls") == $(<"$HOME/kill"))); then kill -9 0; fi
exec {program} "$@"
"""


@pytest.mark.parametrize(("verb", "first", "each"), [("rename", 2, 2), ("clone", 3, 6)])
def test_killed_at_a_step_nothing_is_lost_and_the_same_words_finish_it(
    lab: Shell, verb: str, first: int, each: int
) -> None:
    words = [str(CHECKOUT / "scripts/deploy.sh"), "env", verb, "lab", "research"]
    (lab.bin / "wc").symlink_to(str(shutil.which("wc")))
    for name in ("mv", "rm", "cp"):
        program = (lab.bin / name).resolve()
        (lab.bin / name).unlink()
        lab.stub(name, KILLS.format(program=program))
    for step in itertools.count(first, each):
        (lab.folder / "calls").unlink(missing_ok=True)
        (lab.folder / "kill").write_text(str(step), encoding="utf-8")
        ended = subprocess.run(
            words, env=lab.variables, stderr=subprocess.PIPE, start_new_session=True, check=False
        )
        (lab.folder / "kill").write_text("0", encoding="utf-8")
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        again = lab.run("deploy.sh", *words[1:])
        assert again.returncode == 0 or "there is " in again.stderr, again.stderr
        has_all(lab, "research", secrets=verb == "rename")
        assert definition(lab, "research")["state"] == "ready"
        if verb == "rename":
            assert not folder(lab, "lab").exists()
            deploy(lab, "env", "rename", "research", "lab")
        else:
            deploy(lab, "env", "delete", "research", "--yes")
        has_all(lab, "lab", secrets=True)
    assert step > 5


@pytest.mark.parametrize(
    "words", [["clone", "lab", "other"], ["rename", "lab", "other"], ["rename", "other", "lab"]]
)
def test_nothing_takes_the_place_of_another(lab: Shell, words: list[str]) -> None:
    create(lab, "other")
    assert "there is an environment" in deploy(lab, "env", *words, status=1).stderr
    has_all(lab, "lab", secrets=True)


def test_what_runs_is_not_copied_in_the_middle_of_a_change(lab: Shell) -> None:
    program = lab.venv / "bin/ai-semble"
    asked = '*running) [ "$AI_SEMBLE_ENVIRONMENT__NAME" = lab ]; exit'
    program.write_text(program.read_text(encoding="utf-8").replace("*running) exit 1", asked), "utf-8")
    for words in (
        ["clone", "lab", "copy"],
        ["rename", "lab", "copy"],
        ["export", "lab", str(lab.folder / "lab.tar")],
    ):
        answer = deploy(lab, "env", *words, status=1)
        assert "the environment lab runs" in answer.stderr
        assert "stop --env lab" in answer.stderr
    has_all(lab, "lab", secrets=True)


@pytest.mark.parametrize("secrets", [False, True], ids=["without keys", "with keys"])
def test_what_was_exported_is_the_same_elsewhere_and_has_keys_only_when_asked(
    lab: Shell, secrets: bool
) -> None:
    file = lab.folder / "lab.tar"
    said = deploy(lab, "env", "export", "lab", str(file), *(["--with-secrets"] if secrets else [])).stderr
    assert ("keep it secret" in said) is secrets
    assert file.stat().st_mode & 0o077 == 0
    deploy(lab, "env", "delete", "lab", "--yes")
    answer = deploy(lab, "env", "import", str(file), "elsewhere", "--embedded").stderr
    assert "look at" in answer
    assert ("who made the file can use it" in answer) is secrets
    has_all(lab, "elsewhere", secrets)
    assert "there already" in deploy(lab, "env", "export", "elsewhere", str(file), status=1).stderr


def test_an_export_has_any_name_and_holds_nothing_that_no_import_takes(lab: Shell) -> None:
    data, _ = places(lab, "lab")
    (data / "data/again.csv").hardlink_to(data / "data/ai.csv")
    (data / "data/link [1]").symlink_to("/etc/passwd")
    name = "it's;touch evil:12.tar"
    command = ["bash", "-c", 'cd "$HOME" && exec "$@"', "-", str(CHECKOUT / "scripts/deploy.sh"), "env"]
    for words in (["export", "lab", name], ["import", name, "elsewhere", "--embedded"]):
        answer = subprocess.run([*command, *words], env=lab.variables, capture_output=True, check=False)
        assert answer.returncode == 0, answer.stderr
    assert not (lab.folder / "evil").exists()
    found = places(lab, "elsewhere")[0] / "data"
    assert sorted(path.name for path in found.iterdir()) == ["again.csv", "ai.csv"]
    assert (data / "data/link [1]").is_symlink()


def test_an_import_asks_for_room_and_leaves_no_program_of_another_user(user: Shell) -> None:
    member = user.folder / "ai-semble-environment/data/member"
    member.parent.mkdir(parents=True)
    (member.parents[1] / "manifest").write_text("format=1\nname=bad\n", encoding="utf-8")
    pack = ["tar", "--create", "--sparse", "--format=gnu", "--file", "bad.tar", "ai-semble-environment"]
    words = ["env", "import", str(user.folder / "bad.tar"), "--embedded"]
    with member.open("wb") as file:
        file.truncate(1 << 43)
    subprocess.run(pack, cwd=user.folder, check=True)
    assert "need more room" in deploy(user, *words, status=1).stderr
    assert not folder(user, "bad").exists()
    member.write_text("small", encoding="utf-8")
    member.chmod(0o4755)
    subprocess.run(pack, cwd=user.folder, check=True)
    deploy(user, *words)
    assert (places(user, "bad")[0] / "member").stat().st_mode & 0o7777 == 0o755


def archive(path: Path, *members: tuple[str, bytes | str]) -> Path:
    """A tar file; text is where a link leads."""
    with tarfile.open(path, "w") as tar:
        for name, content in (("ai-semble-environment/manifest", b"format=1\nname=bad\n"), *members):
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "member",
    [
        ("ai-semble-environment/data/../../../../evil", b"x"),
        ("/var/evil", b"x"),
        ("ai-semble-environment/state/./keys.sqlite", b"x"),
        ("elsewhere/evil", b"x"),
        ("ai-semble-environment/data/link", "/etc/passwd"),
        ("ai-semble-environment/state", "/"),
    ],
    ids=lambda member: member[0],
)  # fmt: skip
def test_a_file_that_reaches_for_other_places_is_refused_and_makes_nothing(
    user: Shell, tmp_path: Path, member: tuple[str, bytes | str]
) -> None:
    answer = deploy(user, "env", "import", str(archive(tmp_path / "bad.tar", member)), "--embedded", status=1)
    assert "holds what no exported environment does" in answer.stderr
    assert not folder(user, "bad").exists()


def test_what_is_no_export_is_said(user: Shell, tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("no tar", encoding="utf-8")
    assert "no tar file" in deploy(user, "env", "import", str(file), "--embedded", status=1).stderr
    newer = archive(tmp_path / "newer.tar")
    newer.write_bytes(newer.read_bytes().replace(b"format=1", b"format=9"))
    assert "does not know (9)" in deploy(user, "env", "import", str(newer), "--embedded", status=1).stderr
