"""The interactions of a set as a graph that other programs open: GraphML, as networkx writes it.

Refuses to know how the graph is drawn on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from dashboard.server.service import ModelName
from dashboard.shared.comparison import area
from leader_core import Interaction


def graphml(
    codes: Iterable[str],
    pairs: Iterable[Interaction],
    titles: Callable[[str], str],
    scores: Mapping[ModelName, Mapping[str, float]],
) -> bytes:
    """Classes as nodes and pairs as edges, in UTF-8.

    Args:
        codes: ATC codes of the set; one without any pair is a node without an edge.
        pairs: among them, each with the severity that it has for these drugs.
        titles: a class's title.
        scores: model -> code -> probability; a class that a model did not score has none.
    """
    import networkx as nx  # heavy, and needed for this alone

    graph = nx.Graph()
    for code in sorted(set(codes)):
        given = {model: round(of[code], 6) for model, of in scores.items() if code in of}
        graph.add_node(code, title=titles(code), area=area(code), **given)
    for pair in sorted(pairs, key=lambda each: (each.code_a, each.code_b)):
        told = {
            "severity": pair.severity,
            "effect": pair.effect,
            "mechanism": pair.mechanism,
            "management": pair.management,
            "evidence": pair.evidence,
            "source": pair.source,
        }
        graph.add_edge(pair.code_a, pair.code_b, **{key: value for key, value in told.items() if value})
    return "\n".join(nx.generate_graphml(graph, named_key_ids=True)).encode()
