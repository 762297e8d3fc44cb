"""The report in a real browser: on a desk, on a phone, in the dark, with nothing but itself."""

import io

import matplotlib.image
import numpy as np
import pytest

from recipes.browser import Browser, browser, chromium
from recipes.results import history, metrics, result
from regularizers.__main__ import main
from regularizers.recipes.sparse_autoencoder.report import page as page_of

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs a browser: chromium of Debian, which .ci/run installs"
)

DESK, PHONE, NARROW = 1200, 390, 320


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """The address of the report of a small run, whose data file has a name in need of care."""
    folder = tmp_path_factory.mktemp("report")
    x = np.random.default_rng(0).random((80, 8, 8)) ** 3
    np.save(folder / "<b>.npy", x)
    run = ["sparse-autoencoder", "--data", str(folder / "<b>.npy"), "--runs", str(folder / "runs")]
    assert main([*run, "--units", "40", "--active", "4", "--steps", "20"]) == 0
    (report,) = (folder / "runs").glob("*/report.html")
    return report.as_uri()


@pytest.fixture(scope="module")
def troubled(tmp_path_factory) -> str:
    """The address of the report of a table, in a run in which much went wrong."""
    run = result(
        data="a-file-with-a-very-long-name-that-nobody-would-want-to-type-again.csv.gz",
        picture=None,
        first=metrics(
            strength=1.234e-7,
            mse=12345.678,
            active_units=29.4,
            active_in_training=12.3,
            dead_units=20,
            revived=123456,
            longest_column=1234.5,
        ),
        happened=history(idle=[0, 30, 30, 30], explained=[1.0, -1e6, 0.999, 1.0]),
        warnings=["coding.gate/activity/L0: a-word-that-is-too-long-for-a-phone-and-does-not-end"],
    )
    report = tmp_path_factory.mktemp("troubled") / "report.html"
    report.write_text(page_of(run), encoding="utf-8")
    return report.as_uri()


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def pixels(window: Browser) -> np.ndarray:
    """Return what is to be seen, of shape (height, width, 3), from 0 to 1."""
    shown = matplotlib.image.imread(io.BytesIO(window.screenshot()), format="png")
    return shown[..., :3]


@pytest.mark.parametrize("width", [DESK, PHONE, NARROW])
@pytest.mark.parametrize("which", ["page", "troubled"])
def test_nothing_is_wider_than_the_window(window, which, width, request):
    window.open(request.getfixturevalue(which), width=width)
    assert window.evaluate("innerWidth") == width
    assert window.evaluate("document.documentElement.scrollWidth") == width
    # nor is anything cut off, but in a box that scrolls by itself
    beyond = """[...document.querySelectorAll("body *")]
        .filter(e => !e.closest(".scroll") && e.getBoundingClientRect().right > innerWidth + 0.5)
        .map(e => e.outerHTML.slice(0, 80))"""
    assert window.evaluate(beyond) == []


@pytest.mark.parametrize("dark", [False, True])
def test_it_complains_of_nothing_and_asks_nobody(window, page, dark):
    window.open(page, width=DESK, dark=dark)
    assert window.complaints == []
    asked = [request for request in window.requests if not request.startswith("data:")]
    assert asked == [page]


def test_the_browser_would_notice_a_complaint_and_a_request(window, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text('<script>console.error("oh")</script><img src="gone.png">')
    window.open(bad.as_uri(), width=DESK)
    assert any("oh" in complaint for complaint in window.complaints)
    assert any(request.endswith("gone.png") for request in window.requests)


def test_every_picture_can_be_seen(window, page):
    window.open(page, width=DESK)
    images = window.evaluate(
        "Promise.all([...document.images].map(i => i.decode().then(() =>"
        " [i.naturalWidth, i.naturalHeight, getComputedStyle(i).imageRendering])))"
    )
    # samples and three reconstructions, directions of three networks, at most five samples a unit
    others = 4 * 12 + 3 * 40
    assert others + 100 < len(images) <= others + 5 * 40
    assert all(image == [8, 8, "pixelated"] for image in images)


def test_names_that_are_markup_are_text(window, page):
    window.open(page, width=DESK)
    assert "<b>.npy" in window.evaluate("document.title")
    assert "<b>.npy" in window.evaluate("document.querySelector('.eyebrow').innerText")
    assert window.evaluate("document.querySelectorAll('b').length") == 0


def test_it_is_light_by_day_and_dark_by_night(window, page):
    window.open(page, width=DESK)
    day = pixels(window)
    window.open(page, width=DESK, dark=True)
    night = pixels(window)
    assert day.mean() > 0.85
    assert night.mean() < 0.2
    # there is something to read in both
    assert day.min() < 0.2
    assert night.max() > 0.8


@pytest.mark.parametrize(("dark", "sign"), [(False, -1), (True, 1)])
def test_a_sample_of_a_table_is_darker_by_day_and_lighter_by_night_where_it_is_larger(
    window, troubled, dark, sign
):
    window.open(troubled, width=DESK, dark=dark)
    window.evaluate("document.querySelector('.ink').scrollIntoView()")
    left, top, width, height = window.evaluate(
        "(b => [b.left, b.top, b.width, b.height])"
        "(document.querySelector('.ink').getBoundingClientRect())"
    )
    sample = result(picture=None).data.validation[0].numpy()
    middles = left + width * (np.arange(len(sample)) + 0.5) / len(sample)
    shown = pixels(window)[round(top + height / 2), middles.astype(int)].mean(axis=1)
    assert sign * np.corrcoef(shown, sample)[0, 1] > 0.99
    assert np.ptp(shown) > 0.5


CONTRASTS = """[...document.body.querySelectorAll("*")]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .map(e => { const s = getComputedStyle(e), svg = e instanceof SVGElement;
        return [svg ? s.fill : s.color, svg ? +s.fillOpacity : 1,
                getComputedStyle(document.body).backgroundColor, e.textContent.slice(0, 40)]; })"""


def luminance(rgb: np.ndarray) -> float:
    """Return the relative luminance of WCAG 2."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def rgb(said: str) -> np.ndarray:
    return np.array([float(part) for part in said.strip("rgb()").split(",")]) / 255


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("which", ["page", "troubled"])
def test_all_text_stands_out_from_the_page(window, which, dark, request):
    window.open(request.getfixturevalue(which), width=DESK, dark=dark)
    texts = window.evaluate(CONTRASTS)
    assert len(texts) > 100
    for color, opacity, background, text in texts:
        behind = rgb(background)
        lights = [luminance(opacity * rgb(color) + (1 - opacity) * behind), luminance(behind)]
        assert (max(lights) + 0.05) / (min(lights) + 0.05) >= 4.5, (text, color, background)


@pytest.mark.parametrize("width", [DESK, PHONE, NARROW])
@pytest.mark.parametrize("which", ["page", "troubled"])
def test_the_text_of_charts_is_legible_and_apart(window, which, width, request):
    window.open(request.getfixturevalue(which), width=width)
    boxes = window.evaluate(
        """[...document.querySelectorAll("svg")].map(s => [...s.querySelectorAll("text")].map(t => {
            const b = t.getBoundingClientRect();
            return [b.left, b.top, b.right, b.bottom,
                    parseFloat(getComputedStyle(t).fontSize) * s.getScreenCTM().a]; }))"""
    )
    assert len(boxes) == 6
    for chart in boxes:
        assert min(size for *_, size in chart) >= 8.5
        for i, (left, top, right, bottom, _) in enumerate(chart):
            for other_left, other_top, other_right, other_bottom, _ in chart[:i]:
                across = min(right, other_right) - max(left, other_left)
                down = min(bottom, other_bottom) - max(top, other_top)
                assert across <= 0 or down <= 3, (width, i)


def test_what_is_folded_unfolds(window, page):
    window.open(page, width=PHONE)
    before = window.evaluate("document.documentElement.scrollHeight")
    window.evaluate("document.querySelectorAll('summary').forEach(s => s.click())")
    assert window.evaluate("document.documentElement.scrollHeight") > before
    assert window.evaluate("document.documentElement.scrollWidth") == PHONE
