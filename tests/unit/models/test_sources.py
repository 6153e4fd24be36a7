"""Where files come from: the user's own configuration of pip, npm and hub, and who is told which secret."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_services.models.errors import SourceUnavailable
from ai_services.models.sources.npm_settings import read_npm_settings
from ai_services.models.sources.pip_settings import read_pip_settings
from ai_services.models.sources.reference import parse_reference
from ai_services.models.sources.remote import Local, Remote, Resolved
from ai_services.models.sources.resolve import Resolver
from tests.support.mirror import Mirror, mirror

WHEEL = {"weights/model.bin": b"weights"}


@pytest.fixture
def other() -> Iterator[Mirror]:
    with mirror() as state:
        yield state


def resolve(variables: dict[str, str], text: str) -> Resolved:
    return Resolver(variables).resolve(parse_reference(text))


def header(net: Mirror, path: str, name: str) -> str | None:
    return next(headers.get(name) for _, asked, headers in reversed(net.requests) if asked == path)


@pytest.mark.parametrize("html", [False, True])
def test_a_wheel_is_found_by_both_index_formats(net: Mirror, variables: dict[str, str], html: bool) -> None:
    path = net.put_wheel("some-weights", "1.0", WHEEL, html=html)
    found = resolve(variables, "pypi:Some_Weights==1.0#weights/model.bin")
    digest = hashlib.sha256(net.resources[path].body).hexdigest()
    assert isinstance(found, Remote)
    assert found.digests == {"sha256": digest}
    assert found.size == len(net.resources[path].body), "the size is known before the file is fetched"
    assert net.count("GET", path) == 0


def test_another_version_is_not_taken(net: Mirror, variables: dict[str, str]) -> None:
    net.put_wheel("some-weights", "1.0", WHEEL)
    with pytest.raises(SourceUnavailable, match=r"has no some-weights==1\.0\.1"):
        resolve(variables, "pypi:some-weights==1.0.1#weights/model.bin")


def test_the_extra_index_is_asked_when_the_first_has_nothing(
    net: Mirror, other: Mirror, variables: dict[str, str]
) -> None:
    other.put_wheel("some-weights", "1.0", WHEEL)
    variables["PIP_EXTRA_INDEX_URL"] = f"{other.base}/simple"
    found = resolve(variables, "pypi:some-weights==1.0#weights/model.bin")
    assert isinstance(found, Remote) and found.address.startswith(other.base)


def test_an_index_that_is_down_does_not_keep_the_next_from_being_asked(
    net: Mirror, variables: dict[str, str]
) -> None:
    net.put_wheel("some-weights", "1.0", WHEEL)
    variables |= {"PIP_INDEX_URL": "http://127.0.0.1:1/", "PIP_EXTRA_INDEX_URL": f"{net.base}/simple"}
    assert isinstance(resolve(variables, "pypi:some-weights==1.0#weights/model.bin"), Remote)


def test_a_folder_of_wheels_serves_without_any_network(
    net: Mirror, variables: dict[str, str], tmp_path: Path
) -> None:
    path = net.put_wheel("some-weights", "1.0", WHEEL)
    (tmp_path / path.rpartition("/")[2]).write_bytes(net.resources[path].body)
    variables |= {"PIP_FIND_LINKS": str(tmp_path), "PIP_NO_INDEX": "1"}
    assert isinstance(resolve(variables, "pypi:some-weights==1.0#weights/model.bin"), Local)
    assert net.requests == []


def test_an_index_on_this_machine_is_read_like_one_on_the_web(
    variables: dict[str, str], tmp_path: Path
) -> None:
    page = tmp_path / "simple" / "some-weights" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text('<a href="some_weights-1.0-py3-none-any.whl#sha256=00">w</a>')
    page.with_name("some_weights-1.0-py3-none-any.whl").write_bytes(b"zip")
    variables["PIP_INDEX_URL"] = f"file://{tmp_path}/simple"
    found = resolve(variables, "pypi:some-weights==1.0#weights/model.bin")
    assert found == Local(page.with_name("some_weights-1.0-py3-none-any.whl"), 3)


def test_a_busy_index_is_asked_again(net: Mirror, variables: dict[str, str]) -> None:
    net.put_wheel("some-weights", "1.0", WHEEL)
    net.resources["/simple/some-weights/"].refusals = [503, 429]
    assert isinstance(resolve(variables, "pypi:some-weights==1.0#weights/model.bin"), Remote)


def test_who_has_configured_only_uv_is_served_too(net: Mirror, variables: dict[str, str]) -> None:
    net.put_wheel("some-weights", "1.0", WHEEL)
    variables |= {"UV_DEFAULT_INDEX": variables.pop("PIP_INDEX_URL")}
    assert isinstance(resolve(variables, "pypi:some-weights==1.0#weights/model.bin"), Remote)


def test_a_page_that_is_no_index_is_said(net: Mirror, variables: dict[str, str]) -> None:
    net.put("/simple/some-weights/", b"{", content_type="application/vnd.pypi.simple.v1+json")
    with pytest.raises(SourceUnavailable, match="not a package index"):
        resolve(variables, "pypi:some-weights==1.0#weights/model.bin")


@pytest.mark.parametrize("name", ["plain", "@scope/plain"])
def test_an_npm_package_is_found_with_its_digest(net: Mirror, variables: dict[str, str], name: str) -> None:
    path = net.put_tarball(name, "2.0.0", {"model.bin": b"weights"})
    found = resolve(variables, f"npm:{name}@2.0.0#model.bin")
    assert isinstance(found, Remote)
    assert found.digests == {"sha1": hashlib.sha1(net.resources[path].body).hexdigest()}  # noqa: S324
    assert found.size == len(net.resources[path].body)


def test_an_npm_version_that_is_not_there_is_said(net: Mirror, variables: dict[str, str]) -> None:
    net.put_tarball("plain", "2.0.0", {"model.bin": b"weights"})
    with pytest.raises(SourceUnavailable, match=r"has no plain@9\.9\.9"):
        resolve(variables, "npm:plain@9.9.9#model.bin")


def test_the_registry_of_a_scope_gets_its_token_and_nobody_else_does(
    net: Mirror, other: Mirror, variables: dict[str, str], tmp_path: Path
) -> None:
    other.put_tarball("@acme/model", "1.0.0", {"model.bin": b"weights"})
    net.put_tarball("plain", "1.0.0", {"model.bin": b"weights"})
    host = other.base.removeprefix("http:")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".npmrc").write_text(
        f"@acme:registry={other.base}/npm/\n{host}/npm/:_authToken=${{TOKEN}}\n# a comment\n"
    )
    resolver = Resolver(variables | {"TOKEN": "s3cret"})
    resolver.resolve(parse_reference("npm:@acme/model@1.0.0#model.bin"))
    resolver.resolve(parse_reference("npm:plain@1.0.0#model.bin"))
    assert header(other, "/npm/@acme%2Fmodel", "Authorization") == "Bearer s3cret"
    assert all("Authorization" not in headers for _, _, headers in net.requests)


def test_a_hub_token_goes_to_the_hub_but_not_to_where_it_leads(
    net: Mirror, other: Mirror, variables: dict[str, str]
) -> None:
    other.put("/storage/x", b"weights")
    net.put("/Qwen/Qwen-GGUF/resolve/main/a/q4.gguf", b"", location=f"{other.base}/storage/x")
    found = resolve(variables | {"HF_TOKEN": "hf_s3cret"}, "hf:Qwen/Qwen-GGUF/a/q4.gguf")
    assert isinstance(found, Remote) and found.size == len(b"weights")
    assert header(net, "/Qwen/Qwen-GGUF/resolve/main/a/q4.gguf", "Authorization") == "Bearer hf_s3cret"
    assert header(other, "/storage/x", "Authorization") is None


def test_a_hub_revision_is_asked_for(net: Mirror, variables: dict[str, str]) -> None:
    net.put("/Qwen/Qwen-GGUF/resolve/abc123/q4.gguf", b"weights")
    assert isinstance(resolve(variables, "hf:Qwen/Qwen-GGUF@abc123/q4.gguf"), Remote)


def test_credentials_of_an_index_are_sent_and_never_shown(net: Mirror, variables: dict[str, str]) -> None:
    net.put_wheel("some-weights", "1.0", WHEEL)
    variables["PIP_INDEX_URL"] = net.base.replace("//", "//ada:p%40ss@") + "/simple"
    resolver = Resolver(variables)
    found = resolver.resolve(parse_reference("pypi:some-weights==1.0#weights/model.bin"))
    expected = "Basic " + base64.b64encode(b"ada:p@ss").decode()
    assert header(net, "/simple/some-weights/", "Authorization") == expected
    assert isinstance(found, Remote)
    resolver.client.open(found.address).close()
    assert header(net, "/files/some_weights-1.0-py3-none-any.whl", "Authorization") == expected
    with pytest.raises(SourceUnavailable) as caught:
        resolver.resolve(parse_reference("pypi:some-weights==2.0#weights/model.bin"))
    assert "p@ss" not in caught.value.detail and "p%40ss" not in caught.value.detail


def test_netrc_is_honoured(net: Mirror, variables: dict[str, str], tmp_path: Path) -> None:
    net.put_wheel("some-weights", "1.0", WHEEL)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password pw\n")
    (tmp_path / "netrc").chmod(0o600)
    resolve(variables | {"NETRC": str(tmp_path / "netrc")}, "pypi:some-weights==1.0#weights/model.bin")
    expected = "Basic " + base64.b64encode(b"ada:pw").decode()
    assert header(net, "/simple/some-weights/", "Authorization") == expected


def test_a_failure_is_remembered_and_not_asked_for_again(net: Mirror, variables: dict[str, str]) -> None:
    resolver = Resolver(variables)
    for _ in range(3):
        with pytest.raises(SourceUnavailable):
            resolver.resolve(parse_reference("pypi:some-weights==1.0#weights/model.bin"))
    assert len(net.requests) == 1


def test_a_server_that_does_not_do_head_is_used_without_a_size(
    net: Mirror, variables: dict[str, str]
) -> None:
    net.put("/Qwen/Qwen-GGUF/resolve/main/q4.gguf", b"weights", head=False)
    found = resolve(variables, "hf:Qwen/Qwen-GGUF/q4.gguf")
    assert isinstance(found, Remote) and found.size is None


def test_pips_files_are_read_from_the_least_to_the_most_specific(tmp_path: Path) -> None:
    for place, text in {
        "xdg/pip/pip.conf": "[global]\nindex-url = https://one.example/simple\ncert = /etc/ca.pem\n",
        "home/.pip/pip.conf": "[global]\nextra-index-url =\n  https://extra.example/simple\n",
        "home/.config/pip/pip.conf": "[install]\nindex_url = https://two.example/simple\n",
        "given.conf": "[global]\nfind-links = /wheels\n[freeze]\nindex-url = https://no.example\n",
    }.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    variables = {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_DIRS": str(tmp_path / "xdg"),
        "PIP_CONFIG_FILE": str(tmp_path / "given.conf"),
        "PIP_EXTRA_INDEX_URL": "https://variable.example/simple",
    }
    settings = read_pip_settings(variables)
    assert settings.indexes == ("https://two.example/simple", "https://variable.example/simple")
    assert settings.folders == (Path("/wheels"),)


def test_without_configuration_pips_own_default_index_is_used() -> None:
    (index,) = read_pip_settings({"PIP_CONFIG_FILE": "/dev/null"}).indexes
    assert index.startswith("https://")


def test_no_index_means_none() -> None:
    assert read_pip_settings({"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "true"}).indexes == ()


def test_npm_variables_go_before_files_in_any_case(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text('registry = "https://file.example/"\ncafile=/etc/ca.pem\n')
    variables = {"HOME": str(tmp_path), "NPM_CONFIG_GLOBALCONFIG": "/dev/null"}
    assert read_npm_settings(variables).registry_of("x") == "https://file.example/"
    assert read_npm_settings(variables).certificate == Path("/etc/ca.pem")
    variables["npm_config_registry"] = "https://variable.example/"
    assert read_npm_settings(variables).registry_of("@scope/x") == "https://variable.example/"
