"""A system without GNU's OpenMP runtime gets the copy that a wheel carries."""

from __future__ import annotations

from pathlib import Path

from ai_semble.embedded.openmp import LIBRARY, with_openmp


def test_a_system_that_has_it_is_left_alone(tmp_path: Path) -> None:
    assert with_openmp({"A": "1"}, tmp_path / "lib", has_it=lambda: True) == {"A": "1"}
    assert not (tmp_path / "lib").exists()


def test_a_wheels_copy_is_put_on_the_library_path(tmp_path: Path) -> None:
    copy = tmp_path / "some.libs" / "libgomp-abc.so.1.0.0"
    copy.parent.mkdir()
    copy.touch()
    for _ in range(2):  # also when the link is there already
        found = with_openmp(
            {"LD_LIBRARY_PATH": "/mine"}, tmp_path / "lib", site_packages=tmp_path, has_it=lambda: False
        )
    assert found["LD_LIBRARY_PATH"] == f"{tmp_path / 'lib'}:/mine"
    assert (tmp_path / "lib" / LIBRARY).resolve() == copy


def test_without_a_copy_nothing_is_promised(tmp_path: Path) -> None:
    assert with_openmp({}, tmp_path / "lib", site_packages=tmp_path, has_it=lambda: False) == {}
