"""The pictures of the classifier and of the language model: what is seen, and what it is called."""

import math

import pytest
from matplotlib.figure import Figure

# a recipe's parts are private; each is tested without the training around it
from regularizers.recipes._drawing import drawn, linear_axis, logarithmic_axis, short
from regularizers.recipes.classifier import _picture as of_classifier
from regularizers.recipes.classifier._metrics import Metrics as Accuracies
from regularizers.recipes.classifier._metrics import results_table
from regularizers.recipes.language_model import _picture as of_language_model
from regularizers.recipes.language_model._metrics import Metrics as Perplexity
from regularizers.recipes.language_model._table import results_table as perplexities_table
from regularizers.recipes.language_model._training import Learned

NAME = "$\\alpha_1$ <b>\n文.csv"
METHODS = ("none", "weight decay", "L1 kernels", "dropout")
VARIANTS = ("none", "dropouts", "dropouts + AR", "dropouts + TAR", "all")


@pytest.fixture
def figure_of(monkeypatch, tmp_path):
    """Return a function that draws a picture and returns it, laid out, instead of writing it."""
    written = []

    def laid_out(figure, path, **options):
        figure.draw_without_rendering()
        written.append(figure)

    monkeypatch.setattr(Figure, "savefig", laid_out)

    def drawn_by(draw, results):
        draw(results, NAME, tmp_path / "picture.png")
        return written[-1]

    return drawn_by


def accuracies(of_method, seeds=2):
    """Return figures of all methods from (train, validation, zeros, activation) of each."""
    results = {}
    for i, name in enumerate(METHODS):
        train, validation, zeros, activation = of_method(i)
        one = Accuracies(
            train_accuracy=train,
            validation_accuracy=validation,
            balanced_accuracy=validation,
            majority_accuracy=0.5,
            zeros=zeros,
            mean_activation=activation,
            confusion={},
        )
        results[name] = [one] * seeds
    return results


def learned(of_epoch, epochs=8, seeds=2, names=VARIANTS):
    """Return figures of all variants from (perplexity, norm, change) of each and its epoch."""
    return {
        name: [
            Learned([Perplexity(*of_epoch(i, e)) for e in range(epochs)], 100.0)
            for _ in range(seeds)
        ]
        for i, name in enumerate(names)
    }


def usual(i, e):
    return 300 * math.exp(-0.2 * e) * (1 + 0.05 * i) + 200, 3 + 0.5 * i, 1 + 0.1 * i


def texts(axes):
    return [text.get_text() for text in axes.texts]


def ticks(axes, which):
    """Return the names of the ticks that are within the panel."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axis.get_view_interval())
    names = [
        tick.label1.get_text()
        for tick in axis.get_major_ticks()
        if low - 1e-9 * (high - low) <= tick.get_loc() <= high + 1e-9 * (high - low)
    ]
    return [name for name in names if name]


CLASSIFIERS = {
    "all the same": lambda i: (1.0, 1.0, 0.0, 0.0),
    "worse on what was seen": lambda i: (0.5, 0.52 + 0.01 * i, 0.0, 10.0 ** (i - 4)),
    "almost the same": lambda i: (0.98, 0.97999 - 1e-5 * i, 1e-5 * (i == 2), 1e-3 * (i + 1)),
    "far apart": lambda i: (1.0, 0.1 * (i + 2), 0.9 * (i == 2), 1000.0 * (i == 1) + 0.5 * i),
    "a gap just below 0": lambda i: (0.9, 0.9004, 0.5, 0.3),
}


@pytest.mark.parametrize("case", CLASSIFIERS)
def test_ticks_and_numbers_of_a_classifiers_picture_differ_and_none_is_minus_zero(case, figure_of):
    figure = figure_of(of_classifier.draw, accuracies(CLASSIFIERS[case]))
    assert figure.get_suptitle() == r"$\alpha_1$ <b>\n\u6587.csv"
    assert not figure._suptitle.get_parse_math()
    for axes in figure.axes:
        names = ticks(axes, "x")
        assert names
        assert len(set(names)) == len(names)
        assert axes.xaxis.get_offset_text().get_text() == ""
        for name in names + texts(axes):
            assert name == "0" or float(name.replace("−", "-")) != 0, name
    shown = [float(name.replace("−", "-")) for name in ticks(figure.axes[0], "x")]
    assert min(shown) >= 0
    assert max(shown) <= 100


def test_values_that_span_decades_are_dots_on_a_logarithmic_axis(figure_of):
    figure = figure_of(of_classifier.draw, accuracies(CLASSIFIERS["worse on what was seen"]))
    *_, activation = figure.axes
    assert activation.get_xscale() == "log"
    assert activation.get_xlabel() == "mean activation, logarithmic"
    assert texts(activation) == ["0.0001", "0.001", "0.01", "0.1"]
    figure = figure_of(of_classifier.draw, accuracies(CLASSIFIERS["almost the same"]))
    assert figure.axes[-1].get_xscale() == "linear"


def test_accuracies_that_are_near_look_near(figure_of):
    figure = figure_of(of_classifier.draw, accuracies(CLASSIFIERS["almost the same"]))
    low, high = figure.axes[0].get_xlim()
    assert high - low >= 1


def test_a_table_of_methods_claims_no_difference_that_it_shows_as_zero():
    table = results_table(accuracies(lambda i: (0.9, 0.9 + 1e-6 * i, 0.0, 0.00123)))
    assert "Narrower gap than none: no method." in table
    assert "Best on validation samples: none; no method is above it." in table
    assert "-0.0" not in table
    assert "0.00123 ± 0.00000" in table
    # a network that is better on what it has not seen has no gap to narrow
    table = results_table(accuracies(lambda i: (0.5, 0.52 + 0.01 * i, 0.0, 0.1)))
    assert "Narrower gap than none: no method." in table


LANGUAGE_MODELS = {
    "usual": (learned(usual), []),
    "one epoch": (learned(usual, epochs=1, seeds=1), []),
    "all the same": (learned(lambda i, e: (292.13, 0.0, 0.0)), []),
    "one far above": (
        learned(lambda i, e: (usual(i, e)[0] * 50 ** (i == 0), *usual(i, e)[1:])),
        [],
    ),
    "one diverged": (
        learned(lambda i, e: (1e30 if i == 1 and e > 4 else usual(i, e)[0], *usual(i, e)[1:])),
        ["dropouts: ends at a perplexity of 1e30, which is not drawn"],
    ),
    "one without bounds": (
        learned(lambda i, e: (math.inf if i == 2 and e > 4 else usual(i, e)[0], *usual(i, e)[1:])),
        ["dropouts + AR: ends at a perplexity of inf, which is not drawn"],
    ),
    "one is no number": (
        learned(lambda i, e: (math.nan,) * 3 if i == 4 else usual(i, e)),
        ["all: ends at a perplexity of nan, which is not drawn"],
    ),
    "other variants": (learned(usual, names=("none", "ar 1", "ar 2", "ar 4", "x", "y", "z")), []),
}


@pytest.mark.parametrize("case", LANGUAGE_MODELS)
def test_every_curve_is_in_every_panel_or_is_named(case, figure_of):
    results, said = LANGUAGE_MODELS[case]
    figure = figure_of(of_language_model.draw, results)
    assert figure.get_suptitle() == r"$\alpha_1$ <b>\n\u6587.csv"
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert [name.partition(":")[0] for name in names] == list(results)
    assert [name for name in names if ":" in name] == said
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert len(axes.lines) == len(results)
        for line, name in zip(axes.lines, names, strict=True):
            end = line.get_ydata()[-1]
            assert low <= end <= high or ":" in name, (name, end)
        for which in "xy":
            found = ticks(axes, which)
            assert found
            assert len(set(found)) == len(found), found
        assert set(ticks(axes, "x")) <= {str(epoch) for epoch in range(1, 9)}


def test_a_panel_says_where_it_cuts_off_beginnings(figure_of):
    title = figure_of(of_language_model.draw, learned(usual)).axes[0].get_title()
    top = usual(4, 2)[0] * 1.05
    assert title == f"Validation perplexity, logarithmic, cut off above {short(top)}"
    flat = figure_of(of_language_model.draw, learned(lambda i, e: (292.13, 1.0, 1.0)))
    assert flat.axes[0].get_title() == "Validation perplexity, logarithmic"


def test_a_table_of_variants_holds_what_diverged():
    diverged = learned(lambda i, e: (math.inf if i == 4 else usual(i, e)[0], *usual(i, e)[1:]))
    table = perplexities_table(diverged)
    assert "AR and TAR together, all else equal: not compared, as some diverged." in table
    assert "-0.0 %" not in perplexities_table(learned(lambda i, e: (292.0 - 1e-9 * i, 1.0, 1.0)))


@pytest.mark.parametrize("high", [1.001, 1.5, 9.0, 40.0, 1e4, 1e12])
@pytest.mark.parametrize("which", ["x", "y"])
def test_ticks_of_axes_are_named_apart(high, which):
    for axis in (linear_axis, logarithmic_axis):
        figure = Figure()
        axes = figure.subplots()
        axis(axes, which, 1.0, high)
        figure.draw_without_rendering()
        names = ticks(axes, which)
        assert 2 <= len(names) <= 14
        assert len(set(names)) == len(names)


def test_a_name_is_drawn_as_it_is_and_no_longer_than_a_line():
    assert drawn("été.csv") == "été.csv"
    assert drawn("\x1b[31m\u202e") == r"\x1b[31m\u202e"
    assert len(drawn("x" * 500)) <= 111
