"""The report: what it says, shows and escapes, part by part."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest
import torch
from jinja2 import UndefinedError

from recipes.results import UNITS, history, metrics, of_sigmoid, result
from regularizers.errors import DataError
from regularizers.recipes.sparse_autoencoder import Config

# a recipe's parts are private; each is tested without the training around it
from regularizers.recipes.sparse_autoencoder._checks import check_varied
from regularizers.recipes.sparse_autoencoder._judgement import dead, needed, outlier_of
from regularizers.recipes.sparse_autoencoder._outlier import far_from_all, largest_error
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder._table import metrics_table
from regularizers.recipes.sparse_autoencoder.report import page
from regularizers.recipes.sparse_autoencoder.report._advice import advice_for
from regularizers.recipes.sparse_autoencoder.report._densities import counts
from regularizers.recipes.sparse_autoencoder.report._png import color, ink, signed
from regularizers.recipes.sparse_autoencoder.report._scales import linear, logarithmic, named
from regularizers.recipes.sparse_autoencoder.report._templates import render
from regularizers.recipes.sparse_autoencoder.report._units import neighbours, strongest, use_of


class Reader(HTMLParser):
    """Reads a page as a browser would: its text, and every element with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            found
            for name, found in self.elements
            if name == tag
            and all(found.get(key.rstrip("_")) == value for key, value in attributes.items())
        ]


# the page


def test_it_says_what_the_run_was_and_came_to():
    text = Reader(page(result())).text
    for said in (
        "5.1 of 30 units explain 83.0% of the variance",
        "with JumpReLU, and for comparison with L1 and with KL, on 80 samples of 9 pixels (3 × 3)",
        "in 40 steps",
        "20 samples it has not seen",
        "5 asked for",
        "--batch-size",
        "0.0125",
    ):
        assert said in text


def test_every_element_is_closed_and_headings_go_down_by_one():
    reader = Reader(page(result()))
    assert reader.open == []
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_it_asks_for_nothing_else():
    text = page(result())
    assert not re.search(r"https?:|<script|@import|url\(", text)
    reader = Reader(text)
    sources = [e["src"] for e in reader.all("img")] + [e["href"] for e in reader.all("link")]
    assert len(sources) > 3 * UNITS
    assert all(source.startswith("data:") for source in sources)


def test_a_name_that_is_markup_is_shown_as_it_is():
    text = page(result(data='<b onclick="x">&.npy'))
    assert "<b " not in text
    assert '<b onclick="x">&.npy' in Reader(text).text


def test_names_of_columns_are_text_with_their_controls_written_out():
    names = (
        "<img src=x onerror=alert(1)>",
        "a\nb",
        "\x1b[31m",
        "{{ 7 * 7 }}",
        "\u202eabc",
        *"defg",
    )
    text = page(result(picture=None, columns=names, beside=()))
    assert "<img src=x" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", text)
    shown = Reader(text).text
    for name in (names[0], r"a\nb", r"\x1b[31m", "{{ 7 * 7 }}", r"\u202eabc"):
        assert f"+{name}" in shown or f"−{name}" in shown
    assert "49" not in {word.strip("+−") for word in shown.split()}


def test_a_part_that_a_template_lacks_is_an_error():
    with pytest.raises(UndefinedError, match="'figures' is undefined"):
        render("figures.html")


def test_the_columns_that_a_direction_moves_most_are_named_with_their_signs():
    direction = torch.tensor([0.1, -0.9, 0.4, 0.0, 0.2])
    assert strongest(direction, ["a", "b", "c", "d", "e"]) == ["−b", "+c", "+e"]
    long = [f"a long name that is told apart in the middle, {i}, only" for i in range(3)]
    one, other = strongest(torch.tensor([0.0, 1.0, -0.5]), long)
    assert re.fullmatch(r"\+a long name .*….*only \(2\)", one)
    assert re.fullmatch(r"−a long name .*….*only \(3\)", other)
    assert len(one) < len(long[1])
    # a tenth of the strongest is not worth a name
    assert strongest(torch.tensor([1.0, 0.09]), ["a", "b"]) == ["+a"]


def test_samples_of_a_table_go_by_their_number_in_the_data():
    run = result(picture=None, beside=(), rows=tuple(range(500, 520)))
    numbers = re.findall(r"rows ([\d, ]+)", Reader(page(run)).text)
    assert numbers
    assert all(500 <= int(number) < 520 for one in numbers for number in one.split(", "))
    # without numbers they follow those of the training
    numbers = re.findall(r"rows ([\d, ]+)", Reader(page(result(picture=None, beside=()))).text)
    assert all(81 <= int(number) <= 100 for one in numbers for number in one.split(", "))


def test_pictures_in_colour_are_drawn_in_colour_and_their_directions_by_sign():
    run = result(picture=(3, 2, 4), beside=())
    reader = Reader(page(run))
    assert "of 24 values (2 × 4 pixels of three colours)" in reader.text
    first = next(image for image in reader.all("img") if image["alt"] == "sample 1")
    expected = run.data.validation[0].reshape(3, 2, 4).permute(1, 2, 0).numpy()
    assert decoded(first["src"])[..., :3] == pytest.approx(expected, abs=0.01)
    # the dark page would invert ink
    assert "class" not in first
    direction = next(image for image in reader.all("img") if "direction" in image["alt"])
    assert decoded(direction["src"]).shape == (2, 4, 4)


def test_what_cannot_be_seen_is_said():
    reader = Reader(page(result()))
    assert all(image["alt"] for image in reader.all("img"))
    assert all(chart["aria-label"] for chart in reader.all("svg", role="img"))
    assert len(reader.all("svg")) == len(reader.all("svg", role="img")) == 6
    assert "With JumpReLU, from 15.0 to 5.0 active units; the target is 5." in page(result())


def test_the_target_is_a_line():
    assert "target 5</text>" in page(result())


def test_an_architecture_alone_has_no_others():
    text = page(result(beside=(), architecture="topk", happened=history(strength=[0.0] * 4)))
    assert "with TopK on 80" in Reader(text).text
    assert "The units of the others" not in text
    assert "Strength λ" not in text
    assert len(Reader(text).all("svg")) == 4


def test_a_table_is_drawn_in_strips_and_few_units_do_not_unfold():
    text = page(result(picture=None, units=8))
    assert "of 9 columns" in text
    assert len(Reader(text).all("dl", class_="rows strips")) == 6
    assert Reader(page(result())).text.count("The other 6") == 3


# pictures


def decoded(address: str) -> np.ndarray:
    kind, content = address.split(",")
    assert kind == "data:image/png;base64"
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(content)), format="png")


def test_ink_is_black_and_as_opaque_as_the_value():
    picture = decoded(ink(np.array([[0.0, 0.25, 1.0], [0.5, -3.0, 9.0]])))
    assert picture[..., :3].max() == 0
    assert picture[..., 3] == pytest.approx(np.array([[0, 0.25, 1], [0.5, 0, 1]]), abs=0.01)


def test_colours_are_red_green_and_blue():
    picture = np.array([[[1.0, 0.5, 0.0], [0.0, 2.0, -1.0]]])
    assert decoded(color(picture)) == pytest.approx(np.clip(picture, 0, 1), abs=0.003)


def test_signed_values_are_red_above_0_blue_below_and_nothing_at_0():
    picture = decoded(signed(np.array([[-2.0, 0.0, 1.0, 2.0]])))
    red, _, blue, opacity = np.moveaxis(picture[0], -1, 0)
    assert opacity == pytest.approx([1, 0, 0.5, 1], abs=0.02)
    assert blue[0] > red[0]
    assert red[2] > blue[2]
    assert red[3] > blue[3]
    assert decoded(signed(np.zeros((2, 3))))[..., 3].max() == 0


def test_features_are_ordered_by_use_and_say_it():
    run = result(architecture="l1", beside=())
    network = run.trained["l1"].network
    with torch.no_grad():
        network.encoder.weight.zero_()
        network.encoder.bias.fill_(-1)
        network.encoder.bias[4] = 1
        network.encoder.weight[7, 0] = 2
        network.encoder.bias[7] = -2 * run.data.validation[:, 0].sort().values[4]
    shares = use_of(run.trained["l1"], run.data.validation)
    assert shares[[4, 7, 0]].tolist() == [1, 0.75, 0]
    alts = [image["alt"] for image in Reader(page(run)).all("img") if "direction" in image["alt"]]
    assert alts[:3] == ["direction of unit 5, used 100%", "direction of unit 8, used 75%", alts[2]]
    assert "dead" in alts[2]


def test_neighbours_are_the_nearest_directions_without_the_unit_itself():
    decoder = torch.tensor([[2.0, 0.0, 3.0, -4.0], [0.0, 1.0, 4.0, -3.0]])
    units, cosines = neighbours(decoder, 2)
    assert units.tolist() == [[2, 1], [2, 0], [1, 0], [1, 0]]
    torch.testing.assert_close(
        cosines, torch.tensor([[0.6, 0.0], [0.8, 0.0], [0.8, 0.6], [-0.6, -0.8]])
    )
    assert neighbours(decoder[:, :2], 5)[0].tolist() == [[1], [0]]


def test_units_are_counted_by_how_often_they_are_used():
    use = torch.tensor([0.0, 0.0, 0.005, 0.01, 0.015, 0.3, 1.0])
    assert counts(use) == [2, 2, 1, 0, 0, 0, 1, 1]


# axes


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0, (0, 0.25, 0.5, 0.75, 1)),
        (4, (0, 1, 2, 3, 4)),
        (10, (0, 2.5, 5, 7.5, 10)),
        (99.6, (0, 25, 50, 75, 100)),
        (4500, (0, 2000, 4000, 6000)),
        (0.031, (0, 0.01, 0.02, 0.03, 0.04)),
    ],
)
def test_a_linear_axis_begins_at_0_and_has_few_round_ticks(largest, ticks):
    scale = linear(largest)
    assert scale.ticks == pytest.approx(ticks)
    assert scale(0) == 0
    assert scale(ticks[-1]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([1e-4, 1e-1], (1e-4, 1e-3, 1e-2, 1e-1)),
        ([3e-3, 2e-2], (2e-3, 5e-3, 1e-2, 2e-2)),
        ([5e-3, 5e-3], (2e-3, 5e-3, 1e-2)),
        ([0.0, 1e-9, 1e-1], (1e-9, 1e-7, 1e-5, 1e-3, 1e-1)),
        ([], (0.5, 1, 2)),
    ],
)
def test_a_logarithmic_axis_contains_all_that_is_above_0(values, ticks):
    scale = logarithmic(values)
    assert scale.ticks == pytest.approx(ticks)
    assert scale(ticks[0]) == 0
    assert scale((ticks[0] * ticks[-1]) ** 0.5) == pytest.approx(0.5)


def test_ticks_are_named_in_few_characters():
    values = (0, 2500, 0.25, 0.0005, 1e-7, 2e6)
    assert [named(value) for value in values] == ["0", "2500", "0.25", "0.0005", "1e-7", "2e6"]


# advice


def advised(run: Result) -> list[str]:
    return [f"{one.level}: {one.finding} {one.cure}".strip() for one in advice_for(run)]


def test_where_all_is_fine_it_says_so():
    assert all(said.startswith("fine: ") for said in advised(result()))
    assert len(advised(result())) == 6


ADVICE = {
    "missed on unseen samples": (
        result(first=metrics(active_units=5.6)),
        "note: JumpReLU was to leave 5 units active. On unseen samples 5.6 are, 12% more; on "
        "training samples 5.0. The strength is right, .* fewer --steps or --units",
    ),
    "missed in training": (
        result(first=metrics(active_units=8.0, active_in_training=7.5)),
        "mend: .* 60% more; on training samples 7.5. The training ended .* more --steps",
    ),
    "what the control said": (
        result(warnings=["coding.gate/activity/L0: the rate is too high. Anneal it"]),
        "note: While the strength of JumpReLU was sought: the rate is too high. Anneal it. In the "
        "end the target was met all the same.",
    ),
    "what the control said of what was never reached": (
        result(
            warnings=["coding.gate/activity/L0: no more is reached"],
            first=metrics(active_in_training=2.0),
        ),
        "mend: While the strength of JumpReLU was sought: no more is reached.",
    ),
    "few dead": (result(first=metrics(dead_units=1)), "note: With JumpReLU 1 of 30 units is dead"),
    "many dead": (
        result(first=metrics(dead_units=6)),
        "mend: With JumpReLU 6 of 30 units are dead: .* --units 24 would do",
    ),
    "many dead, little explained": (
        result(first=metrics(dead_units=6, explained_variance=0.4)),
        "mend: With JumpReLU 6 of 30 units are dead: .* How many the data need, this run does not",
    ),
    "many dead, and a missed target": (
        result(first=metrics(dead_units=6, active_in_training=9.0)),
        "mend: With JumpReLU 6 of 30 units are dead: .* How many the data need, this run does not",
    ),
    "dead, as far as few samples say": (
        result(first=metrics(dead_units=6, unseen_samples=178)),
        "note: With JumpReLU 6 of 30 units are active on no unseen sample. 178 samples are too few "
        "to call them dead: a unit that is active a tenth as often as the mean one would need 179.",
    ),
    "half dead, and the rest explain little": (
        result(first=metrics(dead_units=25, explained_variance=0.3)),
        "mend: The training of JumpReLU collapsed: 25 of 30 units are dead, and 30.0% of the "
        "variance is explained. Fewer units would not mend it. Lower --learning-rate, or give",
    ),
    "half dead, and the rest always active": (
        result(first=metrics(dead_units=25, active_units=5.0, explained_variance=0.9)),
        "mend: The training of JumpReLU collapsed: 25 of 30 units are dead",
    ),
    "half dead, and the data need no more": (
        result(first=metrics(dead_units=15, active_units=5.0, explained_variance=0.9)),
        "mend: With JumpReLU 15 of 30 units are dead: .* --units 15 would do as well",
    ),
    "none active": (
        result(
            first=metrics(active_units=0.0, dead_units=30, explained_variance=-0.0001),
            revive=False,
        ),
        "mend: The training of JumpReLU collapsed: no unit is active, and the mean sample is as "
        "good a reconstruction. .* let units start anew by --revive,",
    ),
    "an outlier": (
        result(
            first=metrics(
                worst_sample=417,
                worst_share=0.9,
                explained_without_worst=0.7,
                explained_variance=0.2,
            )
        ),
        "mend: Sample 417 alone carries 90.0% of the squared error: without it the explained "
        "variance is 70.0%, not 20.0%. Look at it",
    ),
    "L1 collapsed": (
        result(l1=metrics(coding="relu", active_units=0.0, explained_variance=0.0)),
        "note: The training of L1 collapsed: 0.0 of its units are active, and explain 0.0%. It "
        "says nothing about JumpReLU",
    ),
    "L1 with other units": (
        result(l1=metrics(coding="relu", active_units=2.0, active_in_training=2.0)),
        "note: JumpReLU and L1 do not compare: with L1 2.0 units are active, where it was to leave "
        "5, with JumpReLU 5.1.",
    ),
    "KL explains nothing": (
        result(kl=of_sigmoid(explained_variance=-0.2)),
        "note: With KL the mean sample is as good a reconstruction",
    ),
    "many dead, left alone": (
        result(first=metrics(dead_units=6), revive=False),
        "mend: With JumpReLU 6 of 30 .* --revive",
    ),
    "revived": (
        result(first=metrics(revived=3)),
        "fine: Each of the 30 units .* started anew 3 times",
    ),
    "long directions": (
        result(first=metrics(longest_column=2.8)),
        "mend: A direction of the dictionary has norm 2.8, where 1 is held",
    ),
    "little recovered": (
        result(first=metrics(loss_recovered=0.7)),
        "note: A linear classifier that reads reconstructions keeps 70.0%",
    ),
    "behind L1": (
        result(l1=metrics(coding="relu", explained_variance=0.86)),
        "note: JumpReLU explains 3.0 points less than L1 with 5.1 active units",
    ),
    "ahead of L1": (
        result(l1=metrics(coding="relu", explained_variance=0.8)),
        "fine: JumpReLU explains 3.0 points more than L1",
    ),
    "saturated": (
        result(kl=of_sigmoid(saturated=0.3)),
        "note: 30.0% of the sigmoid's activations .* lower --kl, or raise --target above 0.16",
    ),
    "mostly saturated": (result(kl=of_sigmoid(saturated=0.7)), "mend: 70.0% of the sigmoid's"),
    "mean off": (
        result(kl=of_sigmoid(mean_activation=0.12), target=0.1),
        "note: KL was to bring the mean activation to 0.1. It is 0.12, 20% more. Raise --kl",
    ),
}


@pytest.mark.parametrize("case", ADVICE)
def test_what_stands_out_is_said_with_what_to_do(case):
    run, said = ADVICE[case]
    found = advised(run)
    assert sum(bool(re.match(said, one)) for one in found) == 1, found
    levels = [one.partition(":")[0] for one in found]
    assert levels == sorted(levels, key=["mend", "note", "fine"].index)


@pytest.mark.parametrize("case", [case for case in ADVICE if "dead" in case or "active" in case])
def test_fewer_units_are_advised_only_where_they_would_do(case):
    run, said = ADVICE[case]
    assert ("would do as well" in " ".join(advised(run))) == ("would do" in said)


# what figures allow to be said


def test_a_unit_is_called_dead_from_so_many_samples_on():
    for units, active in ((100, 10), (30, 5), (1000, 10), (2, 1)):
        rare = active / units / 10
        enough = needed(Config(units=units, active=active))
        assert (1 - rare) ** enough <= 0.05 < (1 - rare) ** (enough - 1)
    config = result().config
    assert dead(metrics(dead_units=4, unseen_samples=179), config) == "4"
    assert dead(metrics(dead_units=4, unseen_samples=178), config) == ""
    # where each is active, none is dead
    assert dead(metrics(dead_units=0, unseen_samples=9), config) == "0"


def test_dead_units_are_not_counted_where_samples_are_few():
    run = result(first=metrics(dead_units=7, unseen_samples=100), beside=())
    shown = Reader(page(run)).text
    assert "too few samples to tell" in shown
    assert ": dead" not in shown
    table = metrics_table(run.metrics, run.config)
    assert "Dead units are not counted: 100 validation samples are too few" in table
    assert "which takes 179" in table
    assert "  7  " not in table


def test_a_strength_counts_as_found_only_where_its_target_was_met():
    met = result(first=metrics(loss_recovered=None), beside=())
    missed = result(first=metrics(loss_recovered=None, active_in_training=4.7), beside=())
    assert "0.0125found" in Reader(page(met)).text.replace(" ", "").replace("\n", "")
    assert "at the end, its target not met" in Reader(page(missed)).text
    assert "and found its strength" in metrics_table(met.metrics, met.config)
    assert "found" not in metrics_table(missed.metrics, missed.config)


def test_a_heading_tells_a_collapse_from_a_result():
    collapse = result(first=metrics(dead_units=28, active_units=2.0, explained_variance=0.4))
    assert "40.0% of the variance: the training collapsed" in Reader(page(collapse)).text
    nothing = result(first=metrics(explained_variance=-3.0))
    assert "explain nothing: the mean sample is as good" in Reader(page(nothing)).text
    assert "collapsed" in metrics_table(nothing.metrics, nothing.config)


def test_one_sample_among_many_or_few_is_an_outlier_by_its_share():
    assert outlier_of(metrics(worst_share=0.25, unseen_samples=100))
    assert not outlier_of(metrics(worst_share=0.249, unseen_samples=100))
    assert not outlier_of(metrics(worst_share=0.4, unseen_samples=20))
    assert outlier_of(metrics(worst_share=0.5, unseen_samples=20))


def test_a_training_sample_that_makes_most_of_the_variance_is_named():
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    rows = np.arange(200)[::-1]
    assert far_from_all(x, rows) == ()
    x[3] *= 1000
    variances = (x - x.mean(0)).square().sum(1)
    share = (variances[3] / variances.sum()).item()
    (said,) = far_from_all(x, rows)
    assert said.startswith(f"sample 197 alone makes {share:.1%} of the variance of the training")
    run = result()
    said_of = advised(replace(run, data=replace(run.data, notes=(said,))))
    assert f"note: S{said[1:]}." in said_of


@torch.no_grad()
def test_the_sample_that_carries_the_error_is_found_with_what_the_others_explain():
    run = result(beside=())
    x, network = run.data.validation.clone(), run.first.network
    x[7] *= 1000
    found = largest_error(network, x)
    errors = (network(x) - x).double().square().sum(1)
    others = torch.cat([x[:7], x[8:]]).double()
    left = (errors.sum() - errors[7]) / (others - others.mean(0)).square().sum()
    assert found.index == 7
    assert found.share == pytest.approx((errors[7] / errors.sum()).item())
    assert found.explained_without == pytest.approx(1 - left.item())
    assert largest_error(network, torch.full((7, 9), 0.1)).explained_without is None


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (
            "training",
            "x.npy: expected samples that differ, got 80 training samples .* all the same",
        ),
        ("validation", "expected validation samples that differ, got 20 .* --validation"),
    ],
)
def test_data_that_does_not_vary_is_refused(which, message):
    data = replace(result(data="x.npy").data, training=torch.rand(80, 9))
    check_varied(data)
    alike = torch.rand(1, 9).repeat(len(getattr(data, which)), 1)
    with pytest.raises(DataError, match=message) as error:
        check_varied(replace(data, name="x.npy", **{which: alike}))
    assert "\n" not in str(error.value)
