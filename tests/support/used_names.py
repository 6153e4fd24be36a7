"""What a source file uses, by full names, whatever it was imported as; and which of that is dangerous."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

# Who reads a file or a message with one of these runs what stands in it.
READERS = frozenset(
    {
        "_pickle", "builtins.compile", "builtins.eval", "builtins.exec", "cPickle", "cloudpickle", "code",
        "concurrent.futures.ProcessPoolExecutor", "dill", "joblib", "jsonpickle", "marshal", "multiprocessing",
        "numpy.load", "pandas.read_pickle", "pickle", "runpy", "shelve", "torch", "yaml.full_load",
        "yaml.full_load_all", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all",
    }
)  # fmt: skip
SHELLS = frozenset(
    {
        "asyncio.create_subprocess_shell", "asyncio.subprocess.create_subprocess_shell", "os.popen", "os.system",
        "pty.spawn", "subprocess.getoutput", "subprocess.getstatusoutput",
    }
)  # fmt: skip
# Of what, is not seen in the source. An archive is unpacked member by member, each looked at.
READING_METHODS = frozenset({"extractall", "read_pickle", "unpack_archive"})
SHELL_METHODS = frozenset({"subprocess_shell"})
IMPORTERS = frozenset({"builtins.__import__", "importlib.import_module"})
BUILTINS = ("__import__", "compile", "eval", "exec")


def is_reader(name: str) -> bool:
    return _is_one(name, READERS, READING_METHODS) or _is_option(name, "allow_pickle")


def is_shell(name: str) -> bool:
    return _is_one(name, SHELLS, SHELL_METHODS) or _is_option(name, "shell")


def used_names(tree: ast.Module) -> Iterator[str]:
    """The full name of all that is imported, called or handed on, and options as `shell=True`.

    What is given a name by an assignment is found where that is done; of a value, the attribute is told: `.extractall`.
    """
    imported = _imported(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                yield from (_source(node, alias) for alias in node.names)
            case ast.Name() | ast.Attribute():
                yield _full_name(node, imported)
            case ast.keyword():
                yield f"{node.arg}={ast.unparse(node.value)}"
            case ast.Call(args=[ast.Constant(value=str(name)), *_]):
                if _full_name(node.func, imported) in IMPORTERS:
                    yield name
            case _:
                pass


def _is_one(name: str, full_names: frozenset[str], methods: frozenset[str]) -> bool:
    """Whether the name is one of these, lies in one, or is all (`*`) that one lies in."""
    if name.endswith(".*"):
        return any(known.startswith(name[:-1]) or known == name[:-2] for known in full_names)
    parts = name.split(".")
    above = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return not above.isdisjoint(full_names) or ("." in name and parts[-1] in methods)


def _is_option(name: str, option: str) -> bool:
    return name.startswith(f"{option}=") and name != f"{option}=False"


def _imported(tree: ast.Module) -> Mapping[str, str]:
    """Name in this file -> full name."""
    names = {name: f"builtins.{name}" for name in BUILTINS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                names[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: _source(node, alias) for alias in node.names}
    return names


def _source(node: ast.ImportFrom, alias: ast.alias) -> str:
    return f"{'.' * node.level}{node.module or ''}.{alias.name}"


def _full_name(node: ast.expr, imported: Mapping[str, str]) -> str:
    match node:
        case ast.Name():
            return imported.get(node.id, f".{node.id}")
        case ast.Attribute():
            return f"{_full_name(node.value, imported)}.{node.attr}"
        case _:
            return ""
