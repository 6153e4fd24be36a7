"""`ai-semble chat`: a question, or a conversation."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from ai_semble_client import calls
from ai_semble_client.answers.llm import Completion, CompletionEnd
from ai_semble_client.calls.call import Call
from ai_semble_client.cli.asking import ask, replace_reading
from ai_semble_client.cli.options import AsJson, Url, single
from ai_semble_client.cli.terminal import for_output, messages, print_json, show_error, told
from ai_semble_client.client import Client
from ai_semble_client.errors import AiSembleError

app = single()


@app.callback(invoke_without_command=True)
@told
def chat(
    prompt: Annotated[
        list[str] | None, typer.Argument(help="The question; without it a conversation, or standard input.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="How the model is to be.")] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens written.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2, help="0 is the same each time.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Makes chance repeatable.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Ask the language model; its answer is shown while it is written."""
    options = {"model": model, "max_tokens": max_tokens, "temperature": temperature, "seed": seed}
    conversation = Conversation(options, [{"role": "system", "content": system}] if system else [])
    question = " ".join(prompt or ())
    if not question and sys.stdin.isatty() and not as_json:
        with Client(url) as client:
            converse(client, conversation)
        return
    call = conversation.ask(question or _standard_input())
    if as_json:
        print_json(ask(replace_reading(call), url))
        return
    with Client(url) as client:
        end = say(client, call).end
    if end and end.finish_reason == "length":
        messages().print("It was cut off: raise --max-tokens.", style="yellow")


@dataclass
class Conversation:
    """What was said so far."""

    options: dict[str, Any]
    said: list[calls.Message] = field(default_factory=list)

    def ask(self, question: str) -> Call[Completion]:
        """The call for the next answer."""
        self.said.append({"role": "user", "content": question})
        return calls.complete(self.said, **self.options)

    def answered(self, text: str) -> None:
        """Without a text, the question is taken back."""
        if text:
            self.said.append({"role": "assistant", "content": text})
        else:
            self.said.pop()


@dataclass
class Said:
    """What was answered, and the end, if there was one."""

    text: str = ""
    end: CompletionEnd | None = None


def converse(client: Client, conversation: Conversation) -> None:
    """Ask and answer until the input ends."""
    messages().print("Ctrl+C stops an answer, Ctrl+D ends the conversation.", style="dim")
    while (question := _next_question()) is not None:
        if not question.strip():
            continue
        said = Said()
        try:
            say(client, conversation.ask(question), said)
        except KeyboardInterrupt:
            typer.echo()
        except AiSembleError as error:
            show_error(error)
        conversation.answered(said.text)


def say(client: Client, call: Call[Completion], said: Said | None = None) -> Said:
    """Print the answer piece by piece; `said` has what there was, also when it is broken off."""
    said = said or Said()
    with client.stream(call) as stream:
        for piece in stream:
            said.text += piece
            sys.stdout.write(for_output(piece))
            sys.stdout.flush()
        said.end = stream.end
    sys.stdout.write("\n")
    return said


def _next_question() -> str | None:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401, PLC0415 - gives `input` a history, where there is one
    try:
        return input("> ")
    except (EOFError, KeyboardInterrupt):
        typer.echo()
        return None


def _standard_input() -> str:
    if sys.stdin.isatty():
        raise typer.BadParameter("--json needs a question", param_hint="PROMPT")
    if text := sys.stdin.read().strip():
        return text
    raise typer.BadParameter("there is no question, and standard input is empty", param_hint="PROMPT")
