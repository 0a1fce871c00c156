"""CAM++ embeddings (192 numbers from speech of any length) from torch weights to ONNX. Run once at set-up, with torch.

    python -m tasks.pipeline.whisperx.campplus FOLDER OUT.onnx

FOLDER holds `camplusplus.py` (the network) and `campplus.pt` (its weights), both checked by the caller. Inputs and
outputs are named as WeSpeaker names them ("feats" [batch, frames, 80] to "embs" [batch, 192]), so that pyannote.audio
loads it as it is.
Source: Wang et al., CAM++, Interspeech 2023; weights of 3D-Speaker's speech_campplus_sv_zh_en_16k-common_advanced.
"""

import importlib.util
import sys
import warnings
from pathlib import Path

import onnxruntime
import torch

DIMENSION = 192
TOLERANCE = 1e-3


class _Statistics(torch.nn.Module):
    """Mean and standard deviation over time, written so that ONNX can express it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(-1, keepdim=True)
        frames = torch.tensor(x.shape[-1], dtype=x.dtype)
        deviation = ((x - mean).pow(2).sum(-1) / (frames - 1)).sqrt()
        return torch.cat([mean.squeeze(-1), deviation], -1)


class _Flat(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        embeddings: torch.Tensor = self.network(feats)
        return embeddings.reshape(feats.shape[0], DIMENSION)


def export(folder: Path, out: Path) -> None:
    """Write the ONNX file, and raise when it does not compute what the network does."""
    spec = importlib.util.spec_from_file_location("camplusplus", folder / "camplusplus.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} has no camplusplus.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.CAMPPlus(feat_dim=80, embedding_size=DIMENSION, memory_efficient=False)
    network.load_state_dict(torch.load(folder / "campplus.pt", map_location="cpu", weights_only=True))
    # The trained network ends in its batch normalisation; this copy of its source adds a ReLU that was never trained.
    network.xvector.dense.nonlinear = network.xvector.dense.nonlinear[:1]
    original = _Flat(network).eval()
    torch.manual_seed(0)
    heard = [torch.randn(1, frames, 80) for frames in (40, 99, 237, 998)]
    with torch.inference_mode():
        expected = [original(feats).numpy() for feats in heard]
    network.xvector.stats = _Statistics()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of shapes that are constant in this network
        torch.onnx.export(
            original,
            (heard[2],),
            str(out),
            input_names=["feats"],
            output_names=["embs"],
            dynamic_axes={"feats": {0: "B", 1: "T"}, "embs": {0: "B"}},
            opset_version=17,
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    for feats, wanted in zip(heard, expected, strict=True):
        difference = abs(session.run(["embs"], {"feats": feats.numpy()})[0] - wanted).max()
        if difference > TOLERANCE:
            raise ValueError(f"the export differs from the network by {difference:.4f} at {feats.shape[1]} frames")


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
