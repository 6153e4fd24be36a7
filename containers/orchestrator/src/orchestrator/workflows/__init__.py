"""Workflows: graphs of calls that are run to their end, whatever crashes in between.

From a file to a plan, without touching the world
    `reading.py` (YAML or TOML, with the place of each value) -> `checking.py` (what is wrong, with lines) ->
    `graph.py` (who waits for whom) -> `planner.py` (what is to be done next, from how the steps stand).
    `expressions.py` has the references, `inputs.py` the inputs of a run.
"""
