"""Durable asynchronous calls: accepted once, ended once, whatever crashes in between.

Who knows what
    The table `jobs` is the truth about every job; it is written only through `store.py`, by the moves that
    `machine.py` allows, each with an event in the same transaction. DBOS (`engine.py`) is the engine: it
    decides which job runs now, keeps delays, and runs again what a dead process had in hand. What it
    knows can be rebuilt from the table at any time, and `keeper.py` does so for a job that it has lost.

A job is accepted when its row and its request are on the disk. Each *dispatch* of it is one DBOS workflow,
named `<job id>.<dispatch>`; the number is a fence: an execution that holds an old number changes nothing.
The service is called with `Idempotency-Key: <job id>`, since a call that was under way when this process
died is made again.

Workflows
    Each call of a step is a job, found again by its idempotency key; see `orchestrator.workflows`.

Several orchestrators, later
    `Database` gets a PostgreSQL sister, `executor_id` becomes the machine's, and the keeper dispatches anew
    what a silent executor had in hand; the fence already keeps the old one from doing harm.
"""
