"""A run as one self-contained page: data with sound, training, imagination, navigation."""

from avw.model.report.page import write_report

__all__ = ["write_report"]
