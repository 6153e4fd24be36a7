"""Nothing that runs code out of data is used anywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.attacks import attack

SOURCES = Path(__file__).parents[2] / "containers"
FORBIDDEN_MODULES = frozenset(
    {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "torch"}
)
FORBIDDEN_CALLS = frozenset(
    {
        *(
            "eval",
            "exec",
            "compile",
            "os.system",
            "os.popen",
            "yaml.load",
            "yaml.unsafe_load",
            "yaml.full_load",
        ),
        *(
            "numpy.load",
            "np.load",
            "pandas.read_pickle",
            "pd.read_pickle",
            "torch.load",
            "tarfile.extractall",
        ),
    }
)


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCES.glob("*/src/**/*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def called(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@attack(
    threat="A file with objects in it runs code when it is read (pickle, yaml.load, torch.load)",
    control="No such reader is used; a checkpoint's pickle is read opcode by opcode, and calls nothing",
    file="containers/ai-services/src/ai_services/models/convert/torch_legacy.py",
)
def test_nothing_reads_objects_out_of_files() -> None:
    found = [
        f"{path.relative_to(SOURCES)}: {name}"
        for path, tree in sources()
        for name in (*imported(tree), *(ast.unparse(call.func) for call in called(tree)))
        if name in FORBIDDEN_MODULES | FORBIDDEN_CALLS
    ]
    assert found == []


@attack(
    threat="Words of a request become a line of shell",
    control="Programs are started with a list of words, never by a shell",
    file="containers/base/src/ai_semble/embedded/process.py",
)
def test_no_program_is_started_by_a_shell() -> None:
    found = [
        f"{path.relative_to(SOURCES)}: line {call.lineno}"
        for path, tree in sources()
        for call in called(tree)
        for keyword in call.keywords
        if keyword.arg == "shell" and ast.unparse(keyword.value) != "False"
    ]
    assert found == []
