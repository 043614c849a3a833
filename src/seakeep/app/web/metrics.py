"""Counts of one process, in the text form Prometheus reads."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

__all__ = ["Gauge", "Metrics"]

_BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Gauge = tuple[str, str, dict[str, str], float]
"""Name, what it says, labels, value."""


class Metrics:
    """Requests by route and status, and how long they took."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request that has been answered; `route` is the pattern, never the path somebody made up."""
        self._requests[method, route, status] += 1
        buckets = self._buckets.get(route)
        if buckets is None:
            buckets = self._buckets[route] = [0] * (len(_BOUNDS) + 1)
        buckets[bisect_left(_BOUNDS, seconds)] += 1
        self._seconds[route] += seconds  # type: ignore[assignment]

    def text(self, gauges: Iterable[Gauge] = ()) -> bytes:
        """Everything, in the exposition format (version 0.0.4)."""
        lines = ["# HELP seakeep_http_requests_total Requests answered.", "# TYPE seakeep_http_requests_total counter"]
        for (method, route, status), n in sorted(self._requests.items()):
            labels = _labels({"method": method, "route": route, "status": str(status)})
            lines.append(f"seakeep_http_requests_total{labels} {n}")
        lines += ["# HELP seakeep_http_seconds Time to answer.", "# TYPE seakeep_http_seconds histogram"]
        for route, buckets in sorted(self._buckets.items()):
            lines += self._histogram(route, buckets)
        told = set()
        for name, says, labels_of, value in gauges:
            if name not in told:
                lines += [f"# HELP {name} {says}", f"# TYPE {name} gauge"]
                told.add(name)
            lines.append(f"{name}{_labels(labels_of)} {value!r}")
        return ("\n".join(lines) + "\n").encode()

    def _histogram(self, route: str, buckets: list[int]) -> Iterable[str]:
        seen = 0
        for bound, n in zip((*map(str, _BOUNDS), "+Inf"), buckets, strict=True):
            seen += n
            yield f"seakeep_http_seconds_bucket{_labels({'route': route, 'le': bound})} {seen}"
        yield f"seakeep_http_seconds_sum{_labels({'route': route})} {self._seconds[route]!r}"
        yield f"seakeep_http_seconds_count{_labels({'route': route})} {seen}"


def _labels(pairs: dict[str, str]) -> str:
    escaped = (
        f'{name}="{value}"'
        for name, value in (
            (n, v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for n, v in pairs.items()
        )
    )
    return "{" + ",".join(escaped) + "}" if pairs else ""
