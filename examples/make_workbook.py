"""Make temperatures.xlsx from seattle-temps.csv and sf-temps.csv: a sheet a city, a row a day, and a sheet of notes.

Run it from anywhere with openpyxl installed: `python examples/make_workbook.py [FOLDER]`.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import Any

HERE = Path(__file__).parent
CITIES = {"Seattle": "seattle-temps.csv", "San Francisco": "sf-temps.csv"}
NOTES = (
    "Temperatures in degrees Fahrenheit. Each row is a day: the mean, the lowest and the highest of its hourly values.",
    "The hourly values are 30-year averages (NOAA's hourly normals), written as the hours of the year 2010.",
    "Source: NOAA, public domain, as packaged by vega_datasets 0.9.0. The daily values were computed by make_workbook.py.",
)


def days(path: Path) -> dict[date, list[float]]:
    """The hourly values of each day."""
    found: defaultdict[date, list[float]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[datetime.fromisoformat(row["date"].replace("/", "-")).date()].append(float(row["temp"]))
    return dict(found)


def main() -> None:
    """Write temperatures.xlsx into the folder given, or beside this file."""
    openpyxl: Any = import_module("openpyxl")
    book: Any = openpyxl.Workbook()
    book.remove(book.active)
    for city, name in CITIES.items():
        sheet: Any = book.create_sheet(city)
        sheet.append(["date", "mean", "low", "high"])
        for day, values in days(HERE / name).items():
            sheet.append([day, round(fmean(values), 2), min(values), max(values)])
        sheet.column_dimensions["A"].width = 12
    notes: Any = book.create_sheet("Notes")
    for line in NOTES:
        notes.append([line])
    book.save(Path(sys.argv[1] if len(sys.argv) > 1 else HERE) / "temperatures.xlsx")


if __name__ == "__main__":
    main()
