"""Runs of the sparse autoencoder, made up: all is fine in them but for what is said."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from regularizers.recipes.sparse_autoencoder import Config

# results are made up, so that the report is tested without a training
from regularizers.recipes.sparse_autoencoder._data import Data
from regularizers.recipes.sparse_autoencoder._metrics import Metrics
from regularizers.recipes.sparse_autoencoder._networks import build
from regularizers.recipes.sparse_autoencoder._result import Result, Trained
from regularizers.sae import History

UNITS, FEATURES = 30, 9


def metrics(**changed) -> Metrics:
    fine = Metrics(
        coding="jumprelu",
        strength=0.0125,
        mse=0.01,
        explained_variance=0.83,
        active_units=5.1,
        active_in_training=5.0,
        dead_units=0,
        revived=0,
        longest_column=1.0,
        mean_activation=0.0,
        saturated=0.0,
        loss_recovered=0.98,
        unseen_samples=1000,
        worst_sample=3,
        worst_share=0.01,
        explained_without_worst=0.831,
    )
    return replace(fine, **changed)


def of_sigmoid(**changed) -> Metrics:
    return metrics(**{"coding": "sigmoid", "mean_activation": 1 / 6, "saturated": 0.01} | changed)


def history(**changed) -> History:
    happened = History(
        steps=40,
        step=[10, 20, 30, 40],
        loss=[4.0, 2.0, 1.5, 1.0],
        active=[15.0, 11.0, 6.0, 5.0],
        explained=[0.1, 0.5, 0.7, 0.8],
        strength=[1e-20, 1e-3, 1e-2, 1.25e-2],
        idle=[0, 3, 1, 0],
        revived=[0, 0, 2, 3],
    )
    return replace(happened, **changed)


def result(
    *,
    first=None,
    l1=None,
    kl=None,
    happened=None,
    warnings=(),
    data="digits",
    picture=(3, 3),
    columns=None,
    rows=None,
    **settings,
) -> Result:
    """Return a run in which all is fine, but for what is said."""
    torch.manual_seed(0)
    features = FEATURES if picture is None else math.prod(picture)
    x = torch.rand(20, features)
    figures = {
        "jumprelu": metrics() if first is None else first,
        "l1": metrics(coding="relu") if l1 is None else l1,
        "kl": of_sigmoid() if kl is None else kl,
    }
    config = Config(**{"units": UNITS, "active": 5.0, "steps": 40} | settings)
    trained = {
        kind: Trained(
            build(kind, features, config).eval(),
            figures.get(kind, metrics()),
            history() if happened is None else happened,
            list(warnings),
        )
        for kind in config.kinds
    }
    samples = Data(data, "digest", None, 80, x, picture, None, rows, columns)
    return Result(config, samples, trained)
