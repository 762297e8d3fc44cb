"""Runs of the sparse autoencoder, made up: all is fine in them but for what is said."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from regularizers.recipes.sparse_autoencoder import Config

# results are made up, so that the report is tested without a training
from regularizers.recipes.sparse_autoencoder._history import History
from regularizers.recipes.sparse_autoencoder._metrics import Metrics
from regularizers.recipes.sparse_autoencoder._network import Autoencoder
from regularizers.recipes.sparse_autoencoder._result import Result, Trained

UNITS, FEATURES = 30, 9


def metrics(**changed) -> Metrics:
    fine = Metrics(
        coding="relu",
        strength=0.0125,
        mse=0.01,
        explained_variance=0.83,
        mean_activation=0.012,
        active_units=5.1,
        active_in_training=5.0,
        dead_units=0,
        revived=0,
        saturated=0.0,
    )
    return replace(fine, **changed)


def history(**changed) -> History:
    steps = [10, 20, 30, 40]
    happened = History(
        every=10,
        step=steps,
        strength=[1e-20, 1e-3, 1e-2, 1.25e-2],
        active=[15.0, 11.0, 6.0, 5.0],
        error=[0.1, 0.03, 0.02, 0.01],
        dead=[0, 0, 0, 0],
    )
    return replace(happened, **changed)


def result(
    *, of_l1=None, none=None, kl=None, happened=None, data="digits", picture=(3, 3), **settings
) -> Result:
    """Return a run in which all is fine, but for what is said."""
    torch.manual_seed(0)
    x = torch.rand(20, FEATURES)
    figures = {
        "none": metrics(strength=0.0, active_units=12.0, explained_variance=0.9)
        if none is None
        else none,
        "L1": metrics() if of_l1 is None else of_l1,
        "KL": metrics(coding="sigmoid", mean_activation=0.1, saturated=0.01) if kl is None else kl,
    }
    codings = {"none": nn.ReLU(), "L1": nn.ReLU(), "KL": nn.Sigmoid()}
    trained = {
        name: Trained(
            Autoencoder(x.mean(dim=0), UNITS, codings[name]),
            m,
            history() if happened is None else happened,
        )
        for name, m in figures.items()
    }
    config = Config(**{"units": UNITS, "active": 5.0, "epochs": 4} | settings)
    return Result(config, data, 80, x, picture, trained)
