"""In: an optimizer. Out: its identity card, found by experiment alone."""

from adamlib.diagnose.card import Card
from adamlib.diagnose.examination import diagnose

__all__ = ["Card", "diagnose"]
