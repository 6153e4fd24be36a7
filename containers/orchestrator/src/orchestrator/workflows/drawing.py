"""A workflow, or a run of it, as a picture: SVG, without any program but this. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ai_semble.schemas.runs import StepState
from orchestrator.workflows.graph import Graph, Node

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 176, 46, 64, 22, 16
_LONGEST = 24
_COLOURS = {
    StepState.RUNNING: "#2f81f7",
    StepState.WAITING: "#2f81f7",
    StepState.SUCCEEDED: "#2da44e",
    StepState.FAILED: "#cf222e",
    StepState.CANCELLED: "#9a6700",
    StepState.SKIPPED: "#8c959f",
}
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.kind{font-size:11px;fill:#59636e}"
    ".box{fill:#f6f8fa;stroke:#59636e;stroke-width:1.5}.when{stroke-dasharray:5 3}"
    ".edge{fill:none;stroke:#59636e;stroke-width:1.5}.guard{stroke:#cf222e;stroke-dasharray:5 3}"
    "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.kind{fill:#9198a1}.box{fill:#151b23}}"
)


def draw(graph: Graph, title: str, states: Mapping[str, StepState] | None = None) -> str:
    """Steps from left to right, each behind those that it waits for; a dashed box has a `when`."""
    places = _places(graph)
    width = max(x for x, _ in places.values()) + _WIDTH + _MARGIN
    height = max(y for _, y in places.values()) + _HEIGHT + _MARGIN
    edges = "".join(_edges(node, places) for node in graph)
    boxes = "".join(_box(node, places[node.name], (states or {}).get(node.name)) for node in graph)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"><title>{escape(title)}</title><style>{_STYLE}</style>'
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 8 4 0 8z" fill="#59636e"/></marker></defs>{edges}{boxes}</svg>\n'
    )


def _places(graph: Graph) -> dict[str, tuple[int, int]]:
    return {
        name: (_MARGIN + column * (_WIDTH + _GAP_X), _MARGIN + row * (_HEIGHT + _GAP_Y))
        for column, layer in enumerate(graph.layers())
        for row, name in enumerate(layer)
    }


def _edges(node: Node, places: Mapping[str, tuple[int, int]]) -> str:
    kinds = [(name, "edge guard") for name in sorted(node.guards)]
    kinds += [(name, "edge") for name in sorted(node.needs - node.guards)]
    return "".join(_edge(places[name], places[node.name], kind) for name, kind in kinds)


def _edge(start: tuple[int, int], end: tuple[int, int], kind: str) -> str:
    x1, y1 = start[0] + _WIDTH, start[1] + _HEIGHT // 2
    x2, y2 = end[0], end[1] + _HEIGHT // 2
    bend = _GAP_X // 2
    path = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    return f'<path class="{kind}" d="{path}" marker-end="url(#end)"/>'


def _box(node: Node, place: tuple[int, int], state: StepState | None) -> str:
    x, y = place
    kind = f"{node.kind}, for each" if node.for_each else str(node.kind)
    words = kind if state is None else f"{kind} - {state}"
    colour = f' style="stroke:{_COLOURS[state]};stroke-width:3"' if state in _COLOURS else ""
    name = node.name if len(node.name) <= _LONGEST else node.name[: _LONGEST - 1] + "…"
    return (
        f'<g><title>{escape(node.name)}</title><rect class="box{" when" if node.has_when else ""}" x="{x}" '
        f'y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"{colour}/><text x="{x + 12}" y="{y + 20}">'
        f'{escape(name)}</text><text class="kind" x="{x + 12}" y="{y + 36}">{escape(words)}</text></g>'
    )
