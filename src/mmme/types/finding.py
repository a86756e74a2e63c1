"""What a finding is, and all codes there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mmme.errors import DataError, unknown_name

__all__ = ["CODES", "LEVELS", "Finding", "Level", "listed"]

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")

CODES: Mapping[str, str] = MappingProxyType(
    {
        "D001": "A coded event violates onset <= apex <= offset.",
        "D002": "Apex and offset coincide: the end of the expression was not visible.",
        "D003": "The coded kind (micro, macro) disagrees with the rule on durations.",
        "D004": "Several coders coded the same event; it counts once.",
        "D005": "A trial has no coded expression: nothing was found in it, or nobody looked.",
        "D006": "Frames are missing within trials, or the camera stalled.",
        "D007": "A signal is flat, or clipped at its highest or lowest value, within trials.",
        "D008": "All subjects saw the stimuli in the same order, so emotion and time on task cannot be told apart.",
        "D009": "A coding row could not be placed in a trial.",
        "D010": "A signal is missing, has undefined samples, or does not cover a trial.",
        "D011": "A row of an annotation table is blank or cannot be read.",
        "D012": "Times in an annotation table disagree with the clock of the frames.",
        "D013": "One coder coded two overlapping events in one trial.",
        "D014": "The power line dominates a signal.",
        "D015": "An electrode seems to be off, or a sensor not attached.",
        "D016": "An EEG channel is far noisier than the others, or does not go with its neighbours.",
        "D017": "Totals found differ from those that the data set's owners published.",
        "D018": "Part of a raw file was not taken over: a channel of unknown kind, a calculated one, a foreign annotation.",
        "D019": "A raw file is odd: values in another unit, a trigger value that never settled, an event outside the data.",
        "D020": "A session is incomplete or could not be imported.",
        "D021": "A correction was applied to a row of an annotation table.",
        "D022": "A name, a recording date, an e-mail address or a path of this computer is in the study.",
        "D023": "A file of the study is missing, changed or new since its manifest was written.",
        "D024": "The BIDS validator objects to a file of the study.",
        "D025": "Much of a signal cannot be trusted in some trials.",
        "A001": "Markers fit the clock map of a device worse than they should.",
        "A002": "A device lost or doubled markers, or a trial has no end of its own; times come from the other devices.",
        "A003": "A device clock drifts unusually, by more than 200 ppm.",
        "A004": "A subject lacks trials that others have.",
        "A005": "A device clock was assumed or accepted on demand, not fitted within limits.",
        "A006": "The two ways to place an event in time disagree by more than their uncertainty.",
        "P001": "A subject is on both sides of a split.",
        "P002": "The table looks standardised over all rows: a scaler was fitted outside the folds.",
        "P003": "Identical feature rows occur under several subjects or on both sides of a split.",
        "P004": "A class is absent or has fewer than 5 samples, in the table or in a training fold.",
        "P005": "Rows were dealt to folds at random: neither subjects nor stimuli are kept apart.",
        "R001": "A score is not above chance: its interval reaches below the 95th percentile of the chance level.",
        "R002": "The interval of a score is wider than 0.3.",
        "R003": "All predictions are of one class, or there are none.",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    A coded remark.

    Parameters
    ----------
    code
        One of `CODES`.
    level
        ``error`` (do not use it so), ``warning`` (look at it), ``note`` (know it).
    where
        Recording, table or result.
    text
        One sentence with the values found.
    rows
        All rows, trials or channels concerned, where the text names only the first of them.

    Raises
    ------
    ConfigError
        If the code is not known.
    DataError
        If the level is not known.

    Examples
    --------
    >>> print(Finding("A003", "warning", "S01/01 camera", "drifts 240 ppm against eeg"))
    A003 warning S01/01 camera: drifts 240 ppm against eeg
    """

    code: str
    level: Level
    where: str
    text: str
    rows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse codes and levels that are nowhere explained."""
        if self.code not in CODES:
            raise unknown_name("finding code", self.code, CODES)
        if self.level not in LEVELS:
            raise DataError(f"finding {self.code}: expected level {', '.join(LEVELS)}, got '{self.level}'")

    def __str__(self) -> str:
        """One line."""
        return f"{self.code} {self.level} {self.where}: {self.text}"


def listed(names: Iterable[object], limit: int = 8) -> str:
    """
    Spell out the first names and count the rest.

    Examples
    --------
    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    all_names = [str(name) for name in names]
    more = f" and {len(all_names) - limit} more" if len(all_names) > limit else ""
    return ", ".join(all_names[:limit]) + more
