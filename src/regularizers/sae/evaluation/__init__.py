"""How good an autoencoder is: reconstruction, the truth, the loss of the model, the samples."""

from regularizers.sae.evaluation._contexts import Context
from regularizers.sae.evaluation._evaluate import Evaluation, evaluate
from regularizers.sae.evaluation._recovered import Recovered, cross_entropy_recovered
from regularizers.sae.evaluation._substituted import substituted
from regularizers.sae.evaluation._top_samples import TopSamples, top_samples
from regularizers.sae.evaluation._truth import Truth, compare_with_truth

__all__ = [
    "Context",
    "Evaluation",
    "Recovered",
    "TopSamples",
    "Truth",
    "compare_with_truth",
    "cross_entropy_recovered",
    "evaluate",
    "substituted",
    "top_samples",
]
