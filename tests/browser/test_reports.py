"""Reports in a real browser: laid out well at two widths, in dark and light and on paper, and inert whatever they hold."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from opened_pages import Open
from report_samples import comparison, good_run, hostile_comparison, hostile_run, many
from sandloop.comparing.comparison import Entry
from sandloop.report import comparison_report, run_report

RUN, COMPARISON = run_report(good_run()), comparison_report(comparison())
HOSTILE_RUN, HOSTILE_COMPARISON = run_report(hostile_run()), comparison_report(hostile_comparison())
MANY = comparison_report(many(7))
ALL = {"run": RUN, "comparison": COMPARISON, "hostile run": HOSTILE_RUN, "hostile comparison": HOSTILE_COMPARISON, "many": MANY}
each = pytest.mark.parametrize("html", ALL.values(), ids=ALL.keys())

LEFTS = "all => all.map(e => Math.round(e.getBoundingClientRect().left))"
TOPS = "all => all.map(e => Math.round(e.getBoundingClientRect().top))"


@each
@pytest.mark.parametrize("width", [360, 1280])
def test_a_page_never_scrolls_sideways_asks_for_nothing_and_complains_of_nothing(open_page: Open, html: str, width: int) -> None:
    opened = open_page(html, width=width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert (opened.said, opened.asked, opened.dialogs) == ([], [], [])


def test_columns_stand_side_by_side_where_there_is_room_and_below_each_other_on_a_phone(open_page: Open) -> None:
    wide = open_page(COMPARISON, width=1280).page.locator("article")
    assert len(set(wide.evaluate_all(TOPS))) == 1
    assert len(set(wide.evaluate_all(LEFTS))) == 3
    phone = open_page(COMPARISON, width=360).page.locator("article")
    assert len(set(phone.evaluate_all(TOPS))) == 3
    assert len(set(phone.evaluate_all(LEFTS))) == 1


def test_the_same_part_of_each_run_begins_at_the_same_height(open_page: Open) -> None:
    page = open_page(COMPARISON).page
    for part in range(1, 6):
        assert len(set(page.locator(f"article > :nth-child({part})").evaluate_all(TOPS))) == 1


def test_more_columns_than_fit_scroll_among_themselves_by_keyboard_too(open_page: Open) -> None:
    columns = open_page(MANY).page.locator(".columns")
    assert len(set(columns.locator("article").evaluate_all(TOPS))) == 1
    assert columns.evaluate("e => e.scrollWidth > e.clientWidth && e.tabIndex === 0")


def test_on_a_phone_the_summary_is_a_card_a_run_with_all_its_values(open_page: Open) -> None:
    page = open_page(COMPARISON, width=360).page
    row = page.locator(".summary tbody tr").nth(1)
    assert row.evaluate("e => e.scrollWidth <= e.clientWidth")
    for text in ("gpt", "answered", "native · openai · gpt-6", "5,210 in", "unknown", "≈ $0.0300", "9.80 s"):
        assert row.get_by_text(text, exact=False).first.is_visible()


def test_dark_and_light_follow_the_reader(open_page: Open) -> None:
    colours = "() => [getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]"
    assert open_page(RUN, scheme="light").page.evaluate(colours) == ["rgb(255, 255, 255)", "rgb(28, 33, 40)"]
    assert open_page(RUN, scheme="dark").page.evaluate(colours) == ["rgb(16, 19, 23)", "rgb(228, 232, 237)"]


def test_on_paper_all_is_unfolded_and_light_and_nothing_is_cut(open_page: Open) -> None:
    page = open_page(COMPARISON, scheme="dark").page
    folded = page.locator("details:not([open]) pre")
    assert not any(folded.evaluate_all("all => all.map(e => e.checkVisibility({contentVisibilityAuto: true}))"))
    page.emulate_media(media="print")
    assert all(folded.evaluate_all("all => all.map(e => e.checkVisibility() && e.getBoundingClientRect().height > 10)"))
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("pre, .scroll").evaluate_all("all => all.filter(e => e.scrollHeight > e.clientHeight + 2).length") == 0
    assert page.locator("nav").is_hidden()
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") >= 4  # the summary, and a page for each run at least


@each
def test_a_reader_who_does_not_see_the_page_finds_its_way(open_page: Open, html: str) -> None:
    page = open_page(html).page
    levels: list[int] = page.locator("h1, h2, h3, h4, h5, h6").evaluate_all("all => all.map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("img:not([alt]), img[alt=''], iframe:not([title]), th:not([scope])").count() == 0
    ids: list[str] = page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
    assert len(ids) == len(set(ids))
    targets: list[str] = page.locator("a").evaluate_all("all => all.map(e => e.getAttribute('href'))")
    assert {target[:1] for target in targets} == {"#"}
    assert {target[1:] for target in targets} <= set(ids)


def test_the_keyboard_begins_with_a_way_to_the_content(open_page: Open) -> None:
    page = open_page(RUN).page
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert skip.evaluate("e => e === document.activeElement && e.getBoundingClientRect().left >= 0")


@pytest.mark.parametrize("html", [HOSTILE_RUN, HOSTILE_COMPARISON], ids=["run", "comparison"])
def test_hostile_texts_make_no_element_no_attribute_and_no_dialog(open_page: Open, html: str) -> None:
    opened = open_page(html)
    page = opened.page
    assert page.locator("script, object, embed, form, link:not([rel=icon]), base, svg, video").count() == 0
    assert page.locator("style").count() == 1
    assert page.locator("iframe").count() == page.locator("iframe[sandbox=''][srcdoc]:not([src])").count() == 1
    assert page.locator("img:not([src^='data:image/'])").count() == 0
    attributes: list[str] = page.locator("*").evaluate_all("all => all.flatMap(e => [...e.attributes].map(a => a.name))")
    assert not [name for name in attributes if name.startswith("on") or name == "style"]
    for summary in page.locator("summary").all():
        summary.click()
    for link in page.get_by_text("evil.example").all()[:20]:
        link.click(force=True)
    assert page.url.partition("#")[0].startswith("file:")
    assert len(page.context.pages) == 1
    assert (opened.dialogs, opened.asked) == ([], [])


def test_the_policy_is_in_force(open_page: Open) -> None:
    page = open_page(RUN).page
    assert page.evaluate("""() => {
        const script = document.createElement('script'); script.textContent = 'window.ran = true'; document.body.append(script);
        const styled = document.createElement('p'); styled.setAttribute('style', 'position: fixed'); document.body.append(styled);
        return [window.ran ?? 'did not run', getComputedStyle(styled).position]
    }""") == ["did not run", "static"]
    assert page.evaluate("fetch('https://evil.example/').then(() => 'went', e => e.name)") == "TypeError"
    assert page.evaluate("""() => new Promise(done => {
        const image = new Image(); image.onload = () => done('loaded'); image.onerror = () => done('refused');
        image.src = 'https://evil.example/a.png'; document.body.append(image);
    })""") == "refused"  # fmt: skip


def test_a_page_that_code_made_shows_in_its_frame_with_its_own_styles(open_page: Open) -> None:
    page = open_page(RUN).page
    frame = page.frame_locator("iframe")
    assert frame.locator("h1").inner_text() == "Means"
    assert frame.locator("td.hot").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 217, 179)"


def test_a_drawing_shows_as_a_picture(open_page: Open) -> None:
    page = open_page(RUN).page
    natural: list[int] = page.locator("img").evaluate_all("all => all.map(e => e.complete && e.naturalWidth)")
    assert len(natural) == 2
    assert all(natural)


def test_a_name_from_right_to_left_does_not_turn_what_stands_around_it(open_page: Open) -> None:
    base = comparison()
    entries = (replace(base.entries[0], label="שלום (1)"), *base.entries[1:])
    page = open_page(comparison_report(replace(base, entries=entries))).page
    assert page.locator("article h3 bdi").first.inner_text() == "שלום (1)"


def test_a_long_failure_of_one_run_leaves_no_hole_under_the_names_of_the_others(open_page: Open) -> None:
    base = comparison()
    failed = Entry(model="x", label="x", error="MissingKey", message="There is no key. Set one, or use another model. " * 12)
    page = open_page(comparison_report(replace(base, entries=(*base.entries[:2], failed)))).page
    heights: list[float] = page.locator("article > .head").evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
    assert max(heights) < 110
    assert page.locator("article").last.locator(".answer .failure").is_visible()
    assert "It never began." in page.locator("article").last.inner_text()


@pytest.mark.parametrize(("html", "shown"), [(COMPARISON, 1), (MANY, 0)])
def test_the_summary_has_a_column_for_containers_where_one_is_estimated(open_page: Open, html: str, shown: int) -> None:
    summary = open_page(html).page.locator("table.summary")
    assert summary.get_by_text("Container").count() == shown
    assert len(set(summary.locator("tr").evaluate_all("all => all.map(e => e.children.length)"))) == 1


def test_on_a_phone_the_first_numbers_are_seen_without_scrolling_whatever_the_models_are_called(open_page: Open) -> None:
    base = comparison()
    entries = tuple(replace(entry, label=f"replay:examples/recordings/{n}.jsonl") for n, entry in enumerate(base.entries))
    page = open_page(comparison_report(replace(base, entries=entries)), width=360).page
    rights: list[float] = page.locator(".numbers td:nth-child(2)").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().right)"
    )
    assert max(rights) < 340
