"""`python -m ai_semble.pod`: the same as `ai-semble pod`, without the time that the other commands' imports take."""

from __future__ import annotations

from ai_semble.pod.commands import app

app(prog_name="ai-semble pod")
