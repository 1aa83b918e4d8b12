"""Previews of what the standard library can read. What needs a library is tested in the image."""

from __future__ import annotations

import bz2
import codecs
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = f"import sys; sys.path.append({str(ROOT / 'docker')!r}); from sandloop_image.preview import show; show(sys.argv[1])"
EXAMPLES = ROOT / "examples"


def preview(path: Path) -> str:
    """What is printed, in a process of its own, as in the sandbox. It must end well, soon and short, whatever the file."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-I", "-B", "-c", PROGRAM, path], capture_output=True, timeout=30)
    text = done.stdout.decode("utf-8")
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - began < 9
    assert len(text) <= 3_000
    assert len(done.stdout) <= 6_000
    assert text.endswith("\n")
    assert all(c.isprintable() for c in text.replace("\n", ""))
    return text


def of(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> str:
    """The preview of a file with this content."""
    path = folder / name
    path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    return preview(path)


def read_with(text: str) -> str:
    """The call that the preview recommends."""
    return next(line for line in text.splitlines() if line.startswith("read it with: ")).removeprefix("read it with: ")


def columns(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("columns: ")).removeprefix("columns: ")


def test_a_csv_says_all_that_is_needed_to_read_it() -> None:
    assert preview(EXAMPLES / "seattle-weather.csv") == (
        "comma-separated text, utf-8: 1,461 rows, 6 columns\n"
        "read it with: df = pd.read_csv('seattle-weather.csv', parse_dates=['date'])\n"
        "columns: 'date' datetime64 (parsed from text like '2012/01/01'), 'precipitation' float64, 'temp_max' float64, "
        "'temp_min' float64, 'wind' float64, 'weather' str (only 'drizzle', 'fog', 'rain', 'snow', 'sun')\n"
        "first rows:\n"
        "  2012/01/01 | 0.0 | 12.8 | 5.0 | 4.7 | drizzle\n"
        "  2012/01/02 | 10.9 | 10.6 | 2.8 | 4.5 | rain\n"
        "  2012/01/03 | 0.8 | 11.7 | 7.2 | 2.3 | rain\n"
        "  2012/01/04 | 20.3 | 12.2 | 5.6 | 4.7 | rain\n"
        "  2012/01/05 | 1.3 | 8.9 | 2.8 | 6.1 | rain\n"
    )


def test_missing_values_turn_whole_numbers_into_floats_and_are_counted() -> None:
    assert "'body_mass_g' float64 (2 missing)" in columns(preview(EXAMPLES / "penguins.csv"))


@pytest.mark.parametrize(
    ("content", "encoding", "call"),
    [
        ("a,b\n1,2\n3,4\n", "utf-8", "pd.read_csv('x.csv')"),
        ("id,name\n1,é\n", "utf-8-sig", "pd.read_csv('x.csv', encoding='utf-8-sig')"),
        ("a\tb\n1\t2\n3\t4\n", "utf-16", "pd.read_csv('x.csv', sep='\\t', encoding='utf-16')"),
        ("a,b\n1,2\n3,4\n", "utf-16-le", "pd.read_csv('x.csv', encoding='utf-16-le')"),
        ("name|n\nJosé|1\nZoë|2\n", "cp1252", "pd.read_csv('x.csv', sep='|', encoding='cp1252')"),
        ("a,b\n\x811,2\n", "latin-1", "pd.read_csv('x.csv', encoding='latin-1')"),
        ("t  v\n1   2.5\n2   3.5\n10  4\n", "utf-8", "pd.read_csv('x.csv', sep=r'\\s+')"),
        ("a,b\r1,2\r3,4\r", "utf-8", "pd.read_csv('x.csv')"),
    ],
)
def test_delimiter_and_encoding_are_found(tmp_path: Path, content: str, encoding: str, call: str) -> None:
    text = of(tmp_path, "x.csv", content, encoding)

    assert read_with(text) == f"df = {call}"
    assert ", 2 columns" in text


def test_european_numbers_and_dates_are_noticed(tmp_path: Path) -> None:
    rows = "Datum;Betrag;PLZ\n31.01.2024;1.234,50;01067\n02.02.2024;17,25;04109\n03.02.2024;-2,00;80331\n"
    text = of(tmp_path, "x.csv", rows)

    assert read_with(text) == (
        "df = pd.read_csv('x.csv', sep=';', decimal=',', thousands='.', parse_dates=['Datum'], dayfirst=True)"
    )
    assert "'Betrag' float64" in text
    assert "'PLZ' int64 (leading zeros are lost unless dtype=str)" in text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("day\n31/01/2024\n02/02/2024\n", "day first"),
        ("day\n01/31/2024\n02/02/2024\n", "month first"),
        ("day\n01/02/2024\n02/02/2024\n", "'day' str (dates like '01/02/2024', day or month first unclear)"),
        ("day\nJan 1 2000\nFeb 1 2000\n", "parse_dates=['day']"),
    ],
)
def test_the_order_of_a_date_is_said_or_said_to_be_unclear(tmp_path: Path, content: str, told: str) -> None:
    assert told in of(tmp_path, "x.csv", content)


@pytest.mark.parametrize(
    ("content", "skipped", "shown"),
    [
        ("Report of 2024,,\n,,\nregion,units,price\nNorth,3,1.5\nSouth,4,2.5\nWest,5,3.5\n", 2, "Report of 2024"),
        ("# made by x\n# v1\na,b,c\n1,2,3\n4,5,6\n", 2, "# made by x"),
        ("A title\n\na;b;c\n1;2;3\n4;5;6\n", 2, "A title"),
    ],
)
def test_what_stands_above_the_header_is_shown_and_skipped(tmp_path: Path, content: str, skipped: int, shown: str) -> None:
    text = of(tmp_path, "x.csv", content)

    assert f"skiprows={skipped}" in read_with(text)
    assert f"line 1, above the header: {shown}" in text


def test_column_names_are_shown_exactly(tmp_path: Path) -> None:
    text = of(tmp_path, "x.csv", "Date, Price ,na\u202eme,b\u200b,nb\u00a0sp\n2024-01-01, 3,1,2,3\n")

    assert "' Price ' int64, 'na\\u202eme' int64, 'b\\u200b' int64, 'nb\\xa0sp' int64" in columns(text)
    assert "blanks around them" in text


def test_names_that_pandas_changes_are_given_as_pandas_gives_them(tmp_path: Path) -> None:
    assert columns(of(tmp_path, "x.csv", "a,a,,b\n1,2,3,4\n")) == "'a' int64, 'a.1' int64, 'Unnamed: 2' int64, 'b' int64"


@pytest.mark.parametrize(
    ("content", "headless"),
    [
        ("1.5,2.5,a\n2.5,3.5,b\n3.5,4.5,a\n", True),
        ("1,2\n3,4\n5,6\n", True),
        ("country,1960,1961\nA,1,2\nB,3,4\n", False),
        ("a,b\nx,y\nz,w\n", False),
    ],
)
def test_a_missing_header_is_noticed(tmp_path: Path, content: str, *, headless: bool) -> None:
    assert ("header=None" in of(tmp_path, "x.csv", content)) is headless


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n" + "".join(f"{i},{i if i % 7 else 'n.a.'}\n" for i in range(50)), "numbers, but also 'n.a.'"),
        ('city,pop\nRome,"2,873,000"\nParis,"2,148,000"\n', "thousands=','"),
        ("p\n10%\n20%\n", "numbers written like '10%'"),
        ("x,y\na,1,2\nb,3,4\n", "takes the first column as the index"),
        ("a,b,c\n1,2,3\n4,5,6,7\n8,9,10\n", "(line 3)"),
        ('a,b\n1,"x\n' + "2,y\n" * 1000, "perhaps it is never closed"),
        (b"a,b\n1,\x002\n3,4\n", "NUL characters"),
        ("a,b,c\n", "no rows under the header"),
    ],
)
def test_traps_are_said(tmp_path: Path, content: str | bytes, told: str) -> None:
    assert told in of(tmp_path, "x.csv", content)


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ("a,b\n1,2\n3,4", "2 rows"),
        ('a,b\n"x\ny",1\n\n"q ""r""",3\n', "2 rows"),
        ("a,b\r\n1,2\r\n\r\n3,4\r\n", "2 rows"),
        ("a,b\n" + "1,2\n" * 200_000, "200,000 rows"),
        ("a,b\n" + '1,"2\n"\n\n' * 100_000, "100,000 rows"),
    ],
)
def test_rows_are_counted_as_pandas_counts_them(tmp_path: Path, content: str, count: str) -> None:
    assert f": {count}, 2 columns" in of(tmp_path, "x.csv", content)


def test_an_encoding_that_shows_late_in_the_file_is_found(tmp_path: Path) -> None:
    text = of(tmp_path, "x.csv", b"a,b\n" + b"1,x\n" * 400_000 + b"2,caf\xe9\n")

    assert "encoding='cp1252'" in read_with(text)
    assert "400,001 rows" in text


def test_the_content_is_believed_and_not_the_name(tmp_path: Path) -> None:
    text = of(tmp_path, "x.xlsx", "a,b\n1,2\n3,4\n")

    assert "the name ends in .xlsx, but the content is text" in text
    assert read_with(text) == "df = pd.read_csv('x.xlsx')"


@pytest.mark.parametrize("name", ["-x.csv", 'it\'s "q".csv', "a b.csv", "\u202excsv.csv"])
def test_odd_names_are_written_as_python_writes_them(tmp_path: Path, name: str) -> None:
    assert repr(name) in read_with(of(tmp_path, name, "a,b\n1,2\n"))


def test_a_name_that_begins_with_a_dash_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "-c").write_text("a,b,c\n1,2,3\n4,5,6\n")
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", PROGRAM, "-c"], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )

    assert read_with(done.stdout) == "df = pd.read_csv('-c')"


def test_ten_thousand_columns_are_cut_and_counted(tmp_path: Path) -> None:
    text = of(tmp_path, "x.csv", ",".join(f"col{i}" for i in range(10_000)) + "\n" + ",".join("1" * 10_000) + "\n")

    assert "1 row, 10,000 columns" in text
    assert "'col0' int64, " in text
    assert "more columns" in text
    assert "more cells" in text


def test_one_line_of_fifty_megabytes_does_no_harm(tmp_path: Path) -> None:
    assert "1 line" in of(tmp_path, "x.csv", b"a," * 25_000_000)


def test_a_long_cell_is_cut_with_a_note(tmp_path: Path) -> None:
    assert f"{'x' * 44}… (+99,956)" in of(tmp_path, "x.csv", "a,b\n1," + "x" * 100_000 + "\n")


def test_control_characters_of_a_cell_are_shown_not_sent(tmp_path: Path) -> None:
    assert "\\x1b[31m | \\u202e2" in of(tmp_path, "x.csv", "a,b\n\x1b[31m,\u202e2\n")


def test_prose_and_programs_are_text(tmp_path: Path) -> None:
    assert of(tmp_path, "x.txt", "Dear Sir, I write, as you know.\nYours, A.\nP.S. never mind.\n").startswith(
        "text, utf-8, 3 lines\n"
    )
    assert of(tmp_path, "x.py", "import os\nprint(1, 2, 3)\n").startswith("text, utf-8, 2 lines\n")
    assert "pd.read_html('x.xls'" in of(tmp_path, "x.xls", "<html><table><tr><td>1</td></tr></table></html>")


def test_a_table_in_a_text_file_is_found(tmp_path: Path) -> None:
    assert "tab-separated" in of(tmp_path, "x.txt", "name\tn\tm\na\t1\t2\nb\t3\t4\nc\t5\t6\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty file (0 bytes)"),
        (b"\n\n\n", "it is blank"),
        (bytes(range(256)) * 20, "binary file of unknown kind, 5,120 bytes"),
        (b"\0" * 100_000, "binary file of unknown kind"),
        (b"\x1f\x8b\x08\x00garbage of a kind", "could not be previewed: it is gzip-compressed, but broken"),
        (b"PK\x03\x04" + b"x" * 500, "could not be previewed: it begins like a zip file"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "could not be previewed"),
        (b"7z\xbc\xaf'\x1c" + b"\0" * 50, "7z archive, 56 bytes"),
        (codecs.BOM_UTF16_LE + b"\xff", "text, utf-16"),
    ],
)
def test_what_is_no_table_gets_a_plain_line(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in of(tmp_path, "x.dat", content)


def test_what_is_no_file_gets_a_plain_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert preview(tmp_path) == "could not be previewed: it is not a regular file\n"
    assert preview(tmp_path / "pipe") == "could not be previewed: it is not a regular file\n"
    assert preview(tmp_path / "none") == "could not be previewed: no such file or directory\n"


def test_json_shows_its_shape_and_the_call(tmp_path: Path) -> None:
    items: list[dict[str, object]] = [
        {"id": 1, "tags": ["a"], "addr": {"street": "x"}},
        {"id": 2, "tags": [], "addr": None, "extra": 1},
    ]
    text = of(tmp_path, "x.json", json.dumps({"meta": {"v": 1}, "items": items}))

    assert read_with(text) == "data = json.load(open('x.json', encoding='utf-8')); df = pd.json_normalize(data['items'])"
    assert "'meta' object {'v' int}" in text
    assert "'items' list of 2 items: object {'id' int, 'tags' list: str, 'addr' object {'street' str} or null" in text
    assert "'extra' int (in 1 of 2)" in text
    assert 'first record: {"id": 1' in text


def test_json_lines_are_told_from_json(tmp_path: Path) -> None:
    text = of(tmp_path, "x.json", "".join(json.dumps({"a": i, "b": {"c": "x"}}) + "\n" for i in range(1000)))

    assert "JSON Lines (one record a line), utf-8, 1,000 lines" in text
    assert read_with(text) == "df = pd.read_json('x.json', lines=True)"


def test_large_json_is_looked_at_from_its_start(tmp_path: Path) -> None:
    text = of(tmp_path, "x.json", "[" + ",".join(json.dumps({"a": i, "b": "x" * 50}) for i in range(200_000)) + "]")

    assert "a large list, looked at from its start only" in text
    assert "keys of a record: 'a' int, 'b' str" in text


@pytest.mark.parametrize("content", ["[" * 200_000, "[" * 900 + "]" * 900, '{"a":' * 5_000 + "1" + "}" * 5_000])
def test_deep_json_does_no_harm(tmp_path: Path, content: str) -> None:
    assert of(tmp_path, "x.json", content).startswith("JSON, utf-8")


def test_json_that_is_none_says_where(tmp_path: Path) -> None:
    text = of(tmp_path, "x.json", '{"a": 1,')

    assert "is not valid JSON" in text
    assert '  {"a": 1,\n' in text


def test_a_compressed_csv_is_looked_into(tmp_path: Path) -> None:
    text = of(tmp_path, "x.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n"))

    assert "gzip-compressed: 2 rows, 2 columns" in text
    assert read_with(text) == "df = pd.read_csv('x.csv.gz')"
    assert "compression='bz2'" in of(tmp_path, "x.csv", bz2.compress(b"a,b\n1,2\n3,4\n"))


def test_a_compressed_csv_that_was_cut_short_shows_what_it_has(tmp_path: Path) -> None:
    assert "broken off before its end" in of(tmp_path, "x.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n")[:-9])


def test_a_compressed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "x.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"a,b\n")
        for _ in range(300):
            file.write(b"0" * 1_000_000)

    assert "longer than 1 MB" in preview(tmp_path / "x.csv.gz")


def test_archives_are_listed_and_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../up\x1b.csv", "a,b\n")
        archive.writestr("bomb", b"0" * 30_000_000)
        for i in range(40):
            archive.writestr(f"d/{i}", "x")
    with tarfile.open(tmp_path / "x.tgz", "w:gz") as tar:
        tar.add(__file__, "p.py")

    text = preview(tmp_path / "x.zip")
    assert "zip archive, 42 files" in text
    assert "'../up\\\\x1b.csv' 4 bytes" in text
    assert "'bomb' 30,000,000 bytes" in text
    assert "… and 30 more files" in text
    assert "'p.py'" in preview(tmp_path / "x.tgz")


def test_a_workbook_with_a_part_made_to_be_large_is_left_alone(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
        archive.writestr("xl/sharedStrings.xml", b" " * 50_000_000)

    assert "unpacks to 50,000,000 bytes: not looked into" in preview(tmp_path / "x.xlsx")


def test_word_and_slides_show_their_first_words(tmp_path: Path) -> None:
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    with zipfile.ZipFile(tmp_path / "x.docx", "w") as archive:
        archive.writestr("word/document.xml", f'<d xmlns="{word}"><p><t>Hello </t><t>there</t></p><tbl/></d>')
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with zipfile.ZipFile(tmp_path / "bomb.docx", "w") as archive:
        archive.writestr("word/document.xml", f'{bomb}]><d xmlns="{word}"><p><t>&i;</t></p></d>')

    assert "Word document, 1 paragraph, 1 table" in preview(tmp_path / "x.docx")
    assert "  Hello there\n" in preview(tmp_path / "x.docx")
    assert "could not be previewed" in preview(tmp_path / "bomb.docx")


def test_a_database_shows_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "x?.db"
    base = sqlite3.connect(path)
    base.execute('CREATE TABLE "my ""table" (id INTEGER PRIMARY KEY, "the name" TEXT)')
    base.executemany('INSERT INTO "my ""table" VALUES (?, ?)', [(i, f"n{i}") for i in range(1000)])
    base.execute("CREATE VIEW loop AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c")
    base.commit()
    base.close()

    text = preview(path)
    assert "table 'my \"table', 1,000 rows: 'id' INTEGER, 'the name' TEXT" in text
    assert "  0 | n0\n" in text
    assert "view 'loop'" in text
