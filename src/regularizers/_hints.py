"""What to use for a name that other libraries have and this one has not."""

from __future__ import annotations

from collections.abc import Iterable

_L2 = (
    "half the field means the norm by it and half its square: use L2Norm (the root of the sum of "
    "squares) or L2Squared (the sum of squares; Keras calls it L2)"
)

_HINTS = {
    # penalties
    "l1 lasso l1norm l1penalty l1regularizer l1regularization": (
        "use L1(strength); for zeros in weights kernel(L1(strength), proximal=True)"
    ),
    "l2 l2penalty l2regularizer l2regularization": _L2,
    "ridge tikhonov": "use kernel(L2Squared(strength)), which has no ½",
    "elasticnet l1l2regularizer": "use L1L2(l1, l2), which is L1(l1) + L2Squared(l2) with no ½",
    "weightdecay": (
        "kernel(L2Squared(λ / 2)) is the weight_decay=λ of SGD and Adam, on kernels; AdamW "
        "decouples its own from the gradient, and weight_decay_groups(model) says which parameters "
        "it is for"
    ),
    "l2sp startingpoint": 'use kernel(L2Squared(α / 2), towards="initial")',
    "ewc elasticweightconsolidation": (
        "use kernel(L2Squared(λ / 2), towards=model.state_dict(), importance=fisher) with the "
        "fisher of diagonal_fisher(model, batches, loss)"
    ),
    "fisher fisherinformation empiricalfisher": "use diagonal_fisher(model, batches, loss)",
    "l0 l0norm": (
        "L0(strength) counts the open gates of a JumpReLU; other counts have no gradient: "
        "use activity(L1(TargetActive(n)), where) for n active units, or "
        "kernel(L1(strength), proximal=True) for zeros in weights"
    ),
    "lpnorm": "use Lp(strength, p), which takes no root",
    "smoothl1 pseudohuber": "use Huber(strength, delta)",
    "grouplassopenalty groupl1 groupl2 l21 l21norm": "use GroupLasso(strength, axis)",
    "kl kldivergence klpenalty sparsity": "use KLSparsity(strength, target)",
    "orthogonalregularizer orthogonality": "use Orthogonal(strength, axis)",
    "tv tvloss": "use TotalVariation(strength, axes)",
    "logpenalty reweightedl1": "use LogSum(strength, epsilon)",
    "graphlaplacian graphregularizer": "use Laplacian(strength, graph, axis)",
    "hoyersquare hoyersquared deephoyer": "use Hoyer(strength)",
    "entropyregularizer negativeentropy maximumentropy": (
        "use Entropy(strength) for confident predictions, ConfidencePenalty(strength) for uncertain"
    ),
    "decov covariance decorrelate": "use Decorrelation(strength)",
    "spectralregularizer spectralpenalty": "use kernel(Spectral(strength))",
    "jacobian jacobianpenalty jacobianregularizer": (
        "use functional.jacobian_penalty(inputs, outputs), a term of the loss"
    ),
    "regularizer": "the base of all penalties is Penalty",
    "activityregularizer kernelregularizer biasregularizer": (
        "write it as an option, regularize(module, activity_regularizer=...), or as a rule: "
        "activity(...), kernel(...) or bias(...)"
    ),
    # strengths
    "targetl0 targetsparsity targetdensity": "use TargetActive(n), of n units of a sample",
    "warmup linearschedule linearlr": "use LinearWarmup(strength, steps)",
    "cosineannealing cosineannealinglr cosinedecay cosineschedule": "use Cosine",
    "steplr multisteplr stepschedule piecewiseconstant": "use Piecewise",
    # constraints
    "nonneg": "use constraint(NonNegative())",
    "weightclipping clipweights": "use constraint(Bounds(low, high))",
    "kernelconstraint biasconstraint": (
        "write it as an option, regularize(module, kernel_constraint=...), or as a rule: "
        "constraint(...)"
    ),
    "weightnorm": "use torch.nn.utils.parametrizations.weight_norm",
    "spectralnorm": "use torch.nn.utils.parametrizations.spectral_norm",
    # noise
    "dropout": "use torch.nn.Dropout for models, or functional.dropout on arrays",
    "dropout1d spatialdropout1d": "use torch.nn.Dropout1d",
    "dropout2d spatialdropout spatialdropout2d": "use torch.nn.Dropout2d",
    "dropout3d spatialdropout3d": "use torch.nn.Dropout3d",
    "alphadropout featurealphadropout": "use that of torch.nn",
    "stochasticdepth droppath": "use layers.DropPath",
    "dropblock dropblock2d": "use layers.DropBlock2d",
    "dropblock3d": "use torchvision.ops.DropBlock3d",
    "jumprelu": "use layers.JumpReLU, or sae.SparseAutoencoder for all of it",
    "stepgate": "use layers.StepGate",
    "topk": "use layers.TopK",
    "batchtopk": "use layers.BatchTopK",
    "gated": "use layers.Gated",
    "gatebias": "use layers.GateBias",
    "sparseautoencoder autoencoder": "use sae.SparseAutoencoder",
    "transcoder": "use sae.Transcoder",
    "crosscoder": "use sae.Crosscoder",
    "gaussiandropout": "use layers.GaussianDropout",
    "gaussiannoise": "use layers.GaussianNoise",
    "shareddropout": "use layers.SharedDropout",
    "shakedrop": "use layers.ShakeDrop",
    "dropconnect weightdrop weightdropout": "use layers.WeightDrop",
    "variationaldropout lockeddropout": "use layers.LockedDropout",
    "embeddingdropout": "use layers.EmbeddingDropout",
    "mcdropout montecarlodropout": "use layers.monte_carlo_dropout",
    "activitypenalty": "use layers.ActivityPenalty",
    "labelsmoothing": "use torch.nn.CrossEntropyLoss(label_smoothing=...)",
    "mixup cutmix": (
        "use functional.mixup or functional.cutmix; for pictures in a data loader "
        "torchvision.transforms.v2"
    ),
    "weightstandardization stdconv2d scaledstdconv2d wsconv2d": (
        "use layers.WeightStandardization by layers.weight_standardization(module)"
    ),
    # normalization
    "batchnorm batchnormalization": (
        "use torch.nn.BatchNorm1d, BatchNorm2d or BatchNorm3d for models, or functional.batch_norm "
        "on arrays"
    ),
    "batchnorm1d batchnorm2d batchnorm3d": "use that of torch.nn",
    "layernorm layernormalization": "use torch.nn.LayerNorm",
    "groupnorm groupnormalization": "use torch.nn.GroupNorm",
    "instancenorm": "use torch.nn.InstanceNorm1d, InstanceNorm2d or InstanceNorm3d",
    "rmsnorm": "use torch.nn.RMSNorm",
    # metrics
    **{
        name.lower(): f"use monitor.{name}"
        for name in (
            *("ActiveUnits", "DeadUnits", "DensityHistogram", "ExplainedVariance"),
            *("FractionOfVarianceUnexplained", "HoyerSparsity", "MeanActivation", "Metric"),
            *("Norm", "PairMetric", "Saturation", "CosineSimilarity", "NormRatio"),
            *("RelativeBias", "Firing", "Recovery", "StableRank"),
        )
    },
    "deadneurons": "metrics are in monitor: DeadUnits",
}
"""Names in small letters and without underscores, and what to say of them."""


def said_of(name: str, public: Iterable[str]) -> str:
    """Return the message of an AttributeError for a name that is none of the `public` ones."""
    plain = _plain(name)
    for names, hint in _HINTS.items():
        if plain in names.split():
            return f"regularizers has no {name}: {hint}"
    unknown = f"module 'regularizers' has no attribute {name!r}"
    alike = [one for one in public if _plain(one) == plain]
    return f"{unknown}; did you mean {' or '.join(alike)}?" if alike else unknown


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
