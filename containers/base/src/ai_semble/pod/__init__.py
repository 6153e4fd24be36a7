"""What the scripts on the host need to have computed: facts come in on stdin, people's words go out.

The host has bash, Podman and systemd, and no Python: `scripts/lib/pod.sh` gathers, the base image runs this.
"""
