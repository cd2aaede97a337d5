"""In: an optimizer. Out: its identity card, found by experiment alone."""

from adamlib.diagnose.card import Card, diagnose

__all__ = ["Card", "diagnose"]
