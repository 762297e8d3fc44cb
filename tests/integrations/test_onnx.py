"""A file of ONNX holds nothing of what is attached to the model."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import regularizers as rz

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporter's own


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2)).eval()


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "torchscript"])
@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_onnx(delivery, dynamo, tmp_path):
    x = torch.randn(3, 4)
    model, plain = network(), network()
    rules = [rz.activity(rz.L1(1e-3) + rz.L2Squared(1e-3), where="1")]
    if delivery == "collect":
        rules.append(rz.kernel(rz.L2Squared(1e-4)))
    reg = rz.Regularization(model, rules, delivery=delivery)
    graphs = []
    for name, net in (("attached", model), ("plain", plain)):
        path = tmp_path / f"{name}.onnx"
        torch.onnx.export(net, (x,), path, dynamo=dynamo, input_names=["x"], verbose=False)
        graphs.append(onnx.load(path).graph)
    reg.detach()
    assert [node.op_type for node in graphs[0].node] == [node.op_type for node in graphs[1].node]
    assert [node.output for node in graphs[0].node] == [node.output for node in graphs[1].node]
    session = runtime.InferenceSession(tmp_path / "attached.onnx")
    (result,) = session.run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(result), plain(x))


PAGE = Path(__file__).parents[2] / "docs" / "integrations" / "exporting.md"


def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(
        r"```python\n((?!>>>).+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    model = network()
    program = torch.export.export(model, (torch.randn(3, 4),))
    exec(block, {"torch": torch, "model": model, "program": program})
    assert len(list(tmp_path.iterdir())) >= 3
