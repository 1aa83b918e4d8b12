"""Previews in the image, of what needs a library to be read, and whether what it recommends works."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest

from docker_runs import SMALL, fetched, local_file, says
from sandloop.options import SandboxOptions
from sandloop.ports import SandboxSession
from sandloop_sandbox.docker import open_docker
from sandloop_sandbox.engine import Engine

EXAMPLES = Path(__file__).parents[2] / "examples"

MAKE = """
import datetime, os, re, zipfile
import docx, openpyxl, pandas as pd, pptx
from openpyxl.chart import BarChart
from PIL import Image
from pypdf import PdfWriter
from reportlab.pdfgen import canvas

os.makedirs("made"); os.chdir("made")

book = openpyxl.Workbook()
sheet = book.active
sheet.title = "Sales 2024"
sheet.merge_cells("A1:C1")
sheet["A1"] = "Yearly report"
sheet.append([])
sheet.append(["Region", "Date ", "Units"])
for i in range(50):
    sheet.append([["North", "South"][i % 2], datetime.date(2024, 1, 1 + i % 28), i if i % 9 else None])
hidden = book.create_sheet("Hidden")
hidden.sheet_state = "hidden"
for cells in (["a", "b"], ["1", "2"]):
    hidden.append(cells)
book.create_sheet("Empty")
offset = book.create_sheet("offset")
offset["C4"], offset["D4"], offset["C5"], offset["D5"] = "x", "y", 1, 2
book.create_chartsheet("Chart").add_chart(BarChart())
book.save("book.xlsx")
data = open("book.xlsx", "rb").read()
open("book.csv", "wb").write(data)
open("cut.xlsx", "wb").write(data[: len(data) // 2])

def changed(source, target, part, change):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(old.read(info)) if info.filename == part else old.read(info))

first = "xl/worksheets/sheet1.xml"
changed("book.xlsx", "lying.xlsx", first, lambda d: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', d))
small = openpyxl.Workbook()
small.active.append([1])
small.save("small.xlsx")
rows = b"<row><c><v>1</v></c><c><v>2</v></c></row>" * 1_500_000 + b"</sheetData></worksheet>"
changed("small.xlsx", "bomb.xlsx", first, lambda d: d.split(b"<sheetData>")[0] + b"<sheetData>" + rows)
far = openpyxl.Workbook()
far.active["A1"], far.active["XFD1048576"] = "h", 1
far.save("far.xlsx")

frame = pd.DataFrame({"a": range(1000), "b": ["x", "y"] * 500, "when": pd.date_range("2024", periods=1000), "l": [[1, 2]] * 1000})
frame.to_parquet("p.parquet", row_group_size=300)
data = open("p.parquet", "rb").read()
open("cut.parquet", "wb").write(data[:-100])
open("evil.parquet", "wb").write(b"PAR1" + b"\\xff" * 4000 + b"\\xa0\\x0f\\0\\0PAR1")
pd.DataFrame({f"c{i}": [1, 2] for i in range(2000)}).to_parquet("wide.parquet")
frame.drop(columns="l").to_feather("f.feather")

page = canvas.Canvas("d.pdf")
page.setTitle("My title")
page.drawString(100, 700, "Hello world")
page.showPage()
page.showPage()
page.save()
for name, word in (("locked.pdf", "secret"), ("open.pdf", "")):
    writer = PdfWriter(clone_from="d.pdf")
    writer.encrypt(word, "owner", algorithm="RC4-128")
    writer.write(name)
open("cut.pdf", "wb").write(open("d.pdf", "rb").read()[:600])

picture = Image.new("RGB", (640, 480))
exif = Image.Exif()
exif[0x0112] = 6
picture.save("p.jpg", exif=exif)
picture.save("p.png")

document = docx.Document()
document.add_heading("Title")
document.add_paragraph("Hello there.")
document.save("w.docx")
slides = pptx.Presentation()
slides.slides.add_slide(slides.slide_layouts[0]).shapes.title.text = "Slide one"
slides.save("s.pptx")
print(*sorted(os.listdir()))
"""


class Previews:
    """Previews of files that a cell made, and of others."""

    def __init__(self, session: SandboxSession, folder: Path) -> None:
        self.session = session
        self._folder = folder
        self._put: set[str] = set()

    async def of(self, name: str, content: bytes | None = None) -> str:
        """The preview of what the script made under this name, or of the content."""
        if name not in self._put:
            (self._folder / name).write_bytes(await fetched(self.session, f"made/{name}") if content is None else content)
            await self.session.put([local_file(self._folder / name)])
            self._put.add(name)
        text = await self.session.preview(name)
        assert len(text) <= 3_000
        assert all(c.isprintable() for c in text.replace("\n", ""))
        return text


@pytest.fixture(scope="module")
async def previews(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Previews]:
    """One session for all previews of the module."""
    session = await open_docker(SMALL, SandboxOptions(), lambda line: None).open()
    await says(session, MAKE)
    await says(session, "import os; os.chdir('/workspace')")
    yield Previews(session, tmp_path_factory.mktemp("previews"))
    await session.close()


async def test_a_workbook_shows_every_sheet_as_it_is(previews: Previews) -> None:
    text = await previews.of("book.xlsx")

    assert "Excel workbook, 5 sheets: 'Sales 2024', 'Hidden', 'Empty', 'offset', 'Chart'" in text
    assert "sheet 'Sales 2024': used A1:C53, 50 rows under the header" in text
    assert "row 1, above the header: Yearly report" in text
    assert "'Region' str (only 'North', 'South'), 'Date ' datetime64, 'Units' float64 (6 of the first 50 missing)" in text
    assert "blanks around them" in text
    assert "sheet 'Hidden' (hidden)" in text
    assert "'a' int64 (stored as text)" in text
    assert "sheet 'Empty': empty" in text
    assert "'Unnamed: 0' empty, 'Unnamed: 1' empty, 'x' int64, 'y' int64" in text
    assert "sheet 'Chart': a chart" in text


async def test_a_lying_dimension_is_not_believed(previews: Previews) -> None:
    assert "sheet 'Sales 2024': used A1:C53, 50 rows" in await previews.of("lying.xlsx")


async def test_a_cell_in_the_farthest_corner_does_no_harm(previews: Previews) -> None:
    assert "used A1:XFD1048576" in await previews.of("far.xlsx")


async def test_a_sheet_that_unpacks_to_sixty_megabytes_is_not_walked_to_its_end(previews: Previews) -> None:
    assert "or more, at least" in await previews.of("bomb.xlsx")


async def test_a_workbook_under_another_name_is_found(previews: Previews) -> None:
    text = await previews.of("book.csv")

    assert "the name ends in .csv, but the content is Excel" in text
    assert "pd.read_excel('book.csv', sheet_name='Sales 2024', skiprows=2)" in text


async def test_parquet_shows_schema_and_rows(previews: Previews) -> None:
    text = await previews.of("p.parquet")

    assert "Parquet, 1,000 rows, 4 columns, 4 row groups" in text
    assert "'a' int64, 'b' large_string, 'when' timestamp[us], 'l' list<element: int64>" in text
    assert "  0 | x | 2024-01-01 00:00:00 | [1, 2]" in text
    assert "2,000 columns" in await previews.of("wide.parquet")
    assert "Arrow (Feather) file, 3 columns" in await previews.of("f.feather")


async def test_a_pdf_shows_pages_title_and_first_words(previews: Previews) -> None:
    text = await previews.of("d.pdf")

    assert "PDF, 2 pages" in text
    assert "title: 'My title'" in text
    assert "Hello world" in text
    assert "PDF, encrypted" in await previews.of("locked.pdf")
    assert "PDF, 2 pages, encrypted with an empty password" in await previews.of("open.pdf")


async def test_a_picture_shows_its_header(previews: Previews) -> None:
    assert "PNG picture, 640 x 480 pixels, mode RGB" in await previews.of("p.png")
    assert "to be turned 90° clockwise" in await previews.of("p.jpg")


async def test_a_picture_made_to_be_large_is_not_decoded(previews: Previews) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")

    assert "200000 x 200000 pixels" in await previews.of("huge.png", data)


async def test_documents_show_their_first_words(previews: Previews) -> None:
    word = await previews.of("w.docx")

    assert word.startswith("Word document, ")
    assert "  Title\n  Hello there." in word
    assert "slide 1: Slide one" in await previews.of("s.pptx")


@pytest.mark.parametrize("name", ["cut.xlsx", "cut.parquet", "evil.parquet", "cut.pdf"])
async def test_a_broken_file_gets_a_plain_line(previews: Previews, name: str) -> None:
    text = await previews.of(name)

    assert text.startswith("could not be previewed: ")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xfe" * 5000),
        ("zeros.jpg", b"\xff\xd8\xff" + b"\0" * 5000),
        ("junk.tif", b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 5000),
        ("junk.feather", b"ARROW1\0\0" + b"\xff" * 5000),
    ],
)
async def test_a_hostile_header_gets_a_plain_line(previews: Previews, name: str, content: bytes) -> None:
    assert (await previews.of(name, content)).startswith("could not be previewed: ")


async def test_a_workbook_that_expands_entities_gets_a_plain_line(previews: Previews) -> None:
    entities = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part in ("[Content_Types].xml", "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"):
            archive.writestr(part, f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{entities}]><x>&i;</x>')

    assert (await previews.of("entities.xlsx", packed.getvalue())).startswith("could not be previewed: ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("semi.csv", "Datum;Betrag;Stück\n31.01.2024;1.234,50;3\n02.02.2024;17,25;4\n".encode("latin-1")),
        ("title.csv", b"Report,,\n,,\nregion,units,price\nNorth,3,1.5\nSouth,4,2.5\nWest,5,3.5\n"),
        ("blank.csv", b"A title\n\na;b;c\n1;2;3\n4;5;6\n"),
        ("wide16.csv", "a\tb\n1\t2\n3\t4\n".encode("utf-16")),
        ("names.csv", b"a, a ,a,,b\n1,2,3,4,\n1,2,3,4,x\n"),
        ("nohead.csv", b"1.5,2.5,a\n2.5,3.5,b\n3.5,4.5,a\n"),
        ("gaps.csv", b"n,m,flag,code\n1,,True,01\n2,3,False,02\n"),
        ("month.csv", b"day,v\nJan 1 2000,1\nFeb 1 2000,2\n"),
        ("space.txt", b"t  v\n1   2.5\n2   3.5\n10  4\n"),
        ("-dash.csv", b"a,b\n1,2\n"),
        ('it\'s "q".csv', b"a,b\n1,2\n"),
        ("named.xlsx", b"a,b\n1,2\n3,4\n"),
        ("bare.json", b'[{"a": 1, "b": {"c": 2}}, {"a": 2}]'),
        ("lines.jsonl", b'{"a": 1}\n{"a": 2}\n'),
        ("seattle-weather.csv", None),
        ("penguins.csv", None),
        ("sf-temps.csv", None),
        ("temperatures.xlsx", None),
        ("book.xlsx", None),
        ("p.parquet", None),
    ],
)
async def test_the_call_it_recommends_gives_the_columns_and_types_it_shows(
    previews: Previews, name: str, content: bytes | None
) -> None:
    text = await previews.of(name, (EXAMPLES / name).read_bytes() if (EXAMPLES / name).exists() else content)
    call = next(line for line in text.splitlines() if line.startswith("read it with: ")).removeprefix("read it with: ")
    shown = next((line for line in text.splitlines() if line.startswith("columns: ")), "")

    ran = await says(
        previews.session,
        f"import json, pandas as pd\n{call}\nprint(json.dumps([(repr(c), str(t)) for c, t in df.dtypes.items()]))",
    )
    for column, kind in json.loads(ran):
        if shown and not name.endswith(".parquet"):
            assert f"{column} {kind.partition('[')[0]}" in shown
        else:
            assert column.strip("'").partition(".")[0] in text
