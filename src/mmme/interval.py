"""Stretches of session time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Interval"]


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """
    Half-open stretch of session time, ``[start, stop)``.

    Parameters
    ----------
    start, stop
        Ends in seconds; ``start < stop`` is enforced, so neither can be NaN.

    Raises
    ------
    ValueError
        If ``start < stop`` does not hold.

    Examples
    --------
    >>> a, b = Interval(0.0, 2.0), Interval(1.0, 3.0)
    >>> a.duration_s, a.overlap_s(b), round(a.iou(b), 3)
    (2.0, 1.0, 0.333)
    """

    start: float
    stop: float

    def __post_init__(self) -> None:
        """Refuse an empty, reversed or undefined stretch."""
        if not self.start < self.stop:
            raise ValueError(f"interval must have start < stop, got [{self.start} s, {self.stop} s)")

    @property
    def duration_s(self) -> float:
        """Length in seconds, always positive."""
        return self.stop - self.start

    @property
    def centre_s(self) -> float:
        """Midpoint in seconds."""
        return 0.5 * (self.start + self.stop)

    def contains(self, time_s: float) -> bool:
        """Tell whether ``start <= time_s < stop``."""
        return self.start <= time_s < self.stop

    def overlap_s(self, other: Interval) -> float:
        """Seconds shared with ``other``; 0 when they only touch."""
        return max(0.0, min(self.stop, other.stop) - max(self.start, other.start))

    def iou(self, other: Interval) -> float:
        """Shared over covered time, between 0 and 1 (1 only for equal intervals)."""
        shared = self.overlap_s(other)
        return shared / (self.duration_s + other.duration_s - shared)

    def shifted(self, shift_s: float) -> Interval:
        """Copy moved by ``shift_s`` seconds."""
        return Interval(self.start + shift_s, self.stop + shift_s)
