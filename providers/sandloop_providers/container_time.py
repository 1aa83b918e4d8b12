"""What a provider's container cost, estimated: no provider reports the time, so it is this side's clock times the published price.

Prices as documented and gathered on 2026-11-23; they may have changed, and free hours, discounts and what an organisation uses
beside us are not known here. So these are estimates, never billed figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How a provider bills its containers. Times in seconds, money in US dollars."""

    second: float
    """Dollars."""
    least: float
    """Billed at least, for each container."""
    unit: float = 1
    """Begun units are billed whole."""
    idle: float
    """For how long it goes on counting after it was last used."""

    def cost(self, seconds: float) -> float:
        """Of one container's time."""
        return math.ceil(max(seconds, self.least) / self.unit) * self.unit * self.second


OPENAI = Rate(second=0.03 / 1200, least=300, unit=60, idle=1200)
"""$0.03 for 20 minutes of a container with 1 GB, which is what sandloop asks for; by the minute, at least 5."""
ANTHROPIC = Rate(second=0.05 / 3600, least=300, idle=300)
"""$0.05 an hour, at least 5 minutes. The first 1,550 hours of an organisation's month are free, so this is the most it can be."""


@dataclass(slots=True)
class _Used:
    seconds: float
    until: float


@dataclass(slots=True)
class ContainerClock:
    """The containers of one session: what their time cost beyond what was told before. Pure: the caller reads the clock."""

    rate: Rate
    _containers: dict[str, _Used] = field(default_factory=dict[str, _Used])

    def used(self, container: str, began: float, ended: float) -> tuple[float, float]:
        """A request used the container: the seconds and the dollars that come on top of what was told.

        Args:
            container: Its id; one never seen is billed its least time.
            began: When the request was made, on a clock of seconds that never goes back.
            ended: When its answer had come.
        """
        known = self._containers.get(container)
        before = 0.0 if known is None else self.rate.cost(known.seconds)
        waited = 0.0 if known is None else min(max(began - known.until, 0.0), self.rate.idle)
        more = waited + max(ended - (began if known is None else max(began, known.until)), 0.0)
        total = more if known is None else known.seconds + more
        self._containers[container] = _Used(total, max(began, ended))
        return more, self.rate.cost(total) - before
