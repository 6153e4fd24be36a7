"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted([*REPOSITORY.glob("containers/*/src/**/*.py"), *REPOSITORY.glob("clients/*/src/**/*.py")])

# Which of our packages a package may import. Services meet only in `ai_semble` and over HTTP.
MAY_IMPORT = {
    "ai_semble": {"ai_semble"},
    "orchestrator": {"ai_semble", "orchestrator"},
    "data_processor": {"ai_semble", "data_processor"},
    "ai_services.models": {"ai_semble", "ai_services.models"},
    "ai_services.llm": {"ai_semble", "ai_services.models", "ai_services.llm"},
    "ai_services.vision": {"ai_semble", "ai_services.models", "ai_services.vision"},
    "ai_services.nlp": {"ai_semble", "ai_services.models", "ai_services.nlp"},
    "ai_semble_client": {"ai_semble_client"},
}
OURS = ("ai_semble", "orchestrator", "data_processor", "ai_services")
# Each of these can run code that stands in the data it reads.
UNSAFE_READERS = {"pickle.load", "pickle.loads", "yaml.load", "torch.load", "marshal.loads", "shelve.open"}
BUILTIN_RUNNERS = {"eval", "exec"}


def package_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "ai_services" and len(parts) > 1 else parts[0]


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(next(p for p in file.parents if p.name == "src")).with_suffix("").parts)


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("file", SOURCES, ids=module_of)
def test_imports_go_one_way(file: Path) -> None:
    package = package_of(module_of(file))
    if package not in MAY_IMPORT:
        return  # a package's own __init__
    imported = {package_of(name) for name in imports_of(ast.parse(file.read_text(encoding="utf-8")))}
    wrong = {name for name in imported if name.startswith(OURS)} - MAY_IMPORT[package]
    assert not wrong, f"{file.name} imports {wrong}"


@pytest.mark.parametrize("file", SOURCES, ids=module_of)
def test_nothing_reads_data_in_a_way_that_can_run_it(file: Path) -> None:
    calls = set(calls_of(ast.parse(file.read_text(encoding="utf-8"))))
    assert not calls & (UNSAFE_READERS | BUILTIN_RUNNERS)


@pytest.mark.parametrize("file", SOURCES, ids=module_of)
def test_a_file_has_one_subject(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, "split it by subject"


@pytest.mark.parametrize("file", SOURCES, ids=module_of)
def test_nothing_happens_at_import(file: Path) -> None:
    """Module level holds definitions and constants: no environment, no file, no socket, no application."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    forbidden = ("open(", "os.environ[", "os.getenv(", "FastAPI(", "socket.", ".read_text(", "load_config(")
    statements = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr)]
    for node in statements:
        text = ast.unparse(node)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        assert not any(word in text for word in forbidden), text
