"""Nothing that runs code out of data is used anywhere."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.attacks import attack
from tests.support.used_names import is_reader, is_shell, used_names

REPOSITORY = Path(__file__).parents[2]
# What comes to users: the services, the client, and the programs of scripts/.
FOLDERS = ("containers", "clients", "scripts")
# The name of a shell, for which completion is printed.
NO_SHELL = "clients/python/src/ai_semble_client/cli/completion.py: shell=shell.value"


def found(is_dangerous: Callable[[str], bool]) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)}: {name}"
        for folder in FOLDERS
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        for name in used_names(ast.parse(path.read_text("utf-8")))
        if is_dangerous(name)
    ]


@attack(
    threat="A file with objects in it runs code when it is read (pickle, yaml.load, torch.load)",
    control="No such reader is used; a checkpoint's pickle is read opcode by opcode, and calls nothing",
    file="containers/ai-services/src/ai_services/models/convert/torch_legacy.py",
)
def test_nothing_reads_objects_out_of_files() -> None:
    assert found(is_reader) == []


@attack(
    threat="Words of a request become a line of shell",
    control="Programs are started with a list of words, never by a shell",
    file="containers/base/src/ai_semble/embedded/process.py",
)
def test_no_program_is_started_by_a_shell() -> None:
    assert found(is_shell) == [NO_SHELL]


def dangers(source: str, is_dangerous: Callable[[str], bool]) -> bool:
    return any(map(is_dangerous, used_names(ast.parse(source))))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from torch import nn",
        "from yaml import load",
        "from yaml import load as read",
        "from yaml import *",
        "from pickle import *",
        "import yaml as y\ny.load(text)",
        "import yaml\nread = yaml.load",
        "from numpy import load",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "import pandas.io as io\nio.read_pickle(path)",
        "read(path, allow_pickle=True)",
        "tar.extractall()",
        "tarfile.open(path).extractall(folder)",
        "import multiprocessing\nmultiprocessing.Pool()",
        "from concurrent.futures import ProcessPoolExecutor",
        "from importlib import import_module as get\nget('pickle')",
        "__import__('marshal')",
        "eval(text)",
        "list(map(exec, texts))",
    ],
)
def test_a_reader_of_objects_is_found_whatever_it_is_called(source: str) -> None:
    assert dangers(source, is_reader)
    assert not dangers(source, is_shell)


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.system(line)",
        "from os import system",
        "import os as o\nrun = o.popen",
        "import subprocess\nsubprocess.getoutput(line)",
        "import subprocess\nsubprocess.run(line, shell=True)",
        "start(line, shell=is_posix)",
        "import asyncio\nawait_it(asyncio.create_subprocess_shell(line))",
        "from asyncio.subprocess import create_subprocess_shell",
        "loop.subprocess_shell(protocol, line)",
    ],
)
def test_a_shell_is_found_whatever_it_is_called(source: str) -> None:
    assert dangers(source, is_shell)
    assert not dangers(source, is_reader)


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile('x')",
        "import yaml\nyaml.safe_load(text)",
        "import json\njson.load(file)",
        "import subprocess\nsubprocess.run(words, shell=False)",
        "from importlib import import_module\nimport_module('pytz')",
        "from .code import reader",
        "code = 3\nprint(code, compiled)",
    ],
)
def test_what_is_harmless_is_not_taken_for_it(source: str) -> None:
    assert not dangers(source, is_reader)
    assert not dangers(source, is_shell)
