"""One table value: screen, CSV and report render the same cells, escaped, each with its own columns."""

from __future__ import annotations

from dashboard.error_analysis.tables import AnalysisTable, TableCell, metric_cell, number_cell, table_of


def _table() -> AnalysisTable:
    return table_of(
        [("<b>", 1234, -0.125, True), ("=1+1", 3, None, False)],
        [
            ("Name", "name", lambda row: row[0]),
            ("Cases", "cases", lambda row: TableCell(row[1], f"{row[1]:,}", "./?cases=x", "Open <it>")),
            ("Gap", "gap", lambda row: number_cell(row[2])),
            ("", "few", lambda row: row[3]),
            ("On screen", "", lambda row: "shown"),
        ],
        few=lambda row: row[3],
    )


def test_the_screen_shows_text_links_and_faint_rows() -> None:
    html = str(_table().html())
    assert '<th scope="col">Name</th><th class="num" scope="col">Cases</th>' in html
    assert "<td>&lt;b&gt;</td>" in html and "few" not in html.replace('class="ld-few"', "")
    assert (
        '<td class="num"><a href="./?cases=x" target="_self" aria-label="Open &lt;it&gt;">1,234</a></td>'
        in html
    )
    assert '<td class="num">−0.12</td>' in html and '<td class="num">–</td>' in html
    assert html.count('<tr class="ld-few">') == 1


def test_the_report_shows_the_same_text_without_links() -> None:
    html = str(_table().html(screen=False))
    assert "href" not in html and "1,234" in html and "shown" in html and 'class="ld-few"' in html


def test_the_csv_holds_values_and_no_formula() -> None:
    lines = _table().csv().decode("utf-8-sig").splitlines()
    assert lines == ["name,cases,gap,few", "<b>,1234,-0.125,yes", "'=1+1,3,,no"]


def test_a_metric_has_its_own_digits_and_nothing_where_it_is_not_defined() -> None:
    assert metric_cell("ddi_rate", 0.0371) == TableCell(0.0371, "0.037")
    assert metric_cell("medications", 31.26).text == "31.3"
    assert metric_cell("jaccard", float("nan")) == TableCell(None, "–")
