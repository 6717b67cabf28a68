"""The interactions of a set as GraphML, for other programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dashboard.shared.comparison import area
from dashboard.shared.markup import Title
from leader_core import Interaction
from leader_core.domain import ModelName


def graphml(
    codes: Iterable[str],
    pairs: Iterable[Interaction],
    titles: Title,
    scores: Mapping[ModelName, Mapping[str, float]],
) -> bytes:
    """The interactions of a set as a graph that other programs open: drugs and classes as nodes, pairs as edges, in UTF-8.

    Args:
        codes: ATC codes of drugs and classes; one without any pair is a node without an edge.
        pairs: among them, each with the severity that it has for these drugs.
        titles: their names.
        scores: model -> code -> probability of its class; what a model did not score has none.
    """
    import networkx as nx

    graph = nx.Graph()
    for code in sorted(set(codes)):
        scored = {model: round(of[code], 6) for model, of in scores.items() if code in of}
        graph.add_node(code, title=titles(code), area=area(code), **scored)
    for pair in sorted(pairs, key=lambda each: (each.code_a, each.code_b)):
        attributes = {
            "severity": pair.severity,
            "effect": pair.effect,
            "mechanism": pair.mechanism,
            "management": pair.management,
            "evidence": pair.evidence,
            "source": pair.source,
        }
        graph.add_edge(pair.code_a, pair.code_b, **{key: value for key, value in attributes.items() if value})
    return "\n".join(nx.generate_graphml(graph, named_key_ids=True)).encode()
