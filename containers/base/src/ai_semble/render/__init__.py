"""What systemd and Podman are given: pure functions from one table to the text of files.

`table.py` says what an environment is made of, `variants.py` what the host and the environment are like, `keys.py`
which Podman knows which key. `quadlet.py` (Podman 5) and `kube.py` (Podman 4) turn them into files, `systemd.py`
adds the plain units that both have. `commands.py` is the only part that touches the disk.
"""
