"""Embedded mode: the five services as supervised processes of one user. Nothing isolates them.

`commands` is what a person types, `control` starts and stops the one supervisor of an environment,
`supervisor` keeps the services running, `lifecycle` decides, `process` touches the operating system.
"""
