"""Who gets in: API keys, what each may do, and how much of it.

`keys` and `windows` are pure. `store` is the file that `ai-semble keys` writes, `book` what the running orchestrator
has read of it, `control` decides, `layer` speaks HTTP. A request without a key, where none is needed, meets two
look-ups and none of the rest.
"""
