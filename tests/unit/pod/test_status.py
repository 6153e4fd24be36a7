"""What `status` makes of the facts that the host's script gathered, whole or not."""

from __future__ import annotations

import io
import json
import re
import shlex
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from ai_semble.pod.facts import Facts, last_error
from ai_semble.pod.survey import Survey, surveyed
from ai_semble.pod.view import show_first_steps, show_status
from ai_semble.topology import SERVICES

NOW = 1_800_000_000.0
STARTED = "2027-01-15T07:00:00.123456789Z"


def container(name: str, **state: Any) -> dict[str, Any]:
    return {
        "Name": f"ai-semble-{name}",
        "State": {"Status": "running", "StartedAt": STARTED, "Health": {"Status": "healthy"}, **state},
        "Image": "0123456789abcdef" * 4,
        "ImageDigest": "sha256:" + "fedcba9876543210" * 4,
        "RestartCount": 0,
        "HostConfig": {"Memory": 1024**3},
    }


def health(name: str, state: str = "ready", reason: str = "All is well.") -> dict[str, Any]:
    model = {"name": f"{name}-model", "task": "x", "state": "loaded", "device": "cpu"}
    return {
        "service": name, "state": state, "reason": reason, "version": "2.0.0", "device": "cpu",
        "models": [model], "memory_bytes": 123_000_000,
    }  # fmt: skip


def environment(**changed: dict[str, Any]) -> dict[str, Any]:
    services = {name: health(name) for name in SERVICES} | changed
    return {
        "status": "ready", "reason": "All is well.", "environment": "default", "version": "2.0.0",
        "uptime_s": 1, "memory_bytes": 1, "services": services,
    }  # fmt: skip


def stream(
    containers: list[dict[str, Any]], healths: object, units: dict[str, str] | None = None, **journals: str
) -> list[str]:
    lines = ["=== meta", "backend quadlet", "environment default", "prefix ai-semble", "port 8080"]
    lines += ["=== containers", *json.dumps(containers, indent=2).splitlines()]
    for name in SERVICES:
        lines += [
            f"=== unit {name}",
            *(units or {}).get(name, "ActiveState=active\nNRestarts=0").splitlines(),
        ]
        lines += [f"=== journal {name}", *journals.get(name, "").splitlines()]
    lines += ["=== health", json.dumps(healths) if healths else ""]
    return [line + "\n" for line in lines]


def confined(service: str, **changed: str) -> list[str]:
    label = f"ai-semble-{service} (enforce)"
    values = {"Seccomp": "\t2", "NoNewPrivs": "\t1", "AppArmor": f" {label}", "Label": f" {label}"} | changed
    return [f"=== confinement {service}\n", *(f"{key}:{value}\n" for key, value in values.items())]


def test_where_other_machines_come_in_is_said_when_they_may() -> None:
    lines = stream(ALL, environment())
    assert "open to others" not in screen(survey_of(lines))
    at = lines.index("port 8080\n") + 1
    found = survey_of([*lines[:at], "exposed 192.0.2.7:8443\n", *lines[at:]])
    assert "open to others  192.0.2.7:8443, with a key\n" in screen(found)
    assert found.document()["exposed"] == "192.0.2.7:8443"
    assert "--open-port" not in screen(found)


@pytest.mark.parametrize(
    ("exposed", "command"),
    [
        ("192.0.2.7:9443", "install-security.sh --open-port 9443\n"),
        ("[2001:db8::7]:9443", "install-security.sh --open-port 9443\n"),
        ("127.0.0.1:9443", ""),
        ("[::1]:9443", ""),
    ],
)
def test_another_port_than_the_usual_is_named_for_the_firewall(exposed: str, command: str) -> None:
    lines = stream(ALL, environment())
    at = lines.index("port 8080\n") + 1
    shown = screen(survey_of([*lines[:at], f"exposed {exposed}\n", *lines[at:]]))
    assert command in shown
    assert ("--open-port" in shown) == bool(command)


def survey_of(lines: list[str]) -> Survey:
    return surveyed(Facts.parse(lines))


def screen(found: Survey) -> str:
    console = Console(file=io.StringIO(), width=80)
    show_status(console, found, NOW)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def said(message: object, **fields: str) -> str:
    return json.dumps({"CONTAINER_NAME": "ai-semble-llm", "MESSAGE": message, **fields}) + "\n"


ALL = [container(name) for name in SERVICES]


def test_all_is_well() -> None:
    found = survey_of(stream(ALL, environment()))
    text = screen(found)
    assert found.is_well
    assert "all services are ready" in text
    assert "123/1074 MB" in text
    assert re.search(r"\b0123456789ab\b", text), "the image's id is what `podman images` and an update show"


def test_the_digest_of_what_runs_is_told_to_programs() -> None:
    services = survey_of(stream(ALL, environment())).document()["services"]
    assert {seen["digest"] for seen in services.values()} == {"sha256:" + "fedcba9876543210" * 4}


def test_a_screen_has_80_columns_and_one_page() -> None:
    lines = screen(survey_of(stream(ALL, environment()))).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24


@pytest.mark.parametrize("environment_name", ["default", "dev"])
def test_after_a_start_there_is_something_to_paste(environment_name: str) -> None:
    console = Console(file=io.StringIO(), width=80)
    found = survey_of(stream(ALL, environment()))
    show_first_steps(console, replace(found, environment=environment_name, port=18080))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    *_, line = text.splitlines()
    assert shlex.split(line)[3] == "http://localhost:18080/ai/llm/completion"
    assert ("podman exec -it ai-semble-dev-shell bash" in text) == (environment_name == "dev")


@pytest.mark.parametrize(("name", "option"), [("default", ""), ("dev", " --dev"), ("lab", " --env lab")])
def test_what_to_type_is_about_the_environment_that_is_shown(name: str, option: str) -> None:
    units = dict.fromkeys(SERVICES, "ActiveState=inactive\nSubState=dead")
    text = screen(replace(survey_of(stream([], None, units)), environment=name))
    assert f"Start it: ./scripts/deploy.sh start{option}\n" in text


def confinement_line(*sections: list[str]) -> str:
    lines = [line for section in sections for line in section]
    text = screen(survey_of(stream(ALL, environment()) + lines))
    return "".join(re.findall(r"^confined by +(.*)$", text, re.MULTILINE))


def test_what_confines_all_services_is_one_line() -> None:
    every = [line for name in SERVICES for line in confined(name)]
    assert confinement_line(every) == "seccomp, AppArmor, no new privileges"
    text = screen(survey_of(stream(ALL, environment()) + every))
    assert len(text.splitlines()) <= 24
    assert confinement_line() == "", "where nothing is known, nothing is said"


@pytest.mark.parametrize("label", [" unconfined", " crun (unconfined)"])
def test_a_service_that_a_layer_does_not_confine_is_named(label: str) -> None:
    others = [confined(name) for name in SERVICES if name != "nlp"]
    free = confined("nlp", AppArmor=label, Label=label, Seccomp="\t0", NoNewPrivs="\t0")
    assert confinement_line(*others, free) == (
        "orchestrator, llm, vision, data-processor: seccomp, AppArmor, no new privileges; nlp: nothing"
    )


@pytest.mark.parametrize(
    ("kind", "enforcing", "words"),
    [
        ("ai_semble_llm_t", "1", "SELinux"),
        ("container_t", "1", "SELinux (container_t)"),
        ("ai_semble_llm_t", "0", "SELinux (permissive)"),
    ],
)
def test_a_label_of_selinux_is_told_with_what_weakens_it(kind: str, enforcing: str, words: str) -> None:
    label = f" system_u:system_r:{kind}:s0:c1,c2"
    assert confinement_line(confined("llm", AppArmor=" ", Label=label, Enforcing=enforcing)) == (
        f"seccomp, {words}, no new privileges"
    )


def test_a_profile_that_only_complains_is_told_so() -> None:
    complains = confined("llm", AppArmor=" ai-semble-llm (complain)")
    assert confinement_line(complains) == "seccomp, AppArmor (complain), no new privileges"


def test_json_tells_each_layer() -> None:
    found = survey_of(stream(ALL, environment()) + confined("llm")).document()["services"]
    assert found["llm"]["confinement"] == {
        "seccomp": True,
        "no_new_privileges": True,
        "apparmor": "ai-semble-llm (enforce)",
        "selinux": "",
        "selinux_enforces": False,
    }
    assert found["nlp"]["confinement"] is None


def test_the_widest_rows_are_not_cut() -> None:
    wide = {name: health(name, "starting") | {"memory_bytes": 7_123_000_000} for name in SERVICES}
    rows = screen(survey_of(stream(ALL, environment(**wide)))).splitlines()[2:8]
    assert max(map(len, rows)) <= 80
    assert "…" not in "".join(rows)


def test_what_is_not_well_is_named_with_its_last_error_and_a_remedy() -> None:
    error = said('{"level": "ERROR", "action": "load_failed", "error": "no memory"}\n')
    failed = environment(llm=health("llm", "failed", "The model cannot be loaded."))
    text = screen(survey_of(stream(ALL, failed, llm=error)))
    assert "not well: llm" in text
    assert "llm: The model cannot be loaded." in text
    assert "last error: load_failed: no memory" in text
    assert "what to do: ./scripts/deploy.sh logs llm" in text


def test_a_stopped_pod_says_how_it_is_started() -> None:
    units = dict.fromkeys(SERVICES, "ActiveState=inactive\nSubState=dead")
    found = survey_of(stream([], None, units))
    assert not found.is_well
    assert screen(found).splitlines() == [
        "Ai-semble · environment default · stopped",
        "Start it: ./scripts/deploy.sh start",
    ]


def test_a_removed_container_that_comes_again_is_starting() -> None:
    units = {"nlp": "ActiveState=activating\nSubState=auto-restart\nNRestarts=1"}
    gone = [described for described in ALL if described["Name"] != "ai-semble-nlp"]
    seen = {one.name: one for one in survey_of(stream(gone, environment(), units)).services}["nlp"]
    assert (seen.state, seen.health, seen.restarts) == ("starting", "", 1)
    assert seen.trouble == "It ended, and is being started again."


def test_a_service_that_used_up_its_memory_is_told_so() -> None:
    dead = container("llm", Status="exited", ExitCode=137, OOMKilled=True)
    others = [described for described in ALL if described["Name"] != "ai-semble-llm"]
    units = {"llm": "ActiveState=failed\nResult=oom-kill"}
    seen = {one.name: one for one in survey_of(stream([dead, *others], None, units)).services}["llm"]
    assert "used up its memory" in seen.trouble
    assert "smaller model" in seen.remedy


def test_an_image_that_is_missing_is_built_by_setup() -> None:
    words = said("Error: localhost/ai-semble/llm:latest: image not known", CONTAINER_NAME="")
    units = {"llm": "ActiveState=failed\nResult=exit-code"}
    seen = {one.name: one for one in survey_of(stream([], None, units, llm=words)).services}["llm"]
    assert seen.remedy == "./scripts/setup.sh builds the image"


@pytest.mark.parametrize(
    "words", [[], ["garbage\n"], ["=== containers\n", "{not json\n", "=== health\n", "[]\n"]]
)
def test_facts_that_are_not_there_are_no_crash(words: list[str]) -> None:
    found = survey_of(words)
    assert not found.is_well
    assert "stopped" in screen(found)
    assert json.dumps(found.document())


def test_the_last_error_is_put_together_from_pieces_and_bytes() -> None:
    whole = '{"level": "ERROR", "action": "broken", "error": "%s"}' % ("x" * 50)
    pieces = said(whole[:30], CONTAINER_PARTIAL_MESSAGE="true") + said(whole[30:])
    assert last_error(pieces) == "broken: " + "x" * 50
    assert last_error(said(list(b"fatal error \xff"))) == "fatal error \ufffd"
    assert last_error(said(None) + "no json\n") == ""


def test_what_podman_says_of_an_ended_container_hides_no_reason() -> None:
    real = said("error: there is no model")
    noise = said("Error: container is stopped", CONTAINER_NAME="")
    assert last_error(real + noise) == "error: there is no model"
