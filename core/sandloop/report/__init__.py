"""A run or a comparison as one HTML file that loads nothing, runs nothing, and reads well on a phone and on paper."""

from __future__ import annotations

from sandloop.report.page import REPORT_BYTES, comparison_report, run_report
from sandloop.report.write import write_report

__all__ = ["REPORT_BYTES", "comparison_report", "run_report", "write_report"]
