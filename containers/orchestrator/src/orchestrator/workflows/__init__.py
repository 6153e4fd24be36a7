"""Workflows: graphs of calls that are run to their end, whatever crashes in between.

From a file to a plan, without touching the world
    `reading.py` (YAML or TOML, with the place of each value) -> `checking.py` (what is wrong, with lines) ->
    `graph.py` (who waits for whom) -> `planner.py` (what is to be done next, from how the steps stand).
    `expressions.py` has the references, `inputs.py` the inputs of a run.

From a plan to its end
    `service.py` takes runs in and shows them, `running.py` gives each to a `conductor.py`, which does what the planner
    says and writes it to `store.py`. `performing.py` makes one call as a job of `orchestrator.jobs` (`subruns.py`: as a
    run of another workflow), with a key by which it finds the same job again after a crash. So nothing here needs to
    be durable but rows: what takes time is always a job. docs/adr/0026 says why.
"""
