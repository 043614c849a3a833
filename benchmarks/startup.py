"""What it takes until the command line answers, against importing NumPy: python benchmarks/startup.py

Wall time of whole processes, in turn: the shortest, and the median of the rounds' ratios. Goals: `--help` under 0.3 s,
and at most twice `python -c "import numpy"`.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 9
GOAL_S, GOAL_RATIO = 0.3, 2.0
PYTHON = sys.executable
SEAKEEP = (PYTHON, "-m", "seakeep.app.cli")
YARDSTICK = "import numpy"
CASES = {
    "python": (PYTHON, "-c", "pass"),
    YARDSTICK: (PYTHON, "-c", YARDSTICK),
    "seakeep --help": (*SEAKEEP, "--help"),
    "seakeep show-config": (*SEAKEEP, "show-config", "--json"),
    "seakeep list-indicators": (*SEAKEEP, "list-indicators", "--json"),
}


def wall(command: tuple[str, ...], folder: Path) -> float:
    """Seconds from start to end of a process."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print every case beside the yardstick, and whether `--help` meets its goals."""
    with tempfile.TemporaryDirectory() as name:
        rounds = [{case: wall(command, Path(name)) for case, command in CASES.items()} for _ in range(ROUNDS)]
    for case in CASES:
        seconds = min(r[case] for r in rounds)
        ratio = statistics.median(r[case] / r[YARDSTICK] for r in rounds)
        print(f"{case:24} {seconds * 1e3:5.0f} ms  {ratio:.2f} x import numpy")
        if case == "seakeep --help":
            met = seconds <= GOAL_S and ratio <= GOAL_RATIO
            print(f"{'':24} goal {GOAL_S * 1e3:.0f} ms and {GOAL_RATIO:g} x: {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
