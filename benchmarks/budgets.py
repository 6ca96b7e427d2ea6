"""The budgets, and the table that holds them against what was measured."""

from __future__ import annotations

from dataclasses import dataclass

HEADINGS = ("", "measured", "budget", "")


@dataclass(frozen=True)
class Row:
    """One measured number and its budget. `value` is None if it could not be measured."""

    name: str
    value: float | None
    unit: str
    budget: float
    at_least: bool = False
    note: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the budget is kept, or None if that is not known."""
        if self.value is None:
            return None
        return self.value >= self.budget if self.at_least else self.value <= self.budget

    @property
    def verdict(self) -> str:
        """`kept` in words, and the note."""
        words = {True: "kept", False: "missed", None: "not measured"}[self.kept]
        return f"{words}: {self.note}" if self.note else words

    def cells(self) -> tuple[str, str, str, str]:
        """The row of the table."""
        value = "-" if self.value is None else f"{self.value:.2f} {self.unit}"
        sign = "≥" if self.at_least else "≤"
        return self.name, value, f"{sign} {self.budget:g} {self.unit}", self.verdict

    def as_dict(self) -> dict[str, object]:
        """What the JSON file keeps of it."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "budget": self.budget,
            "bound": "at least" if self.at_least else "at most",
            "kept": self.kept,
            "note": self.note,
        }


def table(rows: list[Row]) -> str:
    """The rows as text: names and verdicts to the left, numbers to the right."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {budget:>{widths[2]}}  {verdict}".rstrip()
        for name, value, budget, verdict in lines
    )
