"""Who uses no jobs pays nothing for them, and no job blocks the event loop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, dataclasses, sys
from pathlib import Path
from ai_semble.config import Config
from ai_semble.paths import Paths
from ai_semble.schemas.jobs import JobQuery
from ai_semble.service import Runtime
from orchestrator.jobs.askers import ANYBODY
from tests.support.job_host import create_job_app

async def main():
    state = Path(sys.argv[1])
    runtime = Runtime.create("orchestrator", Config())
    app = create_job_app(dataclasses.replace(runtime, paths=Paths(state, state, state, state)))
    async with app.router.lifespan_context(app):
        page = await app.state.jobs.list(JobQuery(), ANYBODY)
        print(len(page.jobs), sorted({"dbos", "sqlalchemy", "psycopg"} & set(sys.modules)))

asyncio.run(main())
"""


def test_the_engine_is_not_even_imported_before_the_first_job(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ, check=False)
    assert (done.returncode, done.stdout) == (0, "0 []\n"), done.stderr
