"""What a benchmark gives."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and the limit that it must keep; without a limit it is there to be read."""

    what: str
    value: float
    limit: float | None = None
    must_be: Literal[">=", "<="] = ">="
    unit: str = ""

    @property
    def kept(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.must_be == ">=" else self.value <= self.limit

    @property
    def shown(self) -> str:
        return f"{self.value:,.2f}{self.unit}" if abs(self.value) < 100 else f"{self.value:,.0f}{self.unit}"

    @property
    def limit_shown(self) -> str:
        return "" if self.limit is None else f"{self.must_be} {self.limit:g}{self.unit}"
