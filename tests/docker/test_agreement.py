"""Made files compared where they may be opened: real workbooks, Parquet and pictures in the sandbox, and hostile ones."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from compared_runs import made, run
from docker_runs import SMALL
from sandloop.comparing.agreement import agreement
from sandloop.comparing.comparison import Agreement, Entry, FileRow
from sandloop.comparing.inside.program import FILE_SECONDS
from sandloop.events import Answered, CodeRan, FileMade
from sandloop.limits import MB, Limits
from sandloop.options import SandboxOptions
from sandloop.result import Result
from sandloop.script import script_events
from sandloop.store import FileStore
from sandloop_sandbox.engine import Engine

LIMITS = Limits(memory=1_500 * MB)
MAKE = """
import json, os
import openpyxl, openpyxl.chart, pandas as pd
from PIL import Image
df = pd.DataFrame({"species": ["Adelie", "Chinstrap", "Gentoo"], "mean": [3700.66225, 3733.08824, 5076.01626], "n": [151, 68, 123]})

def folder(name):
    os.makedirs(name, exist_ok=True)
    return name

def book(path, third, fourth, sheet="Means", formula="=SUM(C3:C5)", colour=None):
    wb = openpyxl.Workbook()
    ws = wb.active
    ws.title = sheet
    ws.append(["Mean body mass", None, None])
    ws.merge_cells("A1:C1")
    ws.append(["species", "mean", "n"])
    for row in (["Adelie", 3700.66, 151], ["Chinstrap", 3733.09, 68], third, fourth):
        ws.append(row)
    ws.append(["Sum", None, formula])
    drawn = openpyxl.chart.BarChart()
    drawn.add_data(openpyxl.chart.Reference(ws, min_col=2, min_row=2, max_row=5), titles_from_data=True)
    wb.create_chartsheet("Chart").add_chart(drawn)
    wb.save(path)

def chart(path, heights, colour=(30, 100, 200), size=(640, 480)):
    im = Image.new("RGB", size, "white")
    for i, h in enumerate(heights):
        im.paste(colour, (60 + 160 * i, size[1] - h, 160 + 160 * i, size[1]))
    im.save(path)

for who in ("claude", "gpt", "gemini"):
    folder(who)
df.to_csv("claude/summary.csv")
df.iloc[::-1].round(2).to_csv("gpt/means.csv", index=False, sep=";", decimal=",")
df.replace({123: 119}).to_csv("gemini/summary.csv", index=False)
df.to_parquet("claude/data.parquet")
df[["n", "species", "mean"]].to_parquet("gpt/data.parquet")
df.rename(columns={"mean": "avg"}).to_parquet("gemini/data.parquet")
df.to_json("claude/data.json", orient="records")
df.to_json("gpt/data.json", orient="columns")
open("gemini/data.json", "w").write(json.dumps({"Adelie": 3700.66, "Gentoo": {"mean": 5076.02}}))
book("claude/book.xlsx", ["Gentoo", 5076.02, 123], ["All", 4201.75, 342])
book("gpt/book.xlsx", ["Gentoo", 5076.02, 123], ["All", 4207.06, 342], sheet="Sheet1")
book("gemini/book.xlsx", ["Gentoo", 5076.02, 123], ["All", 4201.75, 342], formula=342)
chart("claude/chart.png", [100, 120, 300])
chart("gpt/chart.png", [100, 120, 300], size=(650, 480))
chart("gemini/other.jpg", [300, 120, 100])
"""


async def made_by_code(source: str) -> dict[str, dict[str, bytes]]:
    """The files that a script makes in the sandbox, by their folders."""
    store = FileStore(file_bytes=LIMITS.file_bytes)
    found: dict[str, dict[str, bytes]] = {}
    async for event in script_events(source, "python", [], options=SandboxOptions(), limits=LIMITS, store=store):
        if isinstance(event, CodeRan):
            assert event.ok, event
        if isinstance(event, FileMade):
            who, _, name = event.name.partition("/")
            found.setdefault(who, {})[name] = store.path(event.sha256).read_bytes()
    return {who: found[who] for who in ("claude", "gpt", "gemini")}


async def compared(files: Mapping[str, Mapping[str, bytes]], *, limits: Limits = LIMITS) -> Agreement:
    entries = [run(who, "Gentoo", files=own) for who, own in files.items()]
    return await agreement(entries, options=SandboxOptions(), limits=limits, question="Which species?")


def row(found: Agreement, name: str) -> FileRow:
    return next(r for r in found.files if name in r.names)


@pytest.fixture(scope="module")
async def real(engine: Engine) -> Agreement:
    return await compared(await made_by_code(MAKE))


async def test_csv_files_are_one_whatever_their_name_order_index_and_country(real: Agreement) -> None:
    found = row(real, "summary.csv")
    assert found.names == ("summary.csv", "means.csv", "summary.csv")
    assert found.same is False
    assert found.differences == ("gpt has the rows in another order than claude", "gemini: C4 is 119, claude has 123")


async def test_parquet_and_json_are_read_as_tables(real: Agreement) -> None:
    parquet, as_json = row(real, "data.parquet"), row(real, "data.json")
    assert parquet.same is True
    assert parquet.differences == (
        "gpt has the columns in another order than claude",
        "gemini calls the column avg, claude calls it mean",
    )
    assert as_json.same is None
    assert as_json.differences[-1] == "gemini has the columns path, value, claude species, mean, n"


async def test_workbooks_are_compared_by_sheet_and_cell_and_a_formula_without_a_value_is_no_difference(real: Agreement) -> None:
    found = row(real, "book.xlsx")
    assert (found.kind, found.same) == ("workbook", False)
    assert "gpt: Sheet1!B6 is 4207.06, claude has 4201.75" in found.differences
    assert any("a formula without a value" in text for text in found.differences)


async def test_pictures_are_told_apart_by_how_they_look_and_decide_nothing(real: Agreement) -> None:
    found = row(real, "chart.png")
    assert (found.kind, found.same) == ("picture", None)
    assert found.names == ("chart.png", "chart.png", "other.jpg")
    first, near, far = found.distances
    assert first == 0.0
    assert near is not None
    assert far is not None
    assert near < 0.25 < far <= 1.0


async def test_the_verdict_names_the_first_cell(real: Agreement) -> None:
    assert real.agree is False
    assert real.groups == (("claude",), ("gpt",), ("gemini",))
    assert real.verdict.startswith("No majority: all say Gentoo, but the files differ: in ")


def bomb() -> bytes:
    """A workbook that is small, and whose strings unpack to 70 MB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/sharedStrings.xml", "w") as part:
            for _ in range(70):
                part.write(b"<si>" * 250_000)
    return out.getvalue()


def endless_rows() -> bytes:
    """A workbook whose sheet has more rows than are read, and no end."""
    out = io.BytesIO()
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        )
        office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
        )
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
            "</Relationships>",
        )
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            part.write(f'<worksheet xmlns="{main}"><sheetData>'.encode())
            for _ in range(3):
                part.write(b"<row><c><v>1.5</v></c></row>" * 70_000)
    return out.getvalue()


def png_bomb() -> bytes:
    """A PNG that says it has ten thousand million pixels."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


GOOD = b"species,n\nAdelie,151\n"
BAD: dict[str, tuple[str, bytes, str]] = {
    "a workbook that unpacks to 70 MB of strings": ("a.xlsx", bomb(), "unpacks to"),
    "a workbook that is none": ("a.xlsx", b"PK\3\4" + b"x" * 100, "not a zip file"),
    "text that is called a workbook": ("a.xlsx", b"hello", ""),
    "commas without a line": ("a.csv", b"," * 5_000_000, "its first line is over 1 MB"),
    "a quote that never closes": ("a.csv", b'a,b\n"' + b"x\n" * 1_000_000, "field larger than"),
    "JSON that is nested without end": ("a.json", b"[" * 1_000_000, "nested too deeply"),
    "Parquet that is cut off": ("a.parquet", b"PAR1" + b"\0" * 100, ""),
    "a picture of ten thousand million pixels": ("a.png", png_bomb(), "pixels"),
    "a picture that is none": ("a.png", b"\x89PNG\r\n\x1a\nno", "cannot identify"),
}


@pytest.fixture(scope="module")
async def hostile(engine: Engine) -> Agreement:
    """All of them at once, beside one good file: none may take the others along."""
    one = {f"{i}-{name}": content for i, (name, content, _) in enumerate(BAD.values())}
    two = {name: content + b" " for name, content in one.items()}
    return await compared({"claude": {"good.csv": GOOD, **one}, "gpt": {"good.csv": GOOD.replace(b"151", b"152"), **two}})


@pytest.mark.parametrize(("at", "what"), list(enumerate(BAD)), ids=list(BAD))
async def test_a_hostile_file_is_said_not_to_be_compared(hostile: Agreement, at: int, what: str) -> None:
    name, _, why = BAD[what]
    found = row(hostile, f"{at}-{name}")
    assert found.same is not False
    assert any("not compared" in text or "not looked at" in text for text in found.differences) or not why
    assert why.lower() in " ".join(found.differences).lower()


async def test_a_good_file_beside_hostile_ones_is_still_compared(hostile: Agreement) -> None:
    assert row(hostile, "good.csv").differences == ("gpt: B2 is 152, claude has 151",)


async def test_what_is_long_is_compared_as_far_as_its_bound_and_never_called_the_same(engine: Engine) -> None:
    rows = b"key,x,y,z\n" + b"".join(b"%d,%d.5,a,b\n" % (i, i % 97) for i in range(1_000_000))
    sheet = endless_rows()
    began = time.monotonic()
    found = await compared(
        {"claude": {"long.csv": rows, "rows.xlsx": sheet}, "gpt": {"long.csv": rows + b"1,1.5,a,c\n", "rows.xlsx": sheet + b"\0"}}
    )
    assert time.monotonic() - began < 6 * FILE_SECONDS
    assert row(found, "long.csv").same is None
    assert row(found, "long.csv").differences == ("only the first rows were compared: 249999 of gpt, 249999 of claude",)
    assert row(found, "rows.xlsx").same is None
    assert found.agree is True


async def test_names_that_models_chose_never_reach_the_sandbox_as_names(engine: Engine) -> None:
    names = ["../../input/program.zip", "-rf.csv", "a'); import os #.csv", "x\ny.csv", "$(id).csv", "\u202evsc.csv"]
    store = [FileStore(file_bytes=MB), FileStore(file_bytes=MB)]
    entries = [
        Entry(
            model=f"m{i}",
            label=f"m{i}",
            result=Result(
                events=(*(made(s, name, b"x,y\na,%d\n" % (10 * n + i)) for n, name in enumerate(names)), Answered(text="5")),
                store=s,
            ),
        )
        for i, s in enumerate(store)
    ]
    found = await agreement(entries, options=SandboxOptions(), limits=LIMITS)
    assert [r.same for r in found.files if r.kind == "table"] == [False] * 5
    assert "\n" not in found.verdict
    assert "\u202e" not in json.dumps(found.verdict, ensure_ascii=False)


async def test_a_sandbox_with_too_little_memory_loses_files_and_raises_nothing(engine: Engine) -> None:
    rows = b"key,x,y,z\n" + b"".join(b"k%d,%d.5,a%d,b%d\n" % (i, i, i, i) for i in range(120_000))
    found = await compared({"claude": {"a.csv": rows}, "gpt": {"a.csv": rows + b"1,1.5,a,c\n"}}, limits=SMALL)
    assert found.files[0].same is not True


def test_the_program_that_runs_inside_is_in_the_package() -> None:
    from importlib.resources import files

    names = {Path(part.name).name for part in files("sandloop.comparing.inside").iterdir()}
    assert {"program.py", "read.py", "child.py", "differ.py", "match.py"} <= names
