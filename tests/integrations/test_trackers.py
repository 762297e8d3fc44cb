"""TensorBoard, MLflow and Weights & Biases take the numbers as they are."""

import logging
import re
from pathlib import Path

import pytest
import torch

import regularizers as rz
from integrations.logged import numbers

events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
tensorboard = pytest.importorskip("torch.utils.tensorboard")
mlflow = pytest.importorskip("mlflow")
wandb = pytest.importorskip("wandb")


@pytest.fixture(scope="module")
def logged() -> dict[str, float]:
    return numbers()


def test_tensorboard(logged, tmp_path, caplog):
    with caplog.at_level(logging.INFO), tensorboard.SummaryWriter(tmp_path) as writer:
        for key, value in logged.items():
            writer.add_scalar(key, value, 5)
    found = events.EventAccumulator(str(tmp_path)).Reload()
    assert {*found.Tags()["scalars"]} == {*logged}
    for key, value in logged.items():
        (event,) = found.Scalars(key)
        assert (event.step, event.value) == (5, pytest.approx(value, rel=1e-6))
    assert "illegal" not in caplog.text  # what it says of tags that it changes


@pytest.mark.filterwarnings("ignore")  # it warns of what it deprecates itself
def test_mlflow(logged, tmp_path):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    with mlflow.start_run() as run:
        mlflow.log_metrics(logged, step=1)
    assert mlflow.get_run(run.info.run_id).data.metrics == pytest.approx(logged)


@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases(logged, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(mode="offline", dir=tmp_path, project="regularizers") as run:
        run.log(logged)
        assert {key: run.summary[key] for key in logged} == pytest.approx(logged)


PAGE = Path(__file__).parents[2] / "docs" / "integrations" / "loggers.md"


@pytest.mark.filterwarnings("ignore")
def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    """Blocks without a prompt, which the tests of the pages leave out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb.teardown()  # it keeps the folder in which it was first used
    blocks = re.findall(r"```python\n((?!>>>).+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    reg = rz.Regularization(model, [rz.activity(rz.L1(1e-3), where="1")])
    metrics = [rz.monitor.DeadUnits(), rz.monitor.DensityHistogram()]
    monitor = rz.Monitor(model, "1", metrics)
    (model(torch.randn(16, 4)).sum() + reg.penalty()).backward()
    for block in blocks:
        exec(block, {"reg": reg, "monitor": monitor, "step": 1})
    assert {path.name for path in tmp_path.iterdir()} >= {"runs", "wandb", "mlflow.db"}


SCHEDULES = Path(__file__).parents[2] / "docs" / "how-to" / "schedules.md"


@pytest.mark.filterwarnings("ignore")
def test_a_warm_up_with_a_hold_is_logged_as_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(
        r"```python\n(import torch\n.+?)```", SCHEDULES.read_text(encoding="utf-8"), re.DOTALL
    )
    exec(block, {})
    found = events.EventAccumulator("runs").Reload()
    strengths = {e.step: e.value for e in found.Scalars("1/activity/L1/strength")}
    at = {0: 0.0, 50: 5e-4, 100: 1e-3, 450: 1e-3, 500: 1e-3, 750: 5.5e-4}
    assert {step: strengths[step] for step in at} == pytest.approx(at, abs=1e-8)
    assert len(found.Scalars("loss")) == len(found.Scalars("1/activity/L1")) == 20
