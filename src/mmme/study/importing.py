"""From raw sessions to a study on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmme.workers import Workers

__all__ = ["import_study"]


def import_study(
    raw: Path,
    study: Path,
    *,
    key: Path,
    workers: Workers,
    step: Callable[[str, int, int], None] | None = None,
) -> tuple[list[str], list[tuple[str, str]]]:
    raise NotImplementedError
