"""A run as one self-contained HTML page: dataset with sound, training, predictions, navigation."""

from avw.model.report.page import write_report

__all__ = ["write_report"]
