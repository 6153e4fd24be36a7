"""`ai-semble models`: the models that the environment has."""

from __future__ import annotations

from rich.text import Text

from ai_semble_client import calls
from ai_semble_client.answers.environment import Health
from ai_semble_client.cli.asking import ask_and_show
from ai_semble_client.cli.options import AsJson, Url, single
from ai_semble_client.cli.terminal import output, row, size, table, told

app = single()
_STYLES = {"loaded": "green", "failed": "bold red", "not_installed": "yellow"}


@app.callback(invoke_without_command=True)
@told
def models(as_json: AsJson = False, url: Url = None) -> None:
    """Show every model: what it is for, whether it is loaded, and on which device."""
    ask_and_show(calls.health(), url, show, as_json=as_json)


def show(health: Health) -> None:
    """A row a model."""
    shown = table("service", "model", "task", "state", "device", ">memory", "")
    for name, service in health.services.items():
        for model in service.models:
            state = Text(model.state.replace("_", " "), _STYLES.get(model.state, ""))
            row(
                shown,
                name,
                model.name,
                model.task,
                state,
                model.device,
                size(model.memory_bytes),
                model.detail,
            )
        if not service.models and service.state != "ready":
            row(shown, name, "", "", Text(service.state, "yellow"), "", "", service.reason)
    output().print(shown)
