"""Results -> one self-contained HTML page with figures; nothing is computed here that a Result does not hold."""

from mmme.report.page import ExampleTrial, ReportMaterial, write_report

__all__ = ["ExampleTrial", "ReportMaterial", "write_report"]
